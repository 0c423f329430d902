"""Makes recordings a kind of lane, and runs the child processes that do the work."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from typing import IO, Final, cast

import gevent
import orjson
from gevent import subprocess
from gevent.lock import BoundedSemaphore

from orchestrator.lanes.engine import LaneLease
from orchestrator.recordings.look import Looks, NotProcessed
from orchestrator.recordings.process import Job, JobResult

LOOKS_AT_ONCE: Final = 200
WAITING_AT_MOST: Final = LOOKS_AT_ONCE // 2
"""Most looks that wait for a child: the others are left for recordings that are under way."""

CHILDREN_AT_ONCE: Final = max(1, (os.cpu_count() or 1) // 2)
"""Most children at once, so that the machine has room for calls."""

JOB_SECONDS: Final = 1800.0
JOBS_EACH: Final = 500
IDLE_SECONDS: Final = 30.0
"""How long an idle child is kept: it takes half a second to start, and a short recording a tenth of that."""

SEEN: Final = ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH", "PYTHONPATH")
"""What a child sees of our environment, beside what boto3 reads (AWS_…)."""


class Watch:
    """Looks after recordings in lanes. One per worker process."""

    def __init__(self, looks: Looks) -> None:
        self._looks = looks

    def work(self, lease: LaneLease, _: object) -> int | None:
        """Look at a recording; returns when somebody has to look again (ms)."""
        seconds = self._looks.look(lease.lane)
        return None if seconds is None else int((time.time() + seconds) * 1000)


class Child:
    """A process that runs `recordings.process`, for one job after the other. Raises OSError if it cannot be started."""

    def __init__(self) -> None:
        names = [name for name in os.environ if name in SEEN or name.startswith("AWS_")]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "orchestrator.recordings.process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={name: os.environ[name] for name in names},
        )
        self._input = cast("IO[bytes]", self._process.stdin)
        self._output = cast("IO[bytes]", self._process.stdout)
        self.jobs = 0

    def do(self, job: Job) -> JobResult:
        """Have a job done. After NotProcessed the child is of no further use."""
        self.jobs += 1
        answer: bytes = gevent.with_timeout(JOB_SECONDS, self._ask, job.dump() + b"\n", timeout_value=b"")
        if not answer.endswith(b"\n"):
            raise NotProcessed(f"its process has died, or took more than {JOB_SECONDS:.0f} s")
        found = orjson.loads(answer)
        if "error" in found:
            raise NotProcessed(found["error"])
        return JobResult(found["duration_ms"], tuple(map(tuple, found["sizes"])), found["error_code"])

    def _ask(self, line: bytes) -> bytes:
        with contextlib.suppress(BrokenPipeError):
            self._input.write(line)
            self._input.flush()
            return self._output.readline()
        return b""

    @property
    def is_usable(self) -> bool:
        """Return whether the child can take another job."""
        return self.jobs < JOBS_EACH and self._process.poll() is None

    def end(self) -> None:
        """End the child, whatever it does."""
        self._process.kill()
        for pipe in (self._input, self._output):
            with contextlib.suppress(BrokenPipeError):  # what it never read
                pipe.close()
        self._process.wait()


class Processor:
    """Has jobs done by a few children, which are kept while there is something to do."""

    def __init__(self) -> None:
        self._slots = BoundedSemaphore(CHILDREN_AT_ONCE)
        self._waiting = 0
        self._idle: list[Child] = []

    def process(self, job: Job) -> JobResult | None:
        """Do a job, after those that came before; None if too many wait. Raises NotProcessed."""
        if self._waiting >= WAITING_AT_MOST:
            return None
        self._waiting += 1
        try:
            with self._slots:
                return self._run(job)
        finally:
            self._waiting -= 1

    def _run(self, job: Job) -> JobResult:
        try:
            child = self._take()
        except OSError as error:
            raise NotProcessed(str(error)) from error
        is_done = False
        try:
            result = child.do(job)
            is_done = True
        finally:
            if is_done and child.is_usable:
                self._idle.append(child)
                gevent.spawn_later(IDLE_SECONDS, self._end_if_idle, child, child.jobs)
            else:
                child.end()
        return result

    def _take(self) -> Child:
        while self._idle:
            child = self._idle.pop()
            if child.is_usable:
                return child
            child.end()
        return Child()

    def _end_if_idle(self, child: Child, jobs: int) -> None:
        if child in self._idle and child.jobs == jobs:
            self._idle.remove(child)
            child.end()
