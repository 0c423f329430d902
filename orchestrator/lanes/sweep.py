"""Wakes lanes that nobody works on although they are due: retries, lanes of dead workers, wake-ups that were lost."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

from orchestrator.errors import Unavailable
from orchestrator.jobs.wakeups import Wakeups
from orchestrator.store.lanes import LaneStore

log = structlog.get_logger("lanes")


class Sweep:
    """Wakes what is due, beside the jobs in every worker, one for each kind; two that find the same lane do no harm."""

    INTERVAL_SECONDS = 0.5
    LANES_PER_ROUND = 1_000
    FORGOTTEN_SECONDS = 30.0
    """How often to search for lanes that are on no list; only a crash leaves some."""

    def __init__(self, store: LaneStore, wakeups: Wakeups, wall_clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._wakeups = wakeups
        self._wall_clock = wall_clock
        self._searched_at = 0.0

    def run(self, sleep: Callable[[float], object]) -> None:
        """Sweep for ever."""
        while True:
            try:
                self.once()
            except Unavailable as error:
                log.warning("sweep_failed", error=error.message)
            sleep(self.INTERVAL_SECONDS)

    def once(self) -> None:
        """Wake the lanes that are due, unless jobs are behind with those that are ready already; now and then list
        forgotten ones."""
        now = self._wall_clock()
        if now - self._searched_at >= self.FORGOTTEN_SECONDS:
            forgotten = self._store.save_forgotten(int(now * 1000))
            self._searched_at = now
            if forgotten:
                log.warning("lanes_found", lanes=forgotten)
        if self._wakeups.backlog() < self.LANES_PER_ROUND:
            due = self._store.list_due(int(now * 1000), self.LANES_PER_ROUND)
            if due:
                self._wakeups.wake(due)
