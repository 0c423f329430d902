"""RQ's side: a job says that lanes are ready; which ones stands in a list beside it.

RQ's own work for a job (1 to 4 ms) would be paid for every lane if each had a job of its own. So lanes that are woken
while a job waits to be taken share it: one lane, one job on an idle system; hundreds of lanes a job on a busy one.
The outbox is the truth: what is lost here (a crash, RQ's Redis away) is found by the sweep.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import gevent
import structlog
from gevent.event import Event
from rq import Queue
from rq.serializers import JSONSerializer

from orchestrator.errors import Unavailable
from orchestrator.store.connection import redis_errors
from orchestrator.store.outbox import Lane

QUEUE_NAME: Final = "callbacks"
READY: Final = "callbacks:ready"
"""List in RQ's Redis: lanes that a job has to drain. At most MOST_READY."""

WOKEN: Final = "callbacks:woken"
"""String in RQ's Redis: a job is on its way that will empty READY. Ends after WOKEN_SECONDS, should the job be lost."""

WOKEN_SECONDS: Final = 5
LANES_PER_JOB: Final = 200
MOST_READY: Final = 100_000
JOB_SECONDS: Final = 3600
"""A job's lanes are bounded in callbacks, each of them in time; this is far beyond, and ends what never should be."""

log = structlog.get_logger("callbacks")


class Wakeups:
    """Wakes lanes, and tells a job which. `queue` is RQ's; any worker of it may take the job."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._redis: Any = queue.connection

    def backlog(self) -> int:
        """How many lanes no job has taken yet."""
        with redis_errors():
            return int(self._redis.llen(READY))

    def wake(self, lanes: Sequence[Lane]) -> None:
        """Have these lanes drained soon. Never raises: a wake-up that is lost is found by the sweep."""
        try:
            with redis_errors():
                self._wake(lanes)
        except Unavailable as error:
            log.warning("wakeups_lost", error=error.message, lanes=len(lanes))

    def _wake(self, lanes: Sequence[Lane]) -> None:
        pipe = self._redis.pipeline(transaction=False)
        if lanes:
            pipe.rpush(READY, *(str(lane) for lane in lanes))
            pipe.ltrim(READY, -MOST_READY, -1)
        pipe.set(WOKEN, "1", nx=True, ex=WOKEN_SECONDS)
        if pipe.execute()[-1]:
            self._queue.enqueue(
                drain_ready, job_timeout=JOB_SECONDS, result_ttl=0, failure_ttl=3600, description="drain lanes"
            )

    def take(self) -> list[Lane]:
        """The lanes for one job, each once; if more are ready, another job is on its way to them."""
        with redis_errors():
            pipe = self._redis.pipeline(transaction=False)
            pipe.delete(WOKEN)
            pipe.lpop(READY, LANES_PER_JOB)
            pipe.llen(READY)
            _, found, left = pipe.execute()
        if left:
            self.wake(())
        return [Lane.parse(text.decode()) for text in dict.fromkeys(found or ())]


class BackgroundWaker:
    """Wakes lanes beside the greenlet that applies events: a slow RQ Redis must not hold up what is true."""

    def __init__(self, wakeups: Wakeups) -> None:
        self._wakeups = wakeups
        self._lanes: dict[Lane, None] = {}
        self._some = Event()

    def start(self) -> None:
        """Begin."""
        gevent.spawn(self._run)

    def wake(self, lanes: Sequence[Lane]) -> None:
        """Soon; returns at once. At most MOST_READY lanes wait here, the others are found by the sweep."""
        if len(self._lanes) < MOST_READY:
            self._lanes.update(dict.fromkeys(lanes))
        self._some.set()

    def _run(self) -> None:
        while True:
            self._some.wait()
            self._some.clear()
            lanes = list(self._lanes)
            self._lanes.clear()
            self._wakeups.wake(lanes)


Drain = Callable[[Sequence[Lane]], None]

_process: tuple[Wakeups, Drain] | None = None


def use(wakeups: Wakeups, drain: Drain) -> None:
    """Tell this worker process what its jobs run on."""
    global _process  # noqa: PLW0603 -- RQ calls a plain function by name; this is its one way to the process's objects
    _process = (wakeups, drain)


def drain_ready() -> None:
    """The job itself, as RQ calls it. It lasts until its lanes are drained, so RQ's registries tell the truth."""
    if _process is None:
        raise RuntimeError("this worker was not started by `orchestrator work`")
    wakeups, drain = _process
    drain(wakeups.take())


def make_queue(connection: object) -> Queue:
    """RQ's queue of wake-ups. JSON, so that a job's arguments are data and never code."""
    return Queue(QUEUE_NAME, connection=connection, serializer=JSONSerializer)  # type: ignore[arg-type]  # a Redis
