"""Finds lanes that have to be looked at although nobody said so: lost wake-ups, dead workers, ends that nobody saw."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import structlog

from orchestrator.errors import Unavailable
from orchestrator.jobs.wakeups import Wakeups
from orchestrator.store.sounds import SoundStore

INTERVAL_SECONDS: Final = 0.5
LANES_PER_ROUND: Final = 1_000

log = structlog.get_logger("sounds")


class SoundSweep:
    """Runs beside the jobs in every worker; two that find the same lane do no harm."""

    def __init__(self, store: SoundStore, wakeups: Wakeups) -> None:
        self._store = store
        self._wakeups = wakeups

    def run(self, sleep: Callable[[float], object]) -> None:
        """Sweep for ever."""
        while True:
            try:
                due = self._store.list_due(int(time.time() * 1000), LANES_PER_ROUND)
                if due:
                    self._wakeups.wake(due)
            except Unavailable as error:
                log.warning("sweep_failed", error=error.message)
            sleep(INTERVAL_SECONDS)
