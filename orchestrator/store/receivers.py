"""Receivers that fail: a row per account and host, gone with the first success. A paused one gets a probe at times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import redis

from orchestrator.store import keys
from orchestrator.store.connection import redis_errors
from orchestrator.store.scripts import Script

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
    paused_at_ms: int = 0
    pauses: int = 0


class ReceiverStore:
    """Keeps the receivers that fail: one small hash per account."""

    def __init__(self, client: redis.Redis) -> None:
        self._redis: Any = client
        self._fail = Script(client, "receivers/fail")
        self._claim = Script(client, "receivers/claim_probe")

    def list_receivers(self, account_sid: str) -> list[Receiver]:
        """List every receiver that fails now."""
        with redis_errors():
            found = self._redis.hgetall(keys.account_receivers(account_sid))
        return _read_all(found)

    def list_of_accounts(self, account_sids: Sequence[str]) -> dict[str, list[Receiver]]:
        """List every receiver of these accounts that fails now, in one round trip."""
        with redis_errors():
            pipe = self._redis.pipeline(transaction=False)
            for sid in account_sids:
                pipe.hgetall(keys.account_receivers(sid))
            found = pipe.execute()
        return {sid: _read_all(rows) for sid, rows in zip(account_sids, found, strict=True)}

    def load_receiver(self, account_sid: str, host: str) -> Receiver | None:
        """Load a receiver that fails; None if it does not."""
        with redis_errors():
            text = self._redis.hget(keys.account_receivers(account_sid), host)
        return _read(text) if text else None

    def save_failure(self, account_sid: str, host: str, began_ms: int, now_ms: int) -> Receiver:
        """Count a failed attempt, which began at `began_ms`: pauses a receiver that has failed for long, and doubles
        the pause of one whose probe this was."""
        with redis_errors():
            row = self._fail(
                keys=[keys.account_receivers(account_sid)],
                args=[
                    host,
                    now_ms,
                    began_ms,
                    FAILURES_TO_PAUSE,
                    FAILING_MS_TO_PAUSE,
                    FIRST_PAUSE_MS,
                    LONGEST_PAUSE_MS,
                    keys.RETENTION_SECONDS,
                ],
            )
        return _read(row)

    def claim_probe(self, account_sid: str, host: str, now_ms: int) -> bool:
        """Claim the one request that may try a paused receiver now: True for the first who asks; the others wait for
        what comes of it."""
        with redis_errors():
            until_ms = now_ms + PROBE_MS
            return bool(self._claim(keys=[keys.account_receivers(account_sid)], args=[host, now_ms, until_ms]))

    def forget_receiver(self, account_sid: str, host: str) -> bool:
        """Forget a receiver that works again, or that an operator says does. False if nothing was known of it."""
        with redis_errors():
            return bool(self._redis.hdel(keys.account_receivers(account_sid), host))


def _read_all(rows: Mapping[str, str]) -> list[Receiver]:
    return [_read(text) for _, text in sorted(rows.items())]


def _read(text: str) -> Receiver:
    """Lua writes every number as a float; all of these are whole."""
    row = orjson.loads(text)
    numbers = {name: int(value) for name, value in row.items() if name != "host"}
    return Receiver(host=row["host"], **numbers)
