"""Makes the end of an announcement a fact: through the same `apply` and commit as an event of the switch."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from orchestrator.applier import Applier
from orchestrator.domain.conference import ConferenceStatus
from orchestrator.domain.events import AnnouncementEnded, AnnouncementFailed
from orchestrator.freeswitch.events import Translated
from orchestrator.store.commits import CommitStore
from orchestrator.store.outbox import Lane


class Outcomes:
    """One per worker process."""

    def __init__(self, store: CommitStore, make_applier: Callable[[], Applier]) -> None:
        self._store = store
        self._make_applier = make_applier

    def tell(self, lane: Lane, event: AnnouncementEnded | AnnouncementFailed) -> None:
        """Have the client told, unless its conference is over: nothing comes after its end. Raises Unavailable."""
        sid = lane.conference_sid
        found, _ = self._store.load((), [sid])
        is_over = sid not in found or found[sid].conference.status is ConferenceStatus.COMPLETED
        carrier = lane.name
        if event.to_all and not is_over:
            carrier = next((call_sid for call_sid, _ in self._store.list_members(sid)), "")
        structlog.get_logger("sounds").info(
            "announcement_over", lane=str(lane), what=type(event).__name__, told=bool(carrier and not is_over)
        )
        if carrier and not is_over:
            self._make_applier().apply_events([Translated(carrier, sid, event)])
