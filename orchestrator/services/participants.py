"""DOWN, for participants: a client's command -> a record of what it wants -> a FreeSWITCH command; and the reads.

The API writes intent; facts are written by the listener from the switch's events. "Read your writes" holds because
an answer is given only when a GET sent next shows the change: an end is awaited. What changes people who are in the
room is in updates.py.
"""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Final

import gevent
import structlog

from orchestrator import logs
from orchestrator.dialling.call_rate import CallRate
from orchestrator.dialling.destinations import Destinations
from orchestrator.dialling.policies import check_policy
from orchestrator.dialling.queued_call import QueuedCall
from orchestrator.dialling.sessions import Sessions
from orchestrator.domain.commands import CreateParticipant
from orchestrator.domain.conference import Conference, Participant
from orchestrator.domain.events import CallEnded, Happened
from orchestrator.errors import ApiError, BadParameter, CoachedCallMissing, ConferenceNotActive, NotFound, Unavailable
from orchestrator.freeswitch.client import CommandRefused
from orchestrator.freeswitch.dial_string import Destination, Originate
from orchestrator.freeswitch.nodes import Nodes
from orchestrator.freeswitch.whisper import require_whispers
from orchestrator.limits import Limits
from orchestrator.listener.coaching import Send
from orchestrator.listener.committer import Committer
from orchestrator.outgoing.addressing import shown_address
from orchestrator.services.confirmation import act_until, end_call
from orchestrator.services.new_participant import make_participant
from orchestrator.services.placement import Placement
from orchestrator.sids import is_sid, mint_sid
from orchestrator.store.accounts import AccountStore
from orchestrator.store.conferences import ConferenceStore
from orchestrator.store.quotas import Admission, QuotaStore
from orchestrator.store.records import encode_participant

_NOT_DIALLED: Final = "The switch does not dial at present"
_UNDONE_AFTER_SECONDS: Final = (0.1, 1.0, 3.0)

log = structlog.get_logger("participants")


class _NameTaken(Exception):
    """Somebody else has made a conference of that name since we looked."""


