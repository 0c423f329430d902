"""What waits, and what has been given up: for `check`, the console and the metrics, across all accounts."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import redis

from orchestrator.store import keys
from orchestrator.store.accounts import list_account_sids
from orchestrator.store.connection import redis_errors
from orchestrator.store.lanes import WORKED_ON_MS, Lane
from orchestrator.store.receivers import Receiver, ReceiverStore

KINDS: Final = ("callbacks", "dialling", "playback", "recordings")
LANES_LOOKED_AT: Final = 300
"""Of those that may be worked on, or wait for a second try, to tell one from the other."""

CLOCKS_DIFFER_MS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Retrying:
    """How many lanes wait for another try; `is_least`: there may be more."""

    number: int
    is_least: bool


class Backlog:
    """Counts what waits and what has been given up. Reads only."""

    def __init__(self, client: redis.Redis) -> None:
        self._redis: Any = client
        self._receivers = ReceiverStore(client)

    def lanes(self) -> list[tuple[str, int, float]]:
        """Return for each kind of lane how many wait, and how long (s) the oldest is beyond its time; a lane that is
        worked on has its time in the future."""
        now_ms = time.time() * 1000
        with redis_errors():
            pipe = self._redis.pipeline(transaction=False)
            for kind in KINDS:
                pipe.zcard(keys.lanes_due(kind))
                pipe.zrange(keys.lanes_due(kind), 0, 0, withscores=True)
            found = pipe.execute()
        return [
            (kind, number, max(0.0, (now_ms - oldest[0][1]) / 1000) if oldest else 0.0)
            for kind, number, oldest in zip(KINDS, found[::2], found[1::2], strict=True)
        ]

    def retrying(self) -> Retrying:
        """Count the lanes of callbacks whose head was tried in vain, or whose receiver is paused. Only such a lane is
        due later than one that is worked on; of the others, the last LANES_LOOKED_AT are looked at."""
        due, soon_ms = keys.lanes_due("callbacks"), int(time.time() * 1000) + WORKED_ON_MS + CLOCKS_DIFFER_MS
        with redis_errors():
            pipe = self._redis.pipeline(transaction=False)
            pipe.zcount(due, f"({soon_ms}", "+inf")
            pipe.zrevrangebyscore(due, soon_ms, "-inf", start=0, num=LANES_LOOKED_AT)
            later, soon = pipe.execute()
            pipe = self._redis.pipeline(transaction=False)
            for lane in map(Lane.parse, soon):
                pipe.exists(keys.retry(lane.sid, lane.name))
            return Retrying(later + sum(pipe.execute()), len(soon) == LANES_LOOKED_AT)

    def accounts(self) -> list[str]:
        """List every AccountSid."""
        return list_account_sids(self._redis)

    def count_dead(self, account_sid: str) -> int:
        """Count the dead letters of an account that are still kept."""
        with redis_errors():
            return int(self._redis.zcard(keys.account_dead(account_sid)))

    def paused_receivers(self, account_sid: str) -> list[str]:
        """Return the receivers of an account that have failed for long, and are tried at times only."""
        return [receiver.host for receiver in self._receivers.list_receivers(account_sid) if receiver.pauses]

    def receivers(self, account_sids: Sequence[str]) -> dict[str, list[Receiver]]:
        """Return the receivers of each of these accounts that fail now, paused or not."""
        return self._receivers.list_of_accounts(account_sids)

    def media(self) -> tuple[float, float]:
        """Return how many bytes of audio are kept, and how many pieces were dropped to make room."""
        with redis_errors():
            kept = self._redis.hget(keys.MEDIA_BYTES, "all")
            dropped = self._redis.hvals(keys.MEDIA_DROPPED)
        return float(kept or 0), float(sum(map(int, dropped)))

    def dropped(self) -> dict[str, int]:
        """Return how many callbacks were ever given up, by reason."""
        with redis_errors():
            return {reason: int(number) for reason, number in self._redis.hgetall(keys.DROPPED).items()}
