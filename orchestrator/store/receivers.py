"""Receivers that fail: a row per account and host, gone with the first success. A paused one gets a probe at times."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import orjson
import redis

from orchestrator.store import keys, outbox_scripts
from orchestrator.store.connection import redis_errors

FAILURES_TO_PAUSE = 20
FAILING_MS_TO_PAUSE = 60_000
FIRST_PAUSE_MS = 10_000
LONGEST_PAUSE_MS = 300_000
PROBE_MS = 20_000
"""How long a probe may take: as long as an attempt."""


@dataclass(frozen=True, slots=True)
class Receiver:
    """Failures in a row since `failing_since_ms`. `paused_until_ms`: no request before that, then one probe; 0: not
    paused. `pauses` counts them."""

    host: str
    failures: int
    failing_since_ms: int
    paused_until_ms: int = 0
    pauses: int = 0

    def after_failure(self, now_ms: int) -> Receiver:
        """The next failure: pauses a receiver that has failed for long, and doubles the pause of a paused one."""
        failed = replace(self, failures=self.failures + 1)
        for_long = failed.failures >= FAILURES_TO_PAUSE and now_ms - self.failing_since_ms >= FAILING_MS_TO_PAUSE
        if not for_long and not self.pauses:
            return failed
        pause_ms = min(FIRST_PAUSE_MS * 2 ** min(self.pauses, 10), LONGEST_PAUSE_MS)
        return replace(failed, paused_until_ms=now_ms + pause_ms, pauses=self.pauses + 1)


class ReceiverStore:
    """Reads are one small hash per account."""

    def __init__(self, client: redis.Redis) -> None:
        self._redis: Any = client
        self._claim = client.register_script(outbox_scripts.CLAIM_PROBE)

    def list_receivers(self, account_sid: str) -> list[Receiver]:
        """Every receiver that fails now."""
        with redis_errors():
            found = self._redis.hgetall(keys.account_receivers(account_sid))
        return [Receiver(**orjson.loads(text)) for _, text in sorted(found.items())]

    def load_receiver(self, account_sid: str, host: str) -> Receiver | None:
        """A receiver that fails; None if it does not."""
        with redis_errors():
            text = self._redis.hget(keys.account_receivers(account_sid), host)
        return Receiver(**orjson.loads(text)) if text else None

    def save_receiver(self, account_sid: str, receiver: Receiver) -> None:
        """Write what is known of a receiver that fails."""
        with redis_errors():
            row = orjson.dumps(asdict(receiver)).decode()
            self._redis.hset(keys.account_receivers(account_sid), receiver.host, row)

    def claim_probe(self, account_sid: str, host: str, now_ms: int) -> bool:
        """True for the one who may try a paused receiver now; the others wait for what comes of it."""
        with redis_errors():
            until_ms = now_ms + PROBE_MS
            return bool(self._claim(keys=[keys.account_receivers(account_sid)], args=[host, now_ms, until_ms]))

    def forget_receiver(self, account_sid: str, host: str) -> bool:
        """It works again, or an operator says so. False if nothing was known of it."""
        with redis_errors():
            return bool(self._redis.hdel(keys.account_receivers(account_sid), host))
