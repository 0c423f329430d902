"""Recordings as a kind of lane, and the child processes in which the work is done."""

from __future__ import annotations

import os
import sys
import time
from typing import Final

import orjson
from gevent import subprocess
from gevent.lock import BoundedSemaphore

from orchestrator.lanes.engine import Lease
from orchestrator.recordings.look import Looks, NotProcessed
from orchestrator.recordings.process import Job, Outcome

LOOKS_AT_ONCE: Final = 200
PROCESSES_AT_ONCE: Final = max(1, (os.cpu_count() or 1) // 2)
PROCESS_SECONDS: Final = 1800.0
SEEN: Final = ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH", "PYTHONPATH")
"""What a child sees of our environment, beside what boto3 reads (AWS_…)."""


class Watch:
    """One per worker process."""

    def __init__(self, looks: Looks) -> None:
        self._looks = looks

    def work(self, lease: Lease, _: object) -> int | None:
        """Look at a recording; returns when somebody has to look again (ms)."""
        seconds = self._looks.look(lease.lane)
        return None if seconds is None else int((time.time() + seconds) * 1000)


class Processor:
    """Runs `recordings.process` in child processes, as many at once as leave the machine room for calls."""

    def __init__(self) -> None:
        self._slots = BoundedSemaphore(PROCESSES_AT_ONCE)

    def process(self, job: Job) -> Outcome | None:
        """Do a job; None if all children are busy. Raises NotProcessed."""
        if not self._slots.acquire(blocking=False):
            return None
        try:
            return self._run(job)
        finally:
            self._slots.release()

    def _run(self, job: Job) -> Outcome:
        command = [sys.executable, "-m", "orchestrator.recordings.process"]
        names = [name for name in os.environ if name in SEEN or name.startswith("AWS_")]
        try:
            child = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={name: os.environ[name] for name in names},
            )
        except OSError as error:
            raise NotProcessed(str(error)) from error
        try:
            output, complaint = child.communicate(job.dump(), timeout=PROCESS_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise NotProcessed(f"not done in {PROCESS_SECONDS:.0f} s") from error
        finally:
            if child.poll() is None:
                child.kill()
        if child.returncode != 0:
            lines = complaint.decode("utf-8", "replace").strip().splitlines()
            raise NotProcessed((lines or [f"ended with {child.returncode}"])[-1][:300])
        found = orjson.loads(output)
        return Outcome(found["duration_ms"], tuple(map(tuple, found["sizes"])), found["error_code"])
