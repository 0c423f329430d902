"""Builds RQ's queues, and what wakes lanes through them."""

from __future__ import annotations

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from rq import Queue

from orchestrator.jobs.wakeups import BackgroundWaker, Topic, Wakeups, make_queue
from orchestrator.listener.committer import Wake
from orchestrator.settings import Settings
from orchestrator.store.connection import DEADLINE_SECONDS, make_pool


def build_queue(settings: Settings, topic: Topic) -> Queue:
    """Build RQ's queue of a topic, for processes that wake lanes. RQ keeps bytes, so it has a connection of its own;
    its waits end, too."""
    pool = make_pool(
        settings.rq_url,
        timeout=DEADLINE_SECONDS,
        socket_connect_timeout=DEADLINE_SECONDS,
        socket_timeout=DEADLINE_SECONDS,
        retry=Retry(NoBackoff(), 1),
    )
    return make_queue(topic, Redis(connection_pool=pool))


def start_waker(settings: Settings, topic: Topic) -> Wake:
    """Start what wakes lanes of a topic in the background."""
    waker = BackgroundWaker(Wakeups(build_queue(settings, topic), topic))
    waker.start()
    return waker.wake
