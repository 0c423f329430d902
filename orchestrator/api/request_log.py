"""Logs each request that is refused, as long as there are not too many: a flood must not fill the log."""

from __future__ import annotations

import time
from collections import Counter
from typing import Final

import structlog

LINES_PER_SECOND: Final = 5
"""Most lines a second for one account, or for one address where no account is known."""

LINES_IN_ALL: Final = 50

log = structlog.get_logger("app")


class RequestLog:
    """Logs requests that are refused. One per process. Those that get no line are counted, and the next line has their
    number."""

    def __init__(self) -> None:
        self._second = 0
        self._told: Counter[str] = Counter()
        self._untold = 0

    def refused(self, who: str, method: str, path: str, status: int, **more: object) -> None:
        """Log a request that was refused, or only count it if there are too many."""
        second = int(time.monotonic())
        if second != self._second:
            self._second = second
            self._told.clear()
        if self._told[who] >= LINES_PER_SECOND or self._told.total() >= LINES_IN_ALL:
            self._untold += 1
            return
        self._told[who] += 1
        untold, self._untold = self._untold, 0
        level = log.warning if status >= 500 else log.info
        level("request_refused", method=method, path=path[:200], status=status, **more, untold=untold)
