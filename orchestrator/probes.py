"""What `orchestrator check` looks at."""

from __future__ import annotations

from collections.abc import Callable

from orchestrator.errors import Unavailable
from orchestrator.jobs.wakeups import CALLBACKS
from orchestrator.settings import Settings
from orchestrator.store.connection import connect, redis_errors
from orchestrator.store.memory import Memory
from orchestrator.store.nodes import NodeStore
from orchestrator.wiring import build_queue


def build_memory(settings: Settings) -> Memory:
    """Redis' memory."""
    return Memory(connect(settings.redis_url))


def build_node_store(settings: Settings) -> NodeStore:
    """What the listeners last said of their nodes."""
    return NodeStore(connect(settings.redis_url))


def build_queue_probe(settings: Settings) -> Callable[[], str | None]:
    """A test of RQ's Redis: None, or what is wrong."""

    def probe() -> str | None:
        try:
            with redis_errors():
                build_queue(settings, CALLBACKS).connection.ping()
        except Unavailable as error:
            return type(error.__cause__ or error).__name__
        return None

    return probe
