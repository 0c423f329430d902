"""Waits until a replica has what somebody is told of: a failover would lose it, and nobody would know.

Only behind Sentinels: in a cluster each server would have to be asked for its own.
"""

from __future__ import annotations

import time
from typing import Any, Final

ACKNOWLEDGED_MS: Final = 200
"""How long to wait until what was written is on a replica, too."""

AWAY_SECONDS: Final = 1.0
"""How long no replica is waited for after one was waited for in vain: the primary alone has to do."""


class Replicas:
    """Waits for the replicas of a Redis, if it has any."""

    def __init__(self, are_there: bool = False) -> None:
        self._are_there = are_there
        self._wait_again_at = 0.0

    def execute(self, pipe: Any) -> list[Any]:
        """Execute a pipeline of redis-py's; returns its answers once a replica has what it and all before it wrote."""
        waits = self._are_there and time.monotonic() >= self._wait_again_at
        if waits:
            pipe.wait(1, ACKNOWLEDGED_MS)
        answers: list[Any] = pipe.execute()
        if waits and not answers.pop():
            self._wait_again_at = time.monotonic() + AWAY_SECONDS
        return answers
