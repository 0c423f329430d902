"""What waits, and what has been given up: for `check`, the console and the metrics, across all accounts."""

from __future__ import annotations

import time
from typing import Any, Final

import redis

from orchestrator.store import keys
from orchestrator.store.connection import redis_errors
from orchestrator.store.receivers import ReceiverStore

KINDS: Final = ("callbacks", "dialling", "playback", "recordings")


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

    def accounts(self) -> list[str]:
        """List every AccountSid."""
        with redis_errors():
            return sorted(self._redis.smembers(keys.ACCOUNTS))

    def count_dead(self, account_sid: str) -> int:
        """Count the dead letters of an account that are still kept."""
        with redis_errors():
            return int(self._redis.zcard(keys.account_dead(account_sid)))

    def paused_receivers(self, account_sid: str) -> list[str]:
        """Return the receivers of an account that have failed for long, and are tried at times only."""
        return [receiver.host for receiver in self._receivers.list_receivers(account_sid) if receiver.pauses]

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
