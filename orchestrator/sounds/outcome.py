"""Makes the end of an announcement a fact: through the same `apply` and commit as an event of the switch."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from orchestrator.domain.events import AnnouncementEnded, AnnouncementFailed
from orchestrator.freeswitch.events import Translated
from orchestrator.freeswitch.nodes import Nodes
from orchestrator.listener.coaching import Send
from orchestrator.listener.committer import Committer
from orchestrator.store.commits import CommitStore
from orchestrator.store.outbox import Lane


class Outcomes:
    """One per worker process."""

    def __init__(self, store: CommitStore, nodes: Nodes, make_committer: Callable[[Send], Committer]) -> None:
        self._store = store
        self._nodes = nodes
        self._make_committer = make_committer

    def tell(self, lane: Lane, event: AnnouncementEnded | AnnouncementFailed) -> None:
        """Have the client told, one to all through anybody of the conference; if nobody is left, it is over. Raises
        Unavailable."""
        sid, carrier = lane.conference_sid, lane.name
        if event.to_all:
            carrier = next((one.call_sid for one in self._store.list_live(sid)), "")
        structlog.get_logger("sounds").info("announcement_over", lane=str(lane), what=type(event).__name__)
        conferences, _ = self._store.load((), [sid] if carrier else [])
        if sid in conferences:
            send = self._nodes.get(conferences[sid].conference.node).send
            self._make_committer(send).commit_events([Translated(carrier, sid, event)])
