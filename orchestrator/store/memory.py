"""What happens when Redis' memory is used up (`maxmemory`, with `noeviction`).

A tenth of it is a reserve: creates are refused before it is touched, so that states, callbacks and ends of the calls
that exist can be written. Should the reserve be used up as well, Redis refuses what could need memory. Reads go on, and
the scripts that write states and ends include `shared/freeing`, so that they do, too; callbacks wait for memory.
"""

from __future__ import annotations

import time
from typing import Any, Final

import redis

from orchestrator.store.connection import redis_errors

CREATE_SHARE: Final = 0.9
READ_SECONDS: Final = 0.5


class Memory:
    """Redis' memory as a process sees it, read at most twice a second."""

    def __init__(self, client: redis.Redis) -> None:
        self._redis: Any = client
        self._read_at = float("-inf")
        self._share = 0.0

    def used_share(self) -> float:
        """Return how much of `maxmemory` is used; 0 where there is none."""
        now = time.monotonic()
        if now >= self._read_at + READ_SECONDS:
            with redis_errors():
                found = self._redis.info("memory")
            used, most = found["used_memory"] - found.get("mem_not_counted_for_evict", 0), found["maxmemory"]
            self._share = used / most if most else 0.0
            self._read_at = now
        return self._share

    def bytes(self) -> tuple[float, float]:
        """Return how many bytes are used, and `maxmemory` (0: none)."""
        with redis_errors():
            found = self._redis.info("memory")
        return float(found["used_memory"]), float(found["maxmemory"])

    def policy(self) -> str:
        """Return what Redis does when its memory is used up; '' where there is no `maxmemory`."""
        with redis_errors():
            found = self._redis.info("memory")
        return str(found["maxmemory_policy"]) if found["maxmemory"] else ""

    def appends(self) -> bool:
        """True if Redis writes every change to a file."""
        with redis_errors():
            return bool(self._redis.info("persistence")["aof_enabled"])
