"""Wakes lanes that nobody works on although they are due: retries, lanes of dead workers, wake-ups that were lost."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import structlog

from orchestrator.errors import Unavailable
from orchestrator.jobs.wakeups import Wakeups
from orchestrator.store.outbox import OutboxStore

log = structlog.get_logger("callbacks")


class Sweep:
    """Runs beside the jobs in every worker; two that find the same lane wake it twice, which does no harm."""

    INTERVAL_SECONDS: Final = 0.5
    LANES_PER_ROUND: Final = 1_000
    FORGOTTEN_SECONDS: Final = 30.0
    """How often all open conferences are searched for lanes that are on no list: only after a crash there is one."""

    def __init__(self, outbox: OutboxStore, wakeups: Wakeups, wall_clock: Callable[[], float] = time.time) -> None:
        self._outbox = outbox
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
        """One round. While jobs are behind with what is ready already, adding to it would help nobody."""
        now = self._wall_clock()
        if now - self._searched_at >= self.FORGOTTEN_SECONDS:
            forgotten = self._outbox.save_forgotten(int(now * 1000))
            self._searched_at = now
            if forgotten:
                log.warning("lanes_found", lanes=forgotten)
        if self._wakeups.backlog() < self.LANES_PER_ROUND:
            due = self._outbox.list_due(int(now * 1000), self.LANES_PER_ROUND)
            if due:
                self._wakeups.wake(due)
