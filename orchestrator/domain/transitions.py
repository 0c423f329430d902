"""THE state file: every rule that changes a Conference or a Participant.

The law:
  1. `apply` is pure. The same state and event always give the same outcome; nothing else changes state.
  2. EVENT_TABLE says, for every event and every status, what the event means: a rule, or LATE. Late news (a
     duplicate, or an event that a snapshot has anticipated) changes nothing.
  3. After the event's rule, the rows of STATE_TABLE fire in order, each at most once: facts that follow from
     the state (joined, left, started, ended) are derived there and nowhere else.
  4. Status only moves forward: queued < connecting < ringing < connected < complete | failed.
  5. Every participant leaves exactly once, whatever was missed; a conference ends exactly once.
(The shape is that of h11's `_state.py`: https://github.com/python-hyper/h11/blob/master/h11/_state.py)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, cast

from orchestrator.domain.commands import Command, EndConference, RemoveParticipant, UpdateParticipant
from orchestrator.domain.conference import (
    Conference,
    ConferenceStatus,
    EndReason,
    LeaveReason,
    Participant,
    ParticipantStatus,
)
from orchestrator.domain.events import (
    CallAnswered,
    CallEnded,
    CallInitiated,
    CallRang,
    ConferenceEnded,
    ConferenceStarted,
    DialFailed,
    Event,
    MemberAdded,
    MemberRemoved,
    ParticipantJoined,
    ParticipantLeft,
    ParticipantMuted,
    ParticipantUnmuted,
)

QUEUED, CONNECTING, RINGING, CONNECTED, COMPLETE, FAILED = ParticipantStatus


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an event led to: the new state, the events a client may be told, and what the switch must now do."""

    conference: Conference
    participant: Participant
    events: tuple[Event, ...] = ()
    commands: tuple[Command, ...] = ()


Rule = Callable[[Participant, Event], tuple[Participant, tuple[Event, ...]]]
Row = Callable[[Conference, Participant, datetime], tuple[Conference, Participant, Event] | None]
LATE: Final = None


# ---------------------------------------------------------------- what an event means for its participant


def _implied(participant: Participant, event: Event) -> tuple[Event, ...]:
    """An event that skips `initiated` brings it along: a client sees every call begin before it goes on."""
    return (CallInitiated(event.at),) if participant.status is QUEUED else ()


def _initiated(participant: Participant, event: Event) -> tuple[Participant, tuple[Event, ...]]:
    return replace(participant, status=CONNECTING), (event,)


def _rang(participant: Participant, event: Event) -> tuple[Participant, tuple[Event, ...]]:
    if participant.answered_at is not None:
        return participant, ()
    return replace(participant, status=RINGING), (*_implied(participant, event), event)


def _answered(participant: Participant, event: Event) -> tuple[Participant, tuple[Event, ...]]:
    if participant.answered_at is not None:
        return participant, ()
    status = CONNECTING if participant.status is QUEUED else participant.status
    return replace(participant, status=status, answered_at=event.at), (*_implied(participant, event), event)


def _member_added(participant: Participant, event: Event) -> tuple[Participant, tuple[Event, ...]]:
    added = cast(MemberAdded, event)
    switch = replace(participant.switch, member_id=added.member_id)
    return replace(participant, switch=switch, muted=added.muted), ()


def _member_removed(participant: Participant, event: Event) -> tuple[Participant, tuple[Event, ...]]:
    switch = replace(participant.switch, member_id=None)
    left_at = event.at if participant.status is CONNECTED else None
    return replace(participant, switch=switch, left_at=left_at), ()


def _ended(participant: Participant, event: Event) -> tuple[Participant, tuple[Event, ...]]:
    if participant.ended_at is not None:
        return participant, ()
    ended = cast(CallEnded | DialFailed, event)
    after = replace(
        participant,
        switch=replace(participant.switch, member_id=None),
        ended_at=event.at,
        left_at=participant.left_at or event.at,
        hangup_cause=ended.cause,
        sip_status=ended.sip_status if isinstance(ended, CallEnded) else None,
    )
    told = CallEnded(ended.at, after.hangup_cause or "", after.sip_status)
    return after, (*_implied(participant, event), told)


