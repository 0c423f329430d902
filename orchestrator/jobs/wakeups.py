"""Wakes lanes: an RQ job says that some are ready; a list beside it says which.

RQ's own work for a job (1 to 4 ms) would be paid for every lane if each had a job of its own. So lanes that are woken
while a job waits to be taken share it: one lane, one job on an idle system; hundreds of lanes a job on a busy one. The
store is the truth: what is lost here (a crash, RQ's Redis away) is found by a sweep.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import gevent
import structlog
from gevent.event import Event
from rq import Queue
from rq.serializers import JSONSerializer

from orchestrator import logs
from orchestrator.errors import Unavailable
from orchestrator.store.connection import redis_errors

WOKEN_SECONDS: Final = 5
ITEMS_PER_JOB: Final = 200
MOST_READY: Final = 100_000
JOB_SECONDS: Final = 3600
"""When RQ ends a job: far beyond what its work takes, which is bounded in number and time."""

log = structlog.get_logger("jobs")


@dataclass(frozen=True, slots=True)
class Topic:
    """One kind of lane; its name is that of its RQ queue."""

    name: str

    @property
    def ready(self) -> str:
        """Return the key of a list in RQ's Redis: what a job has to look at, as text. At most MOST_READY."""
        return f"{self.name}:ready"

    @property
    def woken(self) -> str:
        """Return the key of a string in RQ's Redis that says that a job is on its way which will empty `ready`. It
        expires after WOKEN_SECONDS, should the job be lost."""
        return f"{self.name}:woken"


class Wakeups:
    """Wakes lanes of one topic, and tells a job which. `queue` is RQ's; any worker of it may take the job."""

    def __init__(self, queue: Queue, topic: Topic) -> None:
        self._queue = queue
        self._topic = topic
        self._redis: Any = queue.connection

    def backlog(self) -> int:
        """Return how many lanes are ready that no job has taken yet."""
        with redis_errors():
            return int(self._redis.llen(self._topic.ready))

    def wake(self, items: Sequence[object]) -> None:
        """Have these lanes looked at soon. Never raises: a wake-up that is lost is found by a sweep."""
        try:
            with redis_errors():
                self._wake(items)
        except Unavailable as error:
            log.warning("wakeups_lost", topic=self._topic.name, error=error.message, items=len(items))

    def _wake(self, items: Sequence[object]) -> None:
        pipe = self._redis.pipeline(transaction=False)
        if items:
            pipe.rpush(self._topic.ready, *map(_text, items))
            pipe.ltrim(self._topic.ready, -MOST_READY, -1)
        pipe.set(self._topic.woken, "1", nx=True, ex=WOKEN_SECONDS)
        if pipe.execute()[-1]:
            self._queue.enqueue(
                run_ready,
                self._topic.name,
                job_timeout=JOB_SECONDS,
                result_ttl=0,
                failure_ttl=3600,
                description=self._topic.name,
            )

    def take(self) -> list[str]:
        """Take what one job has to look at, each once; if more is ready, another job is on its way to it."""
        with redis_errors():
            pipe = self._redis.pipeline(transaction=False)
            pipe.delete(self._topic.woken)
            pipe.lpop(self._topic.ready, ITEMS_PER_JOB)
            pipe.llen(self._topic.ready)
            _, found, left = pipe.execute()
        if left:
            self.wake(())
        return list({text.partition(" ")[0]: text for text in map(bytes.decode, found or ())}.values())


def _text(item: object) -> str:
    """Write an item, and behind it the request that woke it, for the lines that the job logs."""
    request_id = logs.request_id()
    return f"{item} {request_id}" if request_id else str(item)


class BackgroundWaker:
    """Wakes in a greenlet of its own: a slow RQ Redis must not hold up the events that the caller commits."""

    def __init__(self, wakeups: Wakeups) -> None:
        self._wakeups = wakeups
        self._items: dict[str, None] = {}
        self._some = Event()

    def start(self) -> None:
        """Start the greenlet that wakes."""
        gevent.spawn(self._run)

    def wake(self, items: Sequence[object]) -> None:
        """Have these lanes looked at soon; returns at once. At most MOST_READY wait here, a sweep finds the others."""
        if len(self._items) < MOST_READY:
            self._items.update((_text(item), None) for item in items)
        if self._items:
            self._some.set()

    def _run(self) -> None:
        while True:
            self._some.wait()
            self._some.clear()
            items = list(self._items)
            self._items.clear()
            self._wakeups.wake(items)


Work = Callable[[Sequence[str]], None]

_process: dict[str, tuple[Wakeups, Work]] = {}
"""RQ calls a plain function by name; this is its one way to the process's objects."""


def use(topic: Topic, wakeups: Wakeups, work: Work) -> None:
    """Tell this worker process what the jobs of a topic run on."""
    _process[topic.name] = (wakeups, work)


def run_ready(name: str) -> None:
    """Work on the lanes of a topic that are ready: the job, as RQ calls it. It lasts until its work is done, so RQ's
    registries tell the truth."""
    if name not in _process:
        raise RuntimeError("this worker was not started by `orchestrator work`")
    wakeups, work = _process[name]
    work(wakeups.take())


CALLBACKS: Final = Topic("callbacks")
PLAYBACK: Final = Topic("playback")
RECORDINGS: Final = Topic("recordings")
DIALLING: Final = Topic("dialling")
TOPICS: Final = (DIALLING, PLAYBACK, CALLBACKS, RECORDINGS)
"""All topics, in the order in which a worker takes their jobs."""


def make_queue(topic: Topic, connection: object) -> Queue:
    """Make RQ's queue of a topic. JSON, so that a job's arguments are data and never code."""
    return Queue(topic.name, connection=connection, serializer=JSONSerializer)  # type: ignore[arg-type]  # a Redis