class ParticipantService:
    """Creates, reads and removes participants. `account_sid` is always the authenticated account."""

    def __init__(
        self,
        store: ConferenceStore,
        nodes: Nodes,
        destinations: Destinations,
        quotas: QuotaStore,
        sessions: Sessions,
        call_rate: CallRate,
        accounts: AccountStore,
        make_committer: Callable[[Send], Committer],
        placement: Placement,
    ) -> None:
        self._store = store
        self._quotas = quotas
        self._accounts = accounts
        self._placement = placement
        self._nodes = nodes
        self._destinations = destinations
        self._sessions = sessions
        self._call_rate = call_rate
        self._make_committer = make_committer

    # ------------------------------------------------------------ create

    def create_participant(self, account_sid: str, name: str, command: CreateParticipant) -> tuple[Participant, int]:
        """Dial somebody into the conference `name` (a ConferenceSid or a FriendlyName).

        Returns the participant and its queue time in ms; 0: it is dialled.
        Raises BadParameter, NotFound, ConferenceNotActive, ConferenceFull, LabelInUse, CoachedCallMissing,
        CoachedCallHeld, CoachingImpossible, QuotaReached, Unavailable.
        """
        check_policy(self._accounts.load_policy(account_sid), command.to, command.from_, command.caller_id)
        destination = self._find_destination(account_sid, command)
        group = self._placement.find_group(command.region, self._accounts.load_node_group(account_sid))
        limits = self._accounts.load_limits(account_sid)
        call_sid, sealed_call = mint_sid("CA"), self._call_rate.seal(QueuedCall(command, destination))
        while True:
            conference, is_new = self._conference_for(account_sid, name, command, group)
            candidate = None if is_sid("CF", name) else conference
            participant = self._prepare(call_sid, conference, command, destination, sealed_call)
            try:
                participant, conference, waits_ms = self._attempt(
                    command, participant, candidate, is_new, sealed_call, limits
                )
                break
            except _NameTaken:
                limits = limits.without_rate()  # it has been counted as one create
            except ConferenceNotActive:
                if candidate is None:
                    raise  # addressed by SID: it is over. By name: it ended just now, and the name is free again
                limits = limits.without_rate()

        if not waits_ms:
            self._dial(command, participant, destination, conference)
        log.info(
            "participant_created",
            to=shown_address(participant.to),
            **{"from": shown_address(participant.from_)},
            label=command.label,
            waits_ms=waits_ms,
        )
        return participant, waits_ms

    def _prepare(
        self,
        call_sid: str,
        conference: Conference,
        command: CreateParticipant,
        destination: Destination,
        sealed_call: str,
    ) -> Participant:
        """Make the participant's record; refuses what cannot be carried, before anything is written."""
        require_whispers(self._nodes.get_connected(conference.node), command.coaching)
        participant = make_participant(call_sid, conference, command)
        if destination.fallbacks:
            left = len(destination.fallbacks)
            participant = replace(participant, gateways_left=left, tried_left=left, sealed_call=sealed_call)
        logs.bind(participant.conference_sid, participant.call_sid)
        Originate(command, participant, destination, conference.has_started).render()
        return participant

    def _attempt(
        self,
        command: CreateParticipant,
        participant: Participant,
        candidate: Conference | None,
        is_new: bool,
        sealed_call: str,
        limits: Limits,
    ) -> tuple[Participant, Conference, int]:
        """Write the participant, and its slot to be dialled; returns it, its conference and its queue time in ms.
        `candidate`: the conference to make if there is none yet; None: there has to be one.

        Raises what create_participant does, and _NameTaken.
        """
        may_be_written = False
        try:
            with self._admitted(participant, limits, is_new):
                if is_new and candidate is not None:
                    # A create that is refused leaves no name behind; one that finds the name taken, no slot.
                    if self._call_rate.is_free(participant.account_sid, limits):
                        self._sessions.reserve(participant)
                    self._claim(candidate)
                with self._call_rate.slot_for(participant, sealed_call, limits) as waits_ms:
                    if waits_ms:
                        participant = replace(participant, dialled_at=None, tried_left=participant.gateways_left + 1)
                    else:
                        self._sessions.reserve(participant)
                    may_be_written = True
                    conference = self._store.create_participant(command, participant, candidate, waits_ms)
        except Unavailable:
            if may_be_written:
                self._spawn(self._end_undialled, participant)
            raise
        return participant, conference, waits_ms

    def _find_destination(self, account_sid: str, command: CreateParticipant) -> Destination:
        if command.byoc is None:
            return self._destinations.find(command.to)
        trunk = self._accounts.load_trunk(account_sid, command.byoc)
        if trunk is None:
            raise BadParameter(f"Byoc: this account has no trunk {command.byoc}", code=21300)
        return self._destinations.find_by(trunk, command.to)

    def _dial(
        self, command: CreateParticipant, participant: Participant, destination: Destination, conference: Conference
    ) -> None:
        """Dial the participant on its conference's node. The conference says which: another process may have made it
        first, on its own choice."""
        originate = Originate(command, participant, destination, conference.has_started)
        try:
            self._nodes.get(conference.node).start_job(originate, participant.switch.channel_uuid)
        except CommandRefused as error:
            self._spawn(self._end_undialled, participant)
            raise Unavailable(_NOT_DIALLED) from error
        except Unavailable as error:
            # It may dial all the same: then the listener ends the leg, because the client is told that there is none.
            self._spawn(self._take_back, participant)
            raise Unavailable(_NOT_DIALLED) from error

    @staticmethod
    def _spawn(undo: Callable[[Participant], None], participant: Participant) -> None:
        """Undo a create in the background: the client is answered first."""
        gevent.spawn(contextvars.copy_context().run, undo, participant)

    def _end_undialled(self, participant: Participant) -> None:
        """End a call that nobody dials, if there is one. More than once: a store that is slow may write it still."""
        committer = self._make_committer(partial(self._nodes.send, participant.switch.node))
        for pause in _UNDONE_AFTER_SECONDS:
            gevent.sleep(pause)
            ended = CallEnded(datetime.now(UTC), "NORMAL_TEMPORARY_FAILURE")
            try:
                committer.commit_events([Happened(participant.call_sid, participant.conference_sid, ended)])
            except ApiError as error:  # the node's audit finds it
                log.warning("create_not_taken_back", error=error.message)

    @contextlib.contextmanager
    def _admitted(self, participant: Participant, limits: Limits, is_new: bool) -> Iterator[None]:
        """Count a create against its account's quotas while it is made: one that is over them is refused before it is
        told 201. Raises QuotaReached, StoreFull."""
        admission = Admission(
            participant.account_sid,
            participant.conference_sid,
            participant.call_sid,
            made_ms=int(participant.created_at.timestamp() * 1000),
            parameter_bytes=sum(map(len, encode_participant(participant))),
            makes_conference=is_new,
        )
        with self._quotas.admitted(admission, limits):
            yield

    def _claim(self, conference: Conference) -> None:
        """Claim a new conference's name. Raises _NameTaken."""
        sid = conference.conference_sid
        if self._store.claim_name(conference.account_sid, conference.friendly_name, sid) != sid:
            raise _NameTaken  # just now, with a conference of somebody else's: join that one

    def _take_back(self, participant: Participant) -> None:
        try:
            self._store.request_removal(participant.account_sid, participant.conference_sid, participant.call_sid)
        except ApiError as error:
            log.error("create_not_taken_back", call_sid=participant.call_sid, error=error.message)

    def _conference_for(
        self, account_sid: str, name: str, command: CreateParticipant, group: str
    ) -> tuple[Conference, bool]:
        """Return the conference to join, and whether it is new: the one with that SID, the active one with that name,
        or one whose SID is new, on a node of the group. One that exists stays where it is: the first participant's
        Region counts."""
        if is_sid("CF", name):
            conference = self._store.load_conference(account_sid, name)
            if conference.is_ending:
                raise ConferenceNotActive(f"The conference {name} has ended")
            return conference, False
        sid = self._store.find_name(account_sid, name)
        if sid is not None:
            with contextlib.suppress(NotFound):  # claimed, and not made yet: the first to write it makes it
                return self._store.load_conference(account_sid, sid), False
        elif command.call_sid_to_coach is not None:
            # A conference that does not exist has nobody to coach.
            raise CoachedCallMissing(f"CallSidToCoach: {command.call_sid_to_coach} is not in this conference")
        now = datetime.now(UTC)
        made = Conference(
            sid or mint_sid("CF"),
            account_sid,
            name,
            self._placement.choose(group),
            created_at=now,
            updated_at=now,
            region=command.region,
        )
        return made, sid is None

    # ------------------------------------------------------------ reads

    def fetch_participant(self, account_sid: str, conference_sid: str, reference: str) -> Participant:
        """Fetch a live participant by CallSid or label. Raises NotFound."""
        return self._store.load_participant(account_sid, conference_sid, reference)

    def list_participants(self, account_sid: str, conference_sid: str) -> list[Participant]:
        """List the live participants, newest first. Raises NotFound."""
        return self._store.list_participants(account_sid, conference_sid)

    def made_at(self, account_sid: str, conference_sid: str, call_sid: str) -> datetime | None:
        """Return when a participant, who may have left, was created; None if nothing is known of it."""
        return self._store.load_made_at(account_sid, conference_sid, call_sid)

    # ------------------------------------------------------------ end

    def remove_participant(self, account_sid: str, conference_sid: str, reference: str) -> None:
        """End the participant's call, ringing or not; returns when that has happened. Raises NotFound, Unavailable."""
        participant = self._store.load_participant(account_sid, conference_sid, reference)
        logs.bind(participant.call_sid)
        log.info("removal_asked")
        if participant.dialled_at is not None:
            self._nodes.get_connected(participant.switch.node)  # nothing is noted that cannot be done
        call_sid = participant.call_sid
        self._store.request_removal(account_sid, conference_sid, call_sid)

        def is_gone() -> bool:
            nonlocal participant
            try:
                participant = self._store.load_participant(account_sid, conference_sid, call_sid)
            except NotFound:
                return True
            return False

        act_until(is_gone, lambda: end_call(self._nodes, participant, self._make_committer))
