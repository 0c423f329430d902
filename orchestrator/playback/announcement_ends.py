"""Makes the end of an announcement a fact, through the same `apply` and commit as an event of the switch."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from orchestrator.domain.events import AnnouncementEnded, AnnouncementFailed, Happened
from orchestrator.freeswitch.nodes import Nodes
from orchestrator.listener.coaching import Send
from orchestrator.listener.committer import Committer
from orchestrator.store.commits import CommitStore
from orchestrator.store.lanes import Lane
from orchestrator.store.playback import CONFERENCE_LANE


class AnnouncementEnds:
    """Reports the ends of announcements. One per worker process."""

    def __init__(self, store: CommitStore, nodes: Nodes, make_committer: Callable[[Send], Committer]) -> None:
        self._store = store
        self._nodes = nodes
        self._make_committer = make_committer

    def report(self, lane: Lane, event: AnnouncementEnded | AnnouncementFailed) -> None:
        """Make an announcement's end a fact, of the conference if all were to hear it, else of a call, and so have the
        client told. Raises Unavailable."""
        sid = lane.sid
        structlog.get_logger("playback").info("announcement_over", lane=str(lane), what=type(event).__name__)
        conferences, _ = self._store.load((), [sid])
        if sid in conferences:
            send = self._nodes.get(conferences[sid].conference.node).send
            subject = sid if lane.name == CONFERENCE_LANE else lane.name
            self._make_committer(send).commit_events([Happened(subject, sid, event)])
