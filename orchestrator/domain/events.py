"""What has happened, in the past tense.

The first group comes from the switch (through `freeswitch.events`, or through a snapshot that stands in for
missed events); the second is derived by `transitions`. Every event carries `at`, aware UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from orchestrator.domain.conference import LeaveReason


@dataclass(frozen=True, slots=True)
class Event:
    """Anything that has happened at a moment."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Happened:
    """An event, and its subject by SID: a conference (CF…) or a call (CA…). `conference_sid` says where the subject's
    record is kept, also after the conference's end; it is None where FreeSWITCH does not say it."""

    subject: str
    conference_sid: str | None
    event: Event


@dataclass(frozen=True, slots=True)
class CallInitiated(Event):
    """The switch has made the outgoing leg."""


@dataclass(frozen=True, slots=True)
class CallRang(Event):
    """The far end rings, or sends early media. A far end that answers at once never does."""


@dataclass(frozen=True, slots=True)
class CallAnswered(Event):
    """The far end has answered."""


@dataclass(frozen=True, slots=True)
class CallEnded(Event):
    """The leg is gone. `cause` is FreeSWITCH's word, `sip_status` the far end's SIP answer if it gave one."""

    cause: str
    sip_status: int | None = None


@dataclass(frozen=True, slots=True)
class AnswererDetected(Event):
    """It is clear who has picked up: one of `detection.decision.AnsweredBy`, found after `duration_ms` of the call."""

    answered_by: str
    duration_ms: int


@dataclass(frozen=True, slots=True)
class DialFailed(Event):
    """The switch could not make a leg at all (no such gateway, out of memory): no other event will come."""

    cause: str


@dataclass(frozen=True, slots=True)
class MemberAdded(Event):
    """The leg has become a member; before the answer, too, if it has early media. `muted`: as which it came; None where
    that is not known, and of a coach."""

    member_id: int
    muted: bool | None = None


@dataclass(frozen=True, slots=True)
class MemberRemoved(Event):
    """The leg is no longer a member."""


@dataclass(frozen=True, slots=True)
class ParticipantMuted(Event):
    """The switch no longer lets the conference hear the participant."""


@dataclass(frozen=True, slots=True)
class ParticipantUnmuted(Event):
    """The switch lets the conference hear the participant again."""


@dataclass(frozen=True, slots=True)
class ParticipantHeld(Event):
    """The switch keeps the participant out of the conversation: neither heard nor hearing."""


@dataclass(frozen=True, slots=True)
class ParticipantUnheld(Event):
    """The participant is back in the conversation."""


@dataclass(frozen=True, slots=True)
class SpeechStarted(Event):
    """The switch hears the participant speak."""


@dataclass(frozen=True, slots=True)
class SpeechStopped(Event):
    """The participant has been silent for 0.8 s."""


@dataclass(frozen=True, slots=True)
class ParticipantModified(Event):
    """A client has changed what is a fact by being asked for; None: unchanged. `coaching` False ends the coaching."""

    end_conference_on_exit: bool | None = None
    beep_on_exit: bool | None = None
    wait_url: str | None = None
    wait_method: str | None = None
    wait_dialect: str | None = None
    coaching: bool | None = None
    call_sid_to_coach: str | None = None


@dataclass(frozen=True, slots=True)
class AnnouncementEnded(Event):
    """An announcement was played to its end: to its subject, a participant, or to all of a conference. The same
    `announcement_id` counts once."""

    announce_url: str
    announcement_id: str


@dataclass(frozen=True, slots=True)
class AnnouncementFailed(Event):
    """An announcement could not be played, or not to its end. `request_id`: who asked for it, where another event, the
    conference's end, cuts it off."""

    announce_url: str
    reason: str
    announcement_id: str
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class OwedEnd:
    """What the end of an announcement will say that was accepted, and of which no client has been told yet.
    `request_id`: who asked for it."""

    announcement_id: str
    announce_url: str
    to_all: bool
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class ParticipantJoined(Event):
    """Derived: the call is answered and its leg is a member."""


@dataclass(frozen=True, slots=True)
class ParticipantLeft(Event):
    """Derived: exactly one for every participant, joined or not."""

    reason: LeaveReason


@dataclass(frozen=True, slots=True)
class ConferenceStarted(Event):
    """Derived: two people are present and one of them starts conferences."""


@dataclass(frozen=True, slots=True)
class ConferenceEnded(Event):
    """Derived: nobody is left who is in the conference or on the way to it."""
