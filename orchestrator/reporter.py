"""Tells Redis every two seconds that this process lives, what it has counted, and what has gone wrong lately."""

from __future__ import annotations

import contextlib
import time

import gevent

from orchestrator import logs, metrics
from orchestrator.errors import Unavailable
from orchestrator.process_name import process_name
from orchestrator.store.processes import LogLine, ProcessReport, ProcessStore

INTERVAL_SECONDS = 2.0


class Reporter:
    """One per process. Redis being away is said by those who need it."""

    def __init__(self, store: ProcessStore, kind: str) -> None:
        self._store = store
        self._kind = kind
        self._name = process_name()
        self._started_ms = int(time.time() * 1000)

    def start(self) -> None:
        """Begin to report, beside whatever this process does: if its loop hangs, so does this."""
        gevent.spawn(self._run)

    def stop(self) -> None:
        """Say that the process ends as it should."""
        with contextlib.suppress(Unavailable):
            self._store.delete(self._name)

    def once(self) -> None:
        """Report now. Raises Unavailable."""
        metrics.REDIS_SECONDS.observe(self._store.ping_seconds())
        trouble = tuple(LogLine(*line) for line in logs.recent_trouble())
        now_ms = int(time.time() * 1000)
        self._store.save(ProcessReport(self._name, self._kind, self._started_ms, now_ms, metrics.exposition(), trouble))

    def _run(self) -> None:
        while True:
            with contextlib.suppress(Unavailable):
                self.once()
            gevent.sleep(INTERVAL_SECONDS)
