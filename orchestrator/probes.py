"""What `orchestrator check` and `/readyz` look at."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from orchestrator.errors import Unavailable
from orchestrator.health import Readiness
from orchestrator.jobs.wakeups import CALLBACKS
from orchestrator.settings import Settings
from orchestrator.store.connection import reason_of, redis_errors
from orchestrator.wiring.queues import build_queue
from orchestrator.wiring.stores import build_node_store, build_processes, build_registry

_LIKENESS: Final = 0.88
"""One letter of REDIS_URL is another; no name of freeswitch-conf's and of compose.yaml's is as near to one of ours."""

_OTHERS: Final = tuple(f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT" for signal in ("LOGS", "METRICS", "TRACES"))
"""OpenTelemetry's, which are as near."""


def needed(settings: Settings) -> Iterator[tuple[bool, str]]:
    """Check the settings without which nothing works."""
    nodes = ", ".join(f"{node.name}={node.host}:{node.port}" for node in settings.freeswitch_nodes)
    yield bool(nodes), f"FREESWITCH_NODES {nodes or 'is not set'}"
    is_set = bool(settings.freeswitch_password)
    yield is_set, f"FREESWITCH_PASSWORD {'is set' if is_set else 'is not set'}"


def misspelt(environment: Iterable[str]) -> Iterator[tuple[bool, str]]:
    """List variables that are nobody's setting, and nearly one of ours."""
    known = [name.upper() for name in Settings.model_fields]
    for name in sorted(environment):
        plain = name.removesuffix("_FILE")
        near = difflib.get_close_matches(plain, known, 1, _LIKENESS)
        if near and plain not in (*known, *_OTHERS):
            yield False, f"{name} is set, and no setting: {near[0]}?"


def build_queue_probe(settings: Settings) -> Callable[[], str | None]:
    """Build a test of RQ's Redis: None, or what is wrong."""

    def probe() -> str | None:
        try:
            with redis_errors():
                build_queue(settings, CALLBACKS).connection.ping()
        except Unavailable as error:
            return reason_of(error)
        return None

    return probe


def regions_of(settings: Settings) -> Iterator[tuple[bool, str]]:
    """Check each Region that is mapped: wrong is one whose creates find no node."""
    registry = build_registry(settings)
    rows = [row for row in registry.list_nodes() if row.state == "active"]
    for region, group in sorted(registry.list_regions().items()):
        names = ", ".join(row.name for row in rows if row.is_of(group))
        of_group = f" of the group {group}" if group else ""
        yield bool(names), f"Region {region} goes to the nodes{of_group}: {names or 'none takes new conferences'}"


def build_readiness(settings: Settings) -> Readiness:
    """Build the check of whether the deployment can do its work."""
    registry = build_registry(settings)

    def names() -> list[str]:
        return [row.name for row in registry.list_nodes()]

    wrong = [text for is_fine, text in needed(settings) if not is_fine]
    return Readiness(names, build_node_store(settings), build_processes(settings), build_queue_probe(settings), wrong)
