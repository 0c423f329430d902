"""THE state file: every rule that changes a Conference or a Participant.

The law:
  1. `apply` is pure. The same state and event always give the same outcome; nothing else changes state.
  2. An event has a subject. EVENT_TABLE says, for every event of a call and every status, what it means: a rule
     (rules.py), or LATE; CONFERENCE_TABLE does for those of a conference. Late news (a duplicate, or an event that a
     snapshot has anticipated) changes nothing.
  3. After the event's rule, the rows of STATE_TABLE fire in order, each at most once: facts that follow from
     the state (joined, left, started, ended, who coaches) are derived there and nowhere else.
  4. Status only moves forward: queued < connecting < ringing < connected < complete | failed.
  5. Every participant leaves exactly once, whatever was missed; a conference ends exactly once.
(The shape is that of h11's `_state.py`: https://github.com/python-hyper/h11/blob/master/h11/_state.py)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from orchestrator.domain.conference import (
    Coach,
    Conference,
    ConferenceStatus,
    EndReason,
    LeaveReason,
    Participant,
    ParticipantStatus,
)
from orchestrator.domain.effects import Effect, effects_of
from orchestrator.domain.events import (
    AnnouncementEnded,
    AnnouncementFailed,
    AnswererDetected,
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
    ParticipantHeld,
    ParticipantJoined,
    ParticipantLeft,
    ParticipantModified,
    ParticipantMuted,
    ParticipantUnheld,
    ParticipantUnmuted,
    SpeechStarted,
    SpeechStopped,
)
from orchestrator.domain.replacing import replace
from orchestrator.domain.rules import (
    Ruling,
    announced,
    announced_to_all,
    answered,
    detected,
    ended,
    held,
    initiated,
    member_added,
    member_removed,
    modified,
    muted,
    rang,
    spoke,
)

QUEUED, CONNECTING, RINGING, CONNECTED, COMPLETE, FAILED = ParticipantStatus
INIT, IN_PROGRESS, COMPLETED = ConferenceStatus


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an event led to: the new state, the events a client may be told, and what the switch must now do."""

    conference: Conference
    participant: Participant
    events: tuple[Event, ...] = ()
    effects: tuple[Effect, ...] = ()


Rule = Callable[[Participant, Event], Ruling]
ConferenceRule = Callable[[Conference, Event], tuple[Conference, tuple[Event, ...]]]
Row = Callable[[Conference, Participant, datetime], tuple[Conference, Participant, Event | None] | None]
LATE: Final = None


# ---------------------------------------------------------------- what an event means for its participant


def _row(*rules: Rule | None) -> dict[ParticipantStatus, Rule | None]:
    return dict(zip(ParticipantStatus, rules, strict=True))


EVENT_TABLE: Final[dict[type[Event], dict[ParticipantStatus, Rule | None]]] = {
    #                        queued          connecting      ringing         connected       complete   failed
    CallInitiated:       _row(initiated,      LATE,           LATE,           LATE,           LATE,      LATE),
    CallRang:            _row(rang,           rang,           LATE,           LATE,           LATE,      LATE),
    CallAnswered:        _row(answered,       answered,       answered,       LATE,           LATE,      LATE),
    MemberAdded:         _row(member_added,   member_added,   member_added,   LATE,           LATE,      LATE),
    MemberRemoved:       _row(member_removed, member_removed, member_removed, member_removed, LATE,      LATE),
    ParticipantMuted:    _row(muted,          muted,          muted,          muted,          LATE,      LATE),
    ParticipantUnmuted:  _row(muted,          muted,          muted,          muted,          LATE,      LATE),
    ParticipantHeld:     _row(held,           held,           held,           held,           LATE,      LATE),
    ParticipantUnheld:   _row(held,           held,           held,           held,           LATE,      LATE),
    # Early media is no speech of a participant.
    SpeechStarted:       _row(LATE,           LATE,           LATE,           spoke,          LATE,      LATE),
    SpeechStopped:       _row(LATE,           LATE,           LATE,           spoke,          LATE,      LATE),
    ParticipantModified: _row(modified,       modified,       modified,       modified,       LATE,      LATE),
    # Whoever has left meanwhile: the client has asked for the announcement, and is told what became of it.
    AnnouncementEnded:   _row(announced,      announced,      announced,      announced,      announced, announced),
    AnnouncementFailed:  _row(announced,      announced,      announced,      announced,      announced, announced),
    # Who has left the conference is on the line for a moment more. A call's end brings `unknown` along.
    AnswererDetected:    _row(detected,       detected,       detected,       detected,       detected,  LATE),
    # `complete` is reached by leaving the conference; the call itself ends a moment later.
    CallEnded:           _row(ended,          ended,          ended,          ended,          ended,     LATE),
    # Once a leg exists its own end will come, with the far end's answer in it: that is the better news.
    DialFailed:          _row(ended,          LATE,           LATE,           LATE,           LATE,      LATE),
}  # fmt: skip


# ---------------------------------------------------------------- what an event means for its conference

