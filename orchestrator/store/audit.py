"""Keeps the last thousand things that operators did by the console."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import orjson
import redis

from orchestrator.store import keys
from orchestrator.store.connection import redis_errors

MOST: Final = 1_000


@dataclass(frozen=True, slots=True)
class Deed:
    """What an operator did: when (ISO 8601), from which address, what, to what, and what came of it."""

    at: str
    address: str
    action: str
    target: str
    outcome: str

    @classmethod
    def now(cls, address: str, action: str, target: str, outcome: str) -> Deed:
        """Make a deed of this moment."""
        return cls(datetime.now(UTC).isoformat(timespec="milliseconds"), address, action, target, outcome)


class AuditStore:
    """Keeps what operators did, newest first."""

    def __init__(self, client: redis.Redis) -> None:
        self._redis: Any = client

    def add(self, deed: Deed) -> None:
        """Keep a deed, and forget those before the last thousand."""
        with redis_errors():
            pipe = self._redis.pipeline(transaction=False)
            pipe.lpush(keys.AUDIT, orjson.dumps(deed).decode())
            pipe.ltrim(keys.AUDIT, 0, MOST - 1)
            pipe.execute()

    def list(self, most: int = 200) -> list[Deed]:
        """List the newest deeds."""
        with redis_errors():
            return [Deed(**orjson.loads(text)) for text in self._redis.lrange(keys.AUDIT, 0, most - 1)]
