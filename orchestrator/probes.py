"""What `orchestrator check` looks at."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from orchestrator.errors import Unavailable
from orchestrator.health import Readiness
from orchestrator.jobs.wakeups import CALLBACKS
from orchestrator.settings import Settings
from orchestrator.store.backlog import Backlog
from orchestrator.store.connection import connect, reason_of, redis_errors
from orchestrator.store.memory import Memory
from orchestrator.store.nodes import NodeStore
from orchestrator.store.processes import ProcessStore
from orchestrator.wiring import build_queue, build_registry


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
            return reason_of(error)
        return None

    return probe


def regions_of(settings: Settings) -> Iterator[tuple[bool, str]]:
    """A line for each Region that is mapped: wrong is one whose creates find no node."""
    registry = build_registry(settings)
    rows = [row for row in registry.list_nodes() if row.state == "active"]
    for region, group in sorted(registry.list_regions().items()):
        names = ", ".join(row.name for row in rows if row.is_of(group))
        of_group = f" of the group {group}" if group else ""
        yield bool(names), f"Region {region} goes to the nodes{of_group}: {names or 'none takes new conferences'}"


def build_processes(settings: Settings) -> ProcessStore:
    """Which processes live."""
    return ProcessStore(connect(settings.redis_url))


def build_backlog(settings: Settings) -> Backlog:
    """What waits."""
    return Backlog(connect(settings.redis_url))


def build_readiness(settings: Settings) -> Readiness:
    """Whether the deployment can do its work."""
    client = connect(settings.redis_url)
    registry = build_registry(settings)

    def names() -> list[str]:
        return [row.name for row in registry.list_nodes()]

    return Readiness(names, NodeStore(client), ProcessStore(client), build_queue_probe(settings))