CONFERENCE_TABLE: Final[dict[type[Event], dict[ConferenceStatus, ConferenceRule | None]]] = {
    AnnouncementEnded: {INIT: announced_to_all, IN_PROGRESS: announced_to_all, COMPLETED: LATE},
    AnnouncementFailed: {INIT: announced_to_all, IN_PROGRESS: announced_to_all, COMPLETED: LATE},
}
ANNOUNCEMENTS: Final = (AnnouncementEnded, AnnouncementFailed)
"""Each end is told before the conference's, which tells those that are still owed."""


# ---------------------------------------------------------------- what follows from the state


def _joins(
    conference: Conference, participant: Participant, at: datetime
) -> tuple[Conference, Participant, Event] | None:
    """Join whoever is answered and a member. The first to join fixes the conference's callback settings."""
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
    wanted = participant.conference_recording
    if wanted is not None and conference.recording is None and not conference.has_started:
        conference = replace(conference, recording=wanted, recording_request=participant.create_request)
    return conference, replace(participant, status=CONNECTED, joined_at=at), ParticipantJoined(at)


def _leaves(
    conference: Conference, participant: Participant, at: datetime
) -> tuple[Conference, Participant, Event] | None:
    """Let whoever is gone, or never arrived, leave. One with EndConferenceOnExit takes the others along."""
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
        conference = _ended_by(participant, conference, reason)
    return conference, replace(participant, status=COMPLETE if was_present else FAILED), event


def _ended_by(participant: Participant, conference: Conference, reason: EndReason) -> Conference:
    return replace(
        conference,
        end_reason=reason,
        ending_call_sid=participant.call_sid,
        ending_label=participant.label,
        end_request=participant.removal_request,
    )


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
    """Start the conference when two are present, one of them a starter: https://www.twilio.com/docs/voice/twiml/conference"""
    if conference.status is not ConferenceStatus.INIT or conference.is_ending:
        return None
    if conference.present_count < 2 or conference.starter_count < 1:
        return None
    return replace(conference, status=ConferenceStatus.IN_PROGRESS), participant, ConferenceStarted(at)


def _ends(
    conference: Conference, participant: Participant, at: datetime
) -> tuple[Conference, Participant, Event] | None:
    """End the conference when nobody is in it or on the way to it, for the reason decided before or because of this
    one."""
    if conference.live_count > 0 or conference.status is ConferenceStatus.COMPLETED:
        return None
    if conference.end_reason is None:
        last = EndReason.LAST_KICKED if participant.removal_requested else EndReason.LAST_LEFT
        conference = _ended_by(participant, conference, last)
    return replace(conference, status=ConferenceStatus.COMPLETED), participant, ConferenceEnded(at)


def _coaches(
    conference: Conference, participant: Participant, at: datetime
) -> tuple[Conference, Participant, None] | None:
    """Enter the participant among the conference's coaches, or take them out: whoever changes who hears whom need not
    look at everybody then."""
    coached = participant.call_sid_to_coach
    others = tuple(coach for coach in conference.coaches if coach.call_sid != participant.call_sid)
    if participant.coaching and coached is not None and participant.switch.member_id is not None:
        coach = Coach(participant.call_sid, coached)
        if coach in conference.coaches:
            return None
        return replace(conference, coaches=(*others, coach)), participant, None
    if others == conference.coaches:
        return None
    return replace(conference, coaches=others), participant, None


STATE_TABLE: Final[tuple[Row, ...]] = (_joins, _leaves, _starts, _ends, _coaches)


# ---------------------------------------------------------------- apply


def apply_to_conference(conference: Conference, event: Event) -> tuple[Conference, tuple[Event, ...]]:
    """Apply an event whose subject is the conference itself; returns the new state, and what a client may be told."""
    rule = CONFERENCE_TABLE[type(event)][conference.status]
    if rule is LATE:
        return conference, ()
    after, events = rule(conference, event)
    return (after if after == conference else replace(after, updated_at=event.at)), events


def apply(conference: Conference, participant: Participant, event: Event) -> Outcome:
    """Apply an event whose subject is a call: that of `participant` in `conference`.

    An outcome equal to the state that went in, with no events, means: no news. A pair without a row is a
    programming error (KeyError); the guard test keeps the table complete.
    """
    rule = EVENT_TABLE[type(event)][participant.status]
    if rule is LATE or (isinstance(event, ANNOUNCEMENTS) and conference.status is ConferenceStatus.COMPLETED):
        return Outcome(conference, participant)
    new_participant, events = rule(participant, event)
    new_conference = conference
    for row in STATE_TABLE:
        derived = row(new_conference, new_participant, event.at)
        if derived is not None:
            new_conference, new_participant, follows = derived
            events = events if follows is None else (*events, follows)
    if new_participant != participant:
        new_participant = replace(new_participant, updated_at=event.at)
    if new_conference != conference:
        new_conference = replace(new_conference, updated_at=event.at)
    effects = effects_of(conference, participant, new_conference, new_participant)
    return Outcome(new_conference, new_participant, events, effects)
