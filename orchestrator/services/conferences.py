"""DOWN, for conferences: read and list them, announce to everybody, end them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

import structlog

from orchestrator import logs
from orchestrator.domain.conference import TWILIO, Conference, ConferenceStatus
from orchestrator.errors import ConferenceNotInProgress
from orchestrator.freeswitch.client import CommandRefused
from orchestrator.freeswitch.commands import HangUpMembers
from orchestrator.freeswitch.nodes import Nodes
from orchestrator.listener.coaching import Send
from orchestrator.listener.committer import Committer
from orchestrator.outgoing.addressing import shown
from orchestrator.services.confirmation import act_until, end_call
from orchestrator.store.conference_list import ConferenceFilter, Place, Seen
from orchestrator.store.conferences import ConferenceStore
from orchestrator.store.lanes import Lane
from orchestrator.store.playback import CONFERENCE_LANE, PlaybackStore

log = structlog.get_logger("conferences")


class ConferenceService:
    """Reads and ends conferences. `account_sid` is always the authenticated account."""

    def __init__(
        self,
        store: ConferenceStore,
        nodes: Nodes,
        sounds: PlaybackStore,
        make_committer: Callable[[Send], Committer],
        wake_sounds: Callable[[Sequence[object]], None],
    ) -> None:
        self._store = store
        self._make_committer = make_committer
        self._nodes = nodes
        self._sounds = sounds
        self._wake_sounds = wake_sounds

    def fetch_conference(self, account_sid: str, conference_sid: str) -> Conference:
        """Return a conference, also a completed one. Raises NotFound."""
        return self._store.load_conference(account_sid, conference_sid)

    def list_conferences(
        self, account_sid: str, wanted: ConferenceFilter, behind: Place | None, *, oldest_first: bool
    ) -> Iterable[Seen[Conference]]:
        """List the account's conferences behind a place, newest first: the rows looked at, and which of them match."""
        return self._store.list_conferences(account_sid, wanted, behind, oldest_first=oldest_first)

    def made_at(self, account_sid: str, conference_sid: str) -> datetime | None:
        """Return when a conference was created; None if nothing is known of it."""
        return self._store.load_made_at(account_sid, conference_sid, None)

    def announce(
        self, account_sid: str, conference_sid: str, url: str, method: str, dialect: str = TWILIO
    ) -> Conference:
        """Play something to everybody in the conference. Raises NotFound, ConferenceNotInProgress,
        TooManyAnnouncements, Unavailable."""
        conference = self._store.load_conference(account_sid, conference_sid)
        if not conference.has_started or conference.is_ending:
            raise ConferenceNotInProgress("AnnounceUrl: the conference is not in progress")
        lane = Lane(conference_sid, CONFERENCE_LANE)
        self._sounds.add_announcement(lane, url, method, dialect)
        logs.bind(conference_sid)
        log.info("announcement_asked", url=shown(url))
        self._wake_sounds([lane])
        return conference

    def end_conference(self, account_sid: str, conference_sid: str) -> Conference:
        """End every call of the conference; returns when it is completed. Raises NotFound, Unavailable."""
        node = self._nodes.get_connected(self._store.load_conference(account_sid, conference_sid).node)
        conference = self._store.request_end(account_sid, conference_sid)
        logs.bind(conference_sid)
        log.info("end_asked")

        def is_completed() -> bool:
            nonlocal conference
            conference = self._store.load_conference(account_sid, conference_sid)
            return conference.status is ConferenceStatus.COMPLETED

        def hang_up() -> None:
            # Nobody has joined, or all have left: then there is no such conference on the switch.
            with contextlib.suppress(CommandRefused):
                node.send(HangUpMembers(conference_sid))
            for participant in self._store.list_participants(account_sid, conference_sid):
                end_call(self._nodes, participant, self._make_committer)

        if not is_completed():
            act_until(is_completed, hang_up)
        return conference
