"""How much of an API process one account may take: requests a second, and work on lists. Kept in the process: it is the
process's time that one account would take from the others.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

from gevent.lock import BoundedSemaphore

from orchestrator.errors import QuotaReached
from orchestrator.limits import Limits
from orchestrator.store.quotas import reached

Row = TypeVar("Row")

REFUSAL_SECONDS: Final = 1.5
"""From a request to its refusal for a quota: asking at once again gains nothing, and costs the others little."""

LIST_SLOT_SECONDS: Final = 0.8
"""How long a list waits for another of the same account: one is read at a time."""

ROWS_PER_BREATH: Final = 20
LONG_ROWS: Final = 100
"""Behind so many rows a list rests after each breath for as long as it has taken: half of a process at most."""

_MOST_KNOWN: Final = 10_000


class Bucket:
    """Counts for each key what it has taken of a second's worth; may go into debt, which the next seconds pay."""

    def __init__(self) -> None:
        self._full_at: dict[str, float] = {}

    def missing_seconds(self, key: str, per_second: int) -> float:
        """Return how long until there is one to take; 0 or less: there is."""
        if per_second <= 0:
            return 1.0
        return self._full_at.get(key, 0.0) - time.monotonic() - 1.0 + 1.0 / per_second

    def take(self, key: str, per_second: int, amount: int = 1) -> None:
        """Take one, whether there is one or not."""
        now = time.monotonic()
        if len(self._full_at) >= _MOST_KNOWN:
            self._full_at = {known: at for known, at in self._full_at.items() if at > now}
        self._full_at[key] = max(self._full_at.get(key, now), now) + amount / max(per_second, 1)


class Pacing:
    """Bounds what accounts take of a process. One for each process. `sleep` lets other requests run."""

    def __init__(self, sleep: Callable[[float], object] = time.sleep) -> None:
        self._sleep = sleep
        self._requests = Bucket()
        self._rows = Bucket()
        self._list_slots: dict[str, BoundedSemaphore] = {}

    def take_request(self, account_sid: str, limits: Limits) -> None:
        """Count a request. Raises QuotaReached."""
        missing = self._requests.missing_seconds(account_sid, limits.requests_per_second)
        if missing > 0:
            raise reached("requests_per_second", limits, missing * 1000)
        self._requests.take(account_sid, limits.requests_per_second)

    def rest(self, asked_at: float) -> None:
        """Wait before somebody is refused who asked at `asked_at`, by time.monotonic."""
        self._sleep(max(0.0, asked_at + REFUSAL_SECONDS - time.monotonic()))

    @contextmanager
    def list_rows(self, account_sid: str, limits: Limits) -> Iterator[Callable[[Iterable[Row]], Iterator[Row]]]:
        """Hold the account's slot for one list: its rows go through what this yields, and are counted. Raises
        QuotaReached."""
        slot = self._list_slots.setdefault(account_sid, BoundedSemaphore())
        if not slot.acquire(timeout=LIST_SLOT_SECONDS):
            raise _too_many_rows(limits, LIST_SLOT_SECONDS)
        counted = 0

        def count(rows: Iterable[Row]) -> Iterator[Row]:
            nonlocal counted
            began = time.monotonic()
            for row in rows:
                counted += 1
                if counted % ROWS_PER_BREATH == 1 and counted > LONG_ROWS:
                    self._sleep(time.monotonic() - began)
                    began = time.monotonic()
                yield row

        try:
            missing = self._rows.missing_seconds(account_sid, limits.list_rows_per_second)
            if missing > 0:
                raise _too_many_rows(limits, missing)
            yield count
        finally:
            self._rows.take(account_sid, limits.list_rows_per_second, counted)
            slot.release()


def _too_many_rows(limits: Limits, seconds: float) -> QuotaReached:
    return reached("list_rows_per_second", limits, seconds * 1000)
