"""DOWN, for participants on their way to the conference or in it: mute, hold, coach, announce, and what is only noted.

Mute and hold are wishes: the switch is told at once and an event makes them facts. What no event of the switch could
confirm (who is coached, whether a coach is muted, what is heard while waiting …) becomes a fact by being asked for,
through the same `apply` and commit as any event; whoever commits it has the switch do what follows.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from typing import Final

import structlog

from orchestrator import logs
from orchestrator.domain.commands import UpdateParticipant
from orchestrator.domain.conference import STOCK, TWILIO, Participant
from orchestrator.domain.events import Event, Happened, ParticipantModified, ParticipantMuted, ParticipantUnmuted
from orchestrator.domain.hearing import Sound, hears_conference, is_mixed
from orchestrator.errors import (
    ApiError,
    BadParameter,
    CoachedCallHeld,
    CoachedCallMissing,
    ConferenceNotInProgress,
    NotFound,
    Unavailable,
)
from orchestrator.freeswitch.client import CommandRefused
from orchestrator.freeswitch.coach_mark import muting_of
from orchestrator.freeswitch.commands import (
    DeafenMember,
    HoldMember,
    SetExitHook,
    SetJoinFlags,
    SwitchCommand,
)
from orchestrator.freeswitch.nodes import Node, Nodes
from orchestrator.freeswitch.whisper import require_whispers
from orchestrator.listener.coaching import Send
from orchestrator.listener.committer import Committer
from orchestrator.outgoing.addressing import shown
from orchestrator.store.conferences import ConferenceStore
from orchestrator.store.lanes import Lane
from orchestrator.store.nodes import NodeStore
from orchestrator.store.playback import PlaybackStore

MOST_ROUNDS: Final = 5
"""How often the switch is told anew while others change the same setting: they look again, too."""

log = structlog.get_logger("updates")


class UpdateService:
    """Changes live participants, and announces to them. `account_sid` is always the authenticated account."""

    def __init__(
        self,
        store: ConferenceStore,
        nodes: Nodes,
        listeners: NodeStore,
        sounds: PlaybackStore,
        make_committer: Callable[[Send], Committer],
        wake_sounds: Callable[[Sequence[object]], None],
    ) -> None:
        self._store = store
        self._nodes = nodes
        self._listeners = listeners
        self._sounds = sounds
        self._make_committer = make_committer
        self._wake_sounds = wake_sounds

    def update_participant(
        self, account_sid: str, conference_sid: str, reference: str, update: UpdateParticipant, dialect: str = TWILIO
    ) -> Participant:
        """Change a live participant; None leaves a property as it is. `dialect`: in which it is asked for.

        Raises NotFound, BadParameter, CoachedCallMissing, CoachedCallHeld, CoachingImpossible, TooManyAnnouncements,
        Unavailable.
        """
        if update == UpdateParticipant(muted=update.muted) and update.muted is not None:
            return self._change_muted(account_sid, conference_sid, reference, update.muted)
        participant = self._store.load_participant(account_sid, conference_sid, reference)
        logs.bind(participant.call_sid)
        if update == UpdateParticipant():
            return participant
        _log_wish(update)
        if update.announce_url and not participant.is_present:
            raise BadParameter("AnnounceUrl: the participant is not in the conference yet", code=16099)
        event = self._modification(participant, update, dialect)
        if event is not None:
            self._modify(participant, event)
        call_sid = participant.call_sid
        if update.muted is not None:
            self._change_muted(account_sid, conference_sid, call_sid, update.muted)
        if update.hold is not None:
            self._change_hold(account_sid, conference_sid, call_sid, update, dialect)
        if update.announce_url:
            self._announce(Lane(conference_sid, call_sid), update.announce_url, update.announce_method, dialect)
        return self._store.load_participant(account_sid, conference_sid, call_sid)

    def _announce(self, lane: Lane, url: str, method: str, dialect: str) -> None:
        try:
            self._sounds.add_announcement(lane, url, method, dialect)
        except ConferenceNotInProgress as error:
            raise NotFound(f"The participant {lane.name} has just left") from error
        self._wake_sounds([lane])

    # ------------------------------------------------------------ wishes

    def _change_muted(self, account_sid: str, conference_sid: str, reference: str, muted: bool) -> Participant:
        """Record the wish and tell the switch. A coach's mute the switch cannot report: there the wish itself is the
        fact."""
        participant, before = self._store.request_muted(account_sid, conference_sid, reference, muted)
        logs.bind(participant.call_sid)
        log.info("mute_asked", muted=muted)
        member_id = participant.switch.member_id
        try:
            if participant.coaching:
                at = datetime.now(UTC)
                self._make_so(participant, ParticipantMuted(at) if muted else ParticipantUnmuted(at))
            elif member_id is not None:
                self._tell(participant, [muting_of(participant, member_id, muted)])
            else:
                self._tell_before_joining(participant)
        except (NotFound, Unavailable):
            self._store.undo_wish(participant, "muted_wanted", muted, before)
            raise
        return participant

    def _change_hold(
        self, account_sid: str, conference_sid: str, call_sid: str, update: UpdateParticipant, dialect: str
    ) -> None:
        """Record the wish and tell the switch: silence first, what is heard on hold comes from a worker. Whoever comes
        off hold hears what a listener would let them hear; should the conference have started meanwhile, the switch's
        event of the unhold makes the listener look again."""
        hold = bool(update.hold)
        sound = None
        if hold:
            url = STOCK if update.hold_url is None else update.hold_url
            sound = Sound(url, update.hold_method or "GET", dialect=dialect)
        participant, before = self._store.request_hold(account_sid, conference_sid, call_sid, hold, sound)
        was_held = participant.hold if before == "" else before == "1"
        if not hold and not was_held:
            return  # `unhold` would stop whatever else is played to them
        member_id = participant.switch.member_id
        if member_id is None:
            self._tell_before_joining(participant)
            self._wake_sounds([Lane(conference_sid, call_sid)])
            return
        conference = self._store.load_conference(account_sid, conference_sid)
        committer = self._make_committer(self._nodes.get(participant.switch.node).send)
        if conference.coaches:
            self._listeners.look_again(participant.switch.node, conference_sid)
        hears = hears_conference(conference, participant)
        holding = HoldMember(conference_sid, member_id, hold)
        deafening = DeafenMember(conference_sid, member_id, not hears)
        try:
            if hold:
                committer.settle_coaching(conference)
            # `unhold` also stops what is played to the member (conference_api.c, conference_api_sub_unhold).
            self._tell(participant, [deafening, holding])
            if not hold:
                committer.settle_coaching(conference)
        except (NotFound, Unavailable):
            self._store.undo_wish(participant, "hold_wanted", hold, before)
            with contextlib.suppress(ApiError):  # the audit does what cannot be done now
                heard = conference.has_started and not was_held
                self._tell(participant, [DeafenMember(conference_sid, member_id, not heard)])
                committer.settle_coaching(conference)
            raise
        self._wake_sounds([Lane(conference_sid, call_sid)])

    def _tell_before_joining(self, participant: Participant) -> None:
        """Have a leg that rings join muted and deaf as is wanted now. If it joins this very moment, the listener makes
        it so."""
        conference = self._store.load_conference(participant.account_sid, participant.conference_sid)
        deaf = not hears_conference(conference, participant)
        with contextlib.suppress(NotFound):
            self._tell(participant, [SetJoinFlags(participant.switch.channel_uuid, not is_mixed(participant), deaf)])

    def _tell(self, participant: Participant, commands: Sequence[SwitchCommand]) -> None:
        node = self._nodes.get(participant.switch.node)
        try:
            for command in commands:
                node.send(command)
        except CommandRefused as error:
            raise NotFound(f"The participant {participant.call_sid} has just left") from error

    # ------------------------------------------------------------ facts by being asked for

    def _modification(
        self, participant: Participant, update: UpdateParticipant, dialect: str
    ) -> ParticipantModified | None:
        coaching, coached = update.coaching, update.call_sid_to_coach
        if coached is not None and coaching is None:
            coaching = True
        if coaching and coached is None:
            coached = participant.call_sid_to_coach
        if coaching:
            self._check_coached(participant, coached)
            require_whispers(self._nodes.get(participant.switch.node))
        event = ParticipantModified(
            datetime.now(UTC),
            end_conference_on_exit=update.end_conference_on_exit,
            beep_on_exit=update.beep_on_exit,
            wait_url=update.wait_url,
            wait_method=update.wait_method if update.wait_url is not None else None,
            wait_dialect=dialect if update.wait_url is not None else None,
            coaching=coaching,
            call_sid_to_coach=coached if coaching else None,
        )
        return None if event == ParticipantModified(event.at) else event

    def _check_coached(self, coach: Participant, coached: str | None) -> None:
        if coached is None:
            raise BadParameter("CallSidToCoach: is required with Coaching=true")
        if coached == coach.call_sid:
            raise BadParameter("CallSidToCoach: nobody can coach themselves")
        try:
            other = self._store.load_participant(coach.account_sid, coach.conference_sid, coached)
        except NotFound as error:
            raise CoachedCallMissing(f"CallSidToCoach: {coached} is not in this conference") from error
        if other.hold_as_asked:
            raise CoachedCallHeld(f"CallSidToCoach: {coached} is on hold")

    def _modify(self, participant: Participant, event: ParticipantModified) -> None:
        sid, account_sid = participant.conference_sid, participant.account_sid
        node = self._nodes.get_connected(participant.switch.node)
        self._make_so(participant, event)
        if event.end_conference_on_exit is not None:
            self._settle_exit_hook(node, self._store.load_participant(account_sid, sid, participant.call_sid))

    def _make_so(self, participant: Participant, event: Event) -> None:
        """Make an event a fact. A change of coaching is looked at once more later. Raises Unavailable."""
        node, sid = self._nodes.get(participant.switch.node), participant.conference_sid
        if not isinstance(event, ParticipantModified) or event.coaching is not None:
            self._listeners.look_again(participant.switch.node, sid)
        self._make_committer(node.send).commit_events([Happened(participant.call_sid, sid, event)])

    def _settle_exit_hook(self, node: Node, participant: Participant) -> Participant:
        """Tell the switch what is committed, then look again whether it still is: of two processes the one that tells
        it last has seen the last commit, so the last commit wins. If this process dies in between, an audit does the
        rest. Raises NotFound, Unavailable."""
        for _ in range(MOST_ROUNDS):
            command = _exit_hook_of(participant)
            try:
                node.send(command)
            except CommandRefused:
                # No such channel: not dialled yet (the listener sets the hook when it joins), or gone just now.
                log.info("exit_hook_not_set", call_sid=participant.call_sid)
            participant = self._store.load_participant(
                participant.account_sid, participant.conference_sid, participant.call_sid
            )
            if _exit_hook_of(participant) == command:
                break
        return participant


def _log_wish(update: UpdateParticipant) -> None:
    """Log what is done to a person; the request and its account are in the line, and a mute has one of its own."""
    asked = {field.name: value for field in fields(update) if (value := getattr(update, field.name)) is not None}
    log.info("update_asked", **{name: shown(str(v)) if "url" in name else v for name, v in asked.items()})


def _exit_hook_of(participant: Participant) -> SetExitHook:
    return SetExitHook(
        participant.switch.channel_uuid,
        participant.conference_sid,
        participant.end_conference_on_exit,
        answered=participant.answered_at is not None,
    )
