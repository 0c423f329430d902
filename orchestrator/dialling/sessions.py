"""What a node can take: a call is counted just before it is dialled, for the switch itself shows it later."""

from __future__ import annotations

import time

from orchestrator.domain.conference import Participant
from orchestrator.errors import NodeFull
from orchestrator.freeswitch.capacity import SHOWN_SECONDS
from orchestrator.freeswitch.nodes import Nodes
from orchestrator.store.quotas import QuotaStore, Room


class Sessions:
    """Counts the sessions of all nodes."""

    def __init__(self, nodes: Nodes, quotas: QuotaStore) -> None:
        self._nodes = nodes
        self._quotas = quotas

    def reserve(self, participant: Participant) -> None:
        """Count a call that its node is about to have. Raises NodeFull, Unavailable."""
        node = participant.switch.node
        capacity = self._nodes.get(node).capacity
        if capacity is None:
            return  # it has just come back, or is about to be found away
        age_ms = int((time.monotonic() - capacity.read_at + SHOWN_SECONDS) * 1000)
        room = Room(capacity.free_sessions, age_ms, capacity.dialled_per_second)
        if not self._quotas.reserve_session(node, participant.call_sid, room):
            raise NodeFull("The switch takes no further call at present: try again")