def _muted(participant: Participant, event: Event) -> tuple[Participant, tuple[Event, ...]]:
    muted = isinstance(event, ParticipantMuted)
    if participant.muted is muted:
        return participant, ()
    return replace(participant, muted=muted), (event,) if participant.is_present else ()


EVENT_TABLE: Final[dict[type[Event], dict[ParticipantStatus, Rule | None]]] = {
    CallInitiated: {
        QUEUED: _initiated, CONNECTING: LATE, RINGING: LATE, CONNECTED: LATE, COMPLETE: LATE, FAILED: LATE,
    },
    CallRang: {
        QUEUED: _rang, CONNECTING: _rang, RINGING: LATE, CONNECTED: LATE, COMPLETE: LATE, FAILED: LATE,
    },
    CallAnswered: {
        QUEUED: _answered, CONNECTING: _answered, RINGING: _answered, CONNECTED: LATE, COMPLETE: LATE, FAILED: LATE,
    },
    MemberAdded: {
        QUEUED: _member_added, CONNECTING: _member_added, RINGING: _member_added,
        CONNECTED: LATE, COMPLETE: LATE, FAILED: LATE,
    },
    MemberRemoved: {
        QUEUED: _member_removed, CONNECTING: _member_removed, RINGING: _member_removed,
        CONNECTED: _member_removed, COMPLETE: LATE, FAILED: LATE,
    },
    ParticipantMuted: {
        QUEUED: _muted, CONNECTING: _muted, RINGING: _muted, CONNECTED: _muted, COMPLETE: LATE, FAILED: LATE,
    },
    ParticipantUnmuted: {
        QUEUED: _muted, CONNECTING: _muted, RINGING: _muted, CONNECTED: _muted, COMPLETE: LATE, FAILED: LATE,
    },
    # `complete` is reached by leaving the conference; the call itself ends a moment later.
    CallEnded: {
        QUEUED: _ended, CONNECTING: _ended, RINGING: _ended, CONNECTED: _ended, COMPLETE: _ended, FAILED: LATE,
    },
    # Once a leg exists its own end will come, with the far end's answer in it: that is the better news.
    DialFailed: {
        QUEUED: _ended, CONNECTING: LATE, RINGING: LATE, CONNECTED: LATE, COMPLETE: LATE, FAILED: LATE,
    },
}  # fmt: skip


# ---------------------------------------------------------------- what follows from the state


def _joins(
    conference: Conference, participant: Participant, at: datetime
) -> tuple[Conference, Participant, Event] | None:
    """Answered, and a member: joined. The first to join fixes the conference's callback settings."""
    waiting = participant.status in (QUEUED, CONNECTING, RINGING) and participant.left_at is None
    if not waiting or participant.answered_at is None or participant.switch.member_id is None:
        return None
    conference = replace(
        conference,
        present_count=conference.present_count + 1,
        starter_count=conference.starter_count + participant.start_conference_on_enter,
        callbacks=conference.callbacks if conference.callbacks_fixed else participant.conference_callbacks,
        callbacks_fixed=True,
    )
    return conference, replace(participant, status=CONNECTED, joined_at=at), ParticipantJoined(at)


def _leaves(
    conference: Conference, participant: Participant, at: datetime
) -> tuple[Conference, Participant, Event] | None:
    """Gone from the conference, or never arrived in it. One with EndConferenceOnExit takes the others along."""
    if participant.left_at is None or not participant.is_live:
        return None
    was_present = participant.is_present
    event = ParticipantLeft(at, _leave_reason(conference, participant))
    conference = replace(
        conference,
        live_count=conference.live_count - 1,
        present_count=conference.present_count - was_present,
        starter_count=conference.starter_count - (was_present and participant.start_conference_on_enter),
    )
    if was_present and participant.end_conference_on_exit and not conference.is_ending:
        kicked = participant.removal_requested
        reason = EndReason.END_ON_EXIT_KICKED if kicked else EndReason.END_ON_EXIT_LEFT
        conference = replace(conference, end_reason=reason, ending_call_sid=participant.call_sid)
    return conference, replace(participant, status=COMPLETE if was_present else FAILED), event


