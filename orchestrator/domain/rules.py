"""What each event means for its participant: the rules of `transitions.EVENT_TABLE`, pure.

A rule returns the participant as it is from now on, and the events that a client may be told.
"""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime
from typing import Final, cast

from orchestrator.domain.conference import Conference, Participant, ParticipantStatus
from orchestrator.domain.events import (
    AnnouncementEnded,
    AnnouncementFailed,
    AnswererDetected,
    CallEnded,
    CallInitiated,
    DialFailed,
    Event,
    MemberAdded,
    ParticipantHeld,
    ParticipantModified,
    ParticipantMuted,
    SpeechStarted,
    SpeechStopped,
)
from orchestrator.domain.hangup import has_fallback
from orchestrator.domain.replacing import replace

UNKNOWN: Final = "unknown"
"""Twilio's word where it was not found out who picked up."""

Ruling = tuple[Participant, tuple[Event, ...]]


def _implied(participant: Participant, event: Event) -> tuple[Event, ...]:
    """Return what an event brings along that skips `initiated`: a client sees every call begin before it goes on."""
    return (CallInitiated(event.at),) if participant.status is ParticipantStatus.QUEUED else ()


def initiated(participant: Participant, event: Event) -> Ruling:
    """Note that the leg exists."""
    return replace(participant, status=ParticipantStatus.CONNECTING), (event,)


def rang(participant: Participant, event: Event) -> Ruling:
    """Note that the far end rings; no news once it is answered."""
    if participant.answered_at is not None:
        return participant, ()
    return replace(participant, status=ParticipantStatus.RINGING), (*_implied(participant, event), event)


def answered(participant: Participant, event: Event) -> Ruling:
    """Note the answer, once."""
    if participant.answered_at is not None:
        return participant, ()
    status = ParticipantStatus.CONNECTING if participant.status is ParticipantStatus.QUEUED else participant.status
    after = replace(participant, status=status, answered_at=event.at, sealed_call="")
    return after, (*_implied(participant, event), event)


def detected(participant: Participant, event: Event) -> Ruling:
    """Note who picked up; the first answer counts, of those who listen and of those who have waited long enough."""
    if not participant.is_being_detected:
        return participant, ()
    return replace(participant, answered_by=cast(AnswererDetected, event).answered_by), (event,)


def _undetected(participant: Participant, at: datetime) -> Ruling:
    """Note that it stays unknown who picked up, when the call ends before that was clear: a client is told so."""
    if participant.answered_at is None:
        return participant, ()
    passed_ms = max(0, round((at - participant.answered_at).total_seconds() * 1000))
    return detected(participant, AnswererDetected(at, UNKNOWN, passed_ms))


def member_added(participant: Participant, event: Event) -> Ruling:
    """Note the member's number and as what it came; no news when a snapshot tells it again."""
    added = cast(MemberAdded, event)
    if participant.switch.member_id == added.member_id:
        return participant, ()
    switch = replace(participant.switch, member_id=added.member_id)
    muted = added.muted
    if muted is None or participant.coaching:  # nothing that the switch says could fulfil a coach's wish
        muted = participant.muted_as_asked if participant.coaching else participant.muted
    return replace(participant, switch=switch, muted=muted, hold=False, talking=False), ()


def member_removed(participant: Participant, event: Event) -> Ruling:
    """Take the member's number back: one who was present has left, one who was not may become a member again."""
    switch = replace(participant.switch, member_id=None)
    left_at = event.at if participant.status is ParticipantStatus.CONNECTED else None
    return replace(participant, switch=switch, left_at=left_at), ()


def ended(participant: Participant, event: Event) -> Ruling:
    """Note the call's end and its cause, and the leave of one who had not left before. Nobody is told of a call that
    another gateway is tried for."""
    if participant.ended_at is not None:
        return participant, ()
    end = cast(CallEnded | DialFailed, event)
    sip_status = end.sip_status if isinstance(end, CallEnded) else None
    if has_fallback(participant, end.cause, sip_status):
        switch = replace(participant.switch, member_id=None)
        left = participant.gateways_left - 1
        return replace(participant, switch=switch, gateways_left=left), ()
    implied = _implied(participant, event)
    participant, unknown = _undetected(participant, event.at)
    after = replace(
        participant,
        switch=replace(participant.switch, member_id=None),
        ended_at=event.at,
        left_at=participant.left_at or event.at,
        hangup_cause=end.cause,
        sip_status=sip_status,
        sealed_call="",
    )
    news = CallEnded(end.at, after.hangup_cause or "", after.sip_status)
    return after, (*implied, *unknown, news)


def muted(participant: Participant, event: Event) -> Ruling:
    """Note that the participant is muted, or no longer, once for each change."""
    is_muted = isinstance(event, ParticipantMuted)
    if participant.muted is is_muted:
        return participant, ()
    after = replace(participant, muted=is_muted)
    if participant.coaching:  # committed by whoever asks; that they talk no more is the listener's to know: see SPEECH
        return after, (event,) if participant.is_present else ()
    return _silenced(after, event)


def held(participant: Participant, event: Event) -> Ruling:
    """Note that the participant is on hold, or no longer, once for each change."""
    hold = isinstance(event, ParticipantHeld)
    if participant.hold is hold:
        return participant, ()
    return _silenced(replace(participant, hold=hold), event)


def _silenced(participant: Participant, event: Event) -> Ruling:
    """Add the end of speech for whoever is muted or held while talking: FreeSWITCH forgets it without an event."""
    if not participant.is_present:
        return participant, ()
    if participant.talking and (participant.muted or participant.hold):
        return replace(participant, talking=False), (event, SpeechStopped(event.at))
    return participant, (event,)


def spoke(participant: Participant, event: Event) -> Ruling:
    """Note that the participant talks, or no longer, once for each change."""
    talking = isinstance(event, SpeechStarted)
    if participant.talking is talking:
        return participant, ()
    return replace(participant, talking=talking), (event,)


def modified(participant: Participant, event: Event) -> Ruling:
    """Enter what a client has changed, if it changes anything."""
    changes = cast(ParticipantModified, event)
    values = {field.name: getattr(changes, field.name) for field in fields(changes) if field.name != "at"}
    after = replace(participant, **{name: value for name, value in values.items() if value is not None})
    if not after.coaching:
        after = replace(after, call_sid_to_coach=None)
    if after.end_conference_on_exit is not participant.end_conference_on_exit:
        after = replace(after, exit_hook_changed=True)
    if after == participant:
        return participant, ()
    return after, (event,) if participant.is_present else ()


def announced(participant: Participant, event: Event) -> Ruling:
    """Note an announcement's end, once for each announcement."""
    announcement = cast(AnnouncementEnded | AnnouncementFailed, event)
    if participant.announced_id == announcement.announcement_id:
        return participant, ()
    return replace(participant, announced_id=announcement.announcement_id), (event,)


def announced_to_all(conference: Conference, event: Event) -> tuple[Conference, tuple[Event, ...]]:
    """Note the end of an announcement to all, once for each announcement."""
    announcement = cast(AnnouncementEnded | AnnouncementFailed, event)
    if conference.announced_id == announcement.announcement_id:
        return conference, ()
    return replace(conference, announced_id=announcement.announcement_id), (event,)
