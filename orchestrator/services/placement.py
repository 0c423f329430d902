"""Chooses the node of a new conference: within a group of nodes by `SELECT`, the row to exchange for another way of
choosing."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from orchestrator.errors import BadParameter
from orchestrator.freeswitch.capacity import SHOWN_SECONDS, Capacity
from orchestrator.freeswitch.client import NodeUnavailable
from orchestrator.freeswitch.nodes import Nodes
from orchestrator.store.nodes import NodeStore
from orchestrator.store.registry import NodeRegistry

BUSY_PERCENT: Final = (90, 75, 50, 0)
"""Steps in which a host's busy CPUs count: below half they say nothing of how many more calls it takes, and they rise
and fall with all that it does."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A node that takes new conferences. `capacity`: what it said last, None if it has said nothing yet; `young`: calls
    of any process that were asked for and do not show there yet, also because they wait for their slot."""

    name: str
    capacity: Capacity | None
    young: int = 0

    @property
    def has_room(self) -> bool:
        """Return whether the node takes another call, as far as is known."""
        return self.capacity is None or self.capacity.free_sessions > self.young

    @property
    def load(self) -> tuple[float, float]:
        """Return how full the node is, from 0, idle, to 1, full: of what is used up first; and of sessions. 1 of one
        that has said nothing yet."""
        if self.capacity is None:
            return 1.0, 1.0
        busy = next(step for step in BUSY_PERCENT if 100 - self.capacity.idle_percent >= step) / 100
        sessions = (self.capacity.sessions + self.young) / max(1, self.capacity.most_sessions)
        return max(sessions, busy), sessions


Selector = Callable[[Sequence[Candidate]], Candidate]


def least_loaded(candidates: Sequence[Candidate]) -> Candidate:
    """Return the one that has most left; of several any, so that processes do not all take the same."""
    least = min(candidate.load for candidate in candidates)
    return random.choice([one for one in candidates if one.load == least])  # noqa: S311 -- keeps no secret


SELECT: Final[Selector] = least_loaded


class Placement:
    """Chooses nodes for new conferences. One per process."""

    def __init__(self, nodes: Nodes, registry: NodeRegistry, store: NodeStore, select: Selector = SELECT) -> None:
        self._nodes = nodes
        self._registry = registry
        self._store = store
        self._select = select

    def find_group(self, region: str | None, kept_to: str) -> str:
        """Return the group of nodes for a create's Region, of an account that is kept to a group ('': to none). Raises
        BadParameter of a region that nobody has mapped, and of one that leads out of the account's group."""
        if region is None:
            return kept_to
        group = self._registry.list_regions().get(region)
        if group is None:
            raise BadParameter(f"Region: there are no nodes in {region} here")
        if group and kept_to not in ("", group):
            raise BadParameter(f"Region: this account has no nodes in {region}")
        return group or kept_to

    def choose(self, group: str = "") -> str:
        """Return the name of a connected node of a group ('': of any). Raises NodeUnavailable, Unavailable."""
        rows = [row for row in self._registry.list_nodes() if row.state == "active" and row.is_of(group)]
        connected = set(self._nodes.connected_names())
        found = [Candidate(row.name, self._nodes.get(row.name).capacity) for row in rows if row.name in connected]
        if not found:
            of_group = f" of the group {group}" if group else ""
            raise NodeUnavailable(f"No FreeSWITCH node{of_group} is reachable and takes new conferences")
        if len(found) > 1:
            # What its listener does not see is told as lost, whatever we can reach: people would talk unseen there.
            away = self._store.list_away([one.name for one in found])
            found = self._count_young([one for one in found if one.name not in away] or found)
            found = [candidate for candidate in found if candidate.has_room] or found
        return self._select(found).name

    def _count_young(self, found: Sequence[Candidate]) -> list[Candidate]:
        now = time.monotonic()
        unshown_seconds = {
            one.name: now - one.capacity.read_at + SHOWN_SECONDS for one in found if one.capacity is not None
        }
        young = self._store.count_young(unshown_seconds)
        return [Candidate(one.name, one.capacity, young.get(one.name, 0)) for one in found]
