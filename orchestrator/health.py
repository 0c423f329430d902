"""Whether a deployment can do its work: what `/readyz` of every process answers, and the first lines of `check`."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from orchestrator.errors import Unavailable
from orchestrator.store.nodes import NodeStore
from orchestrator.store.processes import ProcessStore

ASKED_SECONDS: Final = 1.0
"""Whoever asks more often is told what was found last."""

Problem = str


class Readiness:
    """Asks Redis only: each process says of itself that it lives, and the listener of each node that it follows it."""

    def __init__(
        self,
        list_nodes: Callable[[], Sequence[str]],
        listeners: NodeStore,
        processes: ProcessStore,
        probe_queue: Callable[[], str | None],
        settings: Sequence[Problem] = (),
    ) -> None:
        """`settings`: what is wrong with those, which a process reads once."""
        self._list_nodes = list_nodes
        self._listeners = listeners
        self._processes = processes
        self._probe_queue = probe_queue
        self._settings = settings
        self._asked_at = float("-inf")
        self._found: list[Problem] = []

    def problems(self) -> list[Problem]:
        """List one line for each thing that is missing; none: ready."""
        now = time.monotonic()
        if now >= self._asked_at + ASKED_SECONDS:
            self._found = self._look()
            self._asked_at = now
        return self._found

    def _look(self) -> list[Problem]:
        found: list[Problem] = list(self._settings)
        try:
            if not self._processes.count_kinds().get("work"):
                found.append("no worker runs: callbacks and music wait (orchestrator work)")
            names = self._list_nodes()
            if not names:
                found.append("there is no node: FREESWITCH_NODES, orchestrator nodes add")
            for name in names:
                seen = self._listeners.load_node(name)
                if not seen:
                    found.append(f"node {name} has no listener: run `orchestrator listen`")
                elif seen.get("connected") != "1":
                    found.append(f"node {name} is not connected: {problem_of(seen)}")
        except Unavailable as error:
            return [*self._settings, f"Redis: {error.message}"]
        problem = self._probe_queue()
        if problem is not None:
            found.append(f"RQ's Redis is not reachable: {problem}")
        return found


def problem_of(seen: Mapping[str, str]) -> Problem:
    """Return, as one line, why the listener of a node is not connected to it."""
    return " ".join(seen.get("problem", "").split()) or "no reason is known"
