"""An RQ worker that runs many jobs at once on gevent.

Delivering a callback is waiting for a receiver: RQ's own workers run one job at a time, so one receiver that takes
15 s would hold up everybody else's callbacks. The loop, the registries and the heartbeats stay RQ's own.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

import gevent
import structlog
from gevent.pool import Pool
from rq import Queue, SimpleWorker
from rq.exceptions import StopRequested
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.timeouts import BaseDeathPenalty

from orchestrator.errors import Unavailable
from orchestrator.store.connection import redis_errors

JOBS_AT_ONCE: Final = 4000
"""More than there are lanes at once: those are what is bounded, fairly, by `drain`."""

LOOP_AGAIN_SECONDS: Final = 0.5
SILENT_SECONDS: Final = 2
"""How long Redis may say nothing when there is no job; after twice as long it counts as away. RQ would wait for seven
minutes: a host that is gone does not say so."""

STOP_SECONDS: Final = 20.0
"""How long a stopping worker waits for attempts under way; what is left is delivered again by another one."""


log = structlog.get_logger("jobs")


class GeventDeathPenalty(BaseDeathPenalty):
    """Ends a job at RQ's timeout without SIGALRM, which would hit whichever job is running."""

    def setup_death_penalty(self) -> None:
        """Start the clock of the job's timeout."""
        self._timer = gevent.Timeout(self._timeout, self._exception("job ran longer than its timeout"))
        self._timer.start()

    def cancel_death_penalty(self) -> None:
        """Stop the clock of the job's timeout."""
        self._timer.close()


class GeventWorker(SimpleWorker):
    """`execute_job` starts a greenlet instead of doing the work itself; a full pool makes the loop wait. RQ keeps an
    execution record per job, so that one worker can have many."""

    death_penalty_class = GeventDeathPenalty
    max_connection_wait_time = 2.0

    def __init__(self, queues: Sequence[Queue], on_stop: Callable[[], object]) -> None:
        super().__init__(queues, connection=queues[0].connection, serializer=JSONSerializer, log_job_description=False)
        self._jobs = Pool(JOBS_AT_ONCE)
        self.told_to_stop = False
        self._on_stop = on_stop

    @property
    def dequeue_timeout(self) -> int:
        """Return how long Redis waits for a job, in seconds."""
        return SILENT_SECONDS

    @property
    def connection_timeout(self) -> int:
        """Return how long Redis is waited for, in seconds."""
        return 2 * SILENT_SECONDS

    def _install_signal_handlers(self) -> None:
        """Install handlers that raise in the loop, which then winds up; RQ's raise inside whatever greenlet runs."""
        loop = gevent.getcurrent()

        def stop() -> None:
            self.told_to_stop = True
            self._on_stop()
            gevent.kill(loop, StopRequested)

        for number in (signal.SIGTERM, signal.SIGINT):
            gevent.signal_handler(number, stop)

    def execute_job(self, job: Job, queue: Queue) -> None:
        """Run the job beside the others."""
        self._jobs.wait_available()
        self._jobs.spawn(self._run, job, queue)

    def _run(self, job: Job, queue: Queue) -> None:
        try:
            with redis_errors():
                self.perform_job(job, queue, self.prepare_execution(job))
        except Unavailable as error:
            # Bookkeeping that RQ could not write; the lanes themselves are found by the sweep.
            log.warning("job_not_recorded", job=job.id, error=error.message)

    def teardown(self) -> None:
        """Let attempts under way finish if this process is to stop, then sign off. When Redis has been silent another
        loop begins, beside them."""
        if self.told_to_stop:
            self._jobs.join(timeout=STOP_SECONDS)
        super().teardown()  # type: ignore[no-untyped-call]  # RQ's own is untyped


def work_for_ever(queues: Sequence[Queue], on_stop: Callable[[], object], sleep: Callable[[float], object]) -> None:
    """Take jobs, those of the first queue first, until this process is told to stop. A loop that RQ gives up, because
    its Redis is away at the wrong moment, is begun again: clients were promised their callbacks."""
    with suppress(StopRequested):  # told so during the pause
        while not _work_until_stopped(queues, on_stop):
            sleep(LOOP_AGAIN_SECONDS)


def _work_until_stopped(queues: Sequence[Queue], on_stop: Callable[[], object]) -> bool:
    """Run one loop of RQ's worker. Returns False if it has ended for another reason than a stop."""
    worker: GeventWorker | None = None
    try:
        with redis_errors():
            worker = GeventWorker(queues, on_stop)  # RQ asks Redis already here
            log.info("worker_loop_starting", name=worker.name)
            worker.work(logging_level="WARNING")
    except Unavailable as error:
        log.error("store_unreachable", error=error.message)
    if worker is not None and worker.told_to_stop:
        return True
    log.error("worker_loop_ended")
    return False