def _leave_reason(conference: Conference, participant: Participant) -> LeaveReason:
    if conference.end_reason is EndReason.VIA_API:
        return LeaveReason.CONFERENCE_ENDED_VIA_API
    if conference.end_reason is not None:
        return LeaveReason.MODERATOR_ENDED_CONFERENCE
    if participant.removal_requested:
        return LeaveReason.UPDATED_VIA_API
    return LeaveReason.HUNG_UP if participant.is_present else LeaveReason.ADD_FAILED


def _starts(
    conference: Conference, participant: Participant, at: datetime
) -> tuple[Conference, Participant, Event] | None:
    """Two present, one of them a starter: https://www.twilio.com/docs/voice/twiml/conference"""
    if conference.status is not ConferenceStatus.INIT or conference.is_ending:
        return None
    if conference.present_count < 2 or conference.starter_count < 1:
        return None
    return replace(conference, status=ConferenceStatus.IN_PROGRESS), participant, ConferenceStarted(at)


def _ends(
    conference: Conference, participant: Participant, at: datetime
) -> tuple[Conference, Participant, Event] | None:
    """Nobody is in it or on the way to it: it is over, for the reason decided before or because of this one."""
    if conference.live_count > 0 or conference.status is ConferenceStatus.COMPLETED:
        return None
    if conference.end_reason is None:
        last = EndReason.LAST_KICKED if participant.removal_requested else EndReason.LAST_LEFT
        conference = replace(conference, end_reason=last, ending_call_sid=participant.call_sid)
    return replace(conference, status=ConferenceStatus.COMPLETED), participant, ConferenceEnded(at)


STATE_TABLE: Final[tuple[Row, ...]] = (_joins, _leaves, _starts, _ends)


# ---------------------------------------------------------------- apply


def apply(conference: Conference, participant: Participant, event: Event) -> Outcome:
    """Apply one event of `participant` in `conference`.

    An outcome equal to the state that went in, with no events, means: no news. A pair without a row is a
    programming error (KeyError); the guard test keeps the table complete.
    """
    rule = EVENT_TABLE[type(event)][participant.status]
    if rule is LATE:
        return Outcome(conference, participant)
    new_participant, events = rule(participant, event)
    new_conference = conference
    for row in STATE_TABLE:
        derived = row(new_conference, new_participant, event.at)
        if derived is not None:
            new_conference, new_participant, follows = derived
            events = (*events, follows)
    if new_participant != participant:
        new_participant = replace(new_participant, updated_at=event.at)
    if new_conference != conference:
        new_conference = replace(new_conference, updated_at=event.at)
    commands = _commands(conference, participant, new_conference, new_participant)
    return Outcome(new_conference, new_participant, events, commands)


def _commands(
    conference: Conference, participant: Participant, after: Conference, new: Participant
) -> tuple[Command, ...]:
    """What a client has asked for and the switch could not do yet, or what follows for the other calls."""
    if after.is_ending and not conference.is_ending and after.live_count > 0:
        return (EndConference(after.conference_sid),)
    if new.is_live and (new.removal_requested or after.is_ending) and new != participant:
        return (RemoveParticipant(new.conference_sid, new.call_sid),)
    if new.is_present and not participant.is_present:
        return outstanding_updates(new)
    return ()


def outstanding_updates(participant: Participant) -> tuple[UpdateParticipant, ...]:
    """Updates that were asked for before the participant joined, or that the switch has lost."""
    muted = participant.muted_wanted if participant.muted_wanted is not participant.muted else None
    end_on_exit = None
    if participant.end_conference_on_exit is not participant.end_on_exit_dialled:
        end_on_exit = participant.end_conference_on_exit
    if muted is None and end_on_exit is None:
        return ()
    return (
        UpdateParticipant(
            participant.conference_sid,
            participant.call_sid,
            muted=muted,
            end_conference_on_exit=end_on_exit,
        ),
    )
