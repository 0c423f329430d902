"""Plans callbacks: domain event -> callback kind, as one table; who gets it, and with which sequence number.

Subscription words and callback kinds: wire-contract sections 8.1 and 8.2. A sequence number is given to a callback that
will be sent, so a client sees numbers without gaps.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeVar

from orchestrator.domain.conference import CallbackSettings, Conference, Participant
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
    Event,
    OwedEnd,
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

_CUT_OFF: Final = "the conference has ended"


@dataclass(frozen=True, slots=True)
class Row:
    """How an event becomes a callback: `source` decides the lane and the settings; `word` is the subscription, `kind`
    the callback."""

    source: Literal["conference", "call", "detection"]
    word: str
    kind: str


PLAN: Final[dict[type[Event], Row]] = {
    ConferenceStarted: Row("conference", "start", "conference-start"),
    ConferenceEnded: Row("conference", "end", "conference-end"),
    ParticipantJoined: Row("conference", "join", "participant-join"),
    ParticipantLeft: Row("conference", "leave", "participant-leave"),
    ParticipantMuted: Row("conference", "mute", "participant-mute"),
    ParticipantUnmuted: Row("conference", "mute", "participant-unmute"),
    ParticipantHeld: Row("conference", "hold", "participant-hold"),
    ParticipantUnheld: Row("conference", "hold", "participant-unhold"),
    ParticipantModified: Row("conference", "modify", "participant-modify"),
    SpeechStarted: Row("conference", "speaker", "participant-speech-start"),
    SpeechStopped: Row("conference", "speaker", "participant-speech-stop"),
    AnnouncementEnded: Row("conference", "announcement", "announcement-end"),
    AnnouncementFailed: Row("conference", "announcement", "announcement-fail"),
    CallInitiated: Row("call", "initiated", "initiated"),
    CallRang: Row("call", "ringing", "ringing"),
    CallAnswered: Row("call", "answered", "answered"),
    CallEnded: Row("call", "completed", "completed"),
    AnswererDetected: Row("detection", "detection", "detection"),
}


@dataclass(frozen=True, slots=True)
class Callback:
    """One callback to be sent: `kind` is Twilio's word, the states are those right after `event`. `subject` is what
    the event is about: the conference itself, or one of its calls."""

    lane: str
    kind: str
    settings: CallbackSettings
    sequence_number: int
    event: Event
    conference: Conference
    subject: Conference | Participant

    @property
    def call_sid(self) -> str:
        """Return the CallSid of the call that it is about; '' for what is about the conference."""
        return self.subject.call_sid if isinstance(self.subject, Participant) else ""


Source = tuple[str, int, CallbackSettings | None]
"""Lane, next sequence number, settings."""


Call = TypeVar("Call", Participant, None)


def plan_callbacks(
    conference: Conference, participant: Call, events: Iterable[Event], to_all: Collection[Event] = ()
) -> tuple[Conference, Call, list[Callback]]:
    """Plan the callbacks that `events` lead to; returns the states with their sequence numbers counted on.

    The events are about `participant`, or, those `to_all` and where it is None, about the conference.
    """
    callbacks = []
    for event in events:
        row = PLAN[type(event)]
        lane, number, settings = _source(row, conference, participant)
        if settings is None or row.word not in settings.events:
            continue
        subject = conference if participant is None or event in to_all else participant
        callbacks.append(Callback(lane, row.kind, settings, number, event, conference, subject))
        if row.source == "conference":
            conference = replace(conference, sequence_number=number + 1)
        elif row.source == "call" and participant is not None:
            participant = replace(participant, call_sequence_number=number + 1)
    return conference, participant, callbacks


def _source(row: Row, conference: Conference, participant: Participant | None) -> Source:
    """Return an event's lane, next sequence number and settings. Before the first join nobody has fixed the
    conference's settings: those that the participant brings along hold."""
    if row.source == "call" and participant is not None:
        return participant.call_sid, participant.call_sequence_number, participant.progress_callbacks
    if row.source == "detection" and participant is not None:  # one callback, whose receiver keeps no other waiting
        return f"{participant.call_sid}-detection", 0, participant.detection_callbacks
    settings = conference.callbacks
    if participant is not None and not conference.callbacks_fixed:
        settings = participant.conference_callbacks
    return "conference", conference.sequence_number, settings


def announced(events: Iterable[Event]) -> list[str]:
    """Return the ids of the announcements whose end these events tell."""
    return [event.announcement_id for event in events if isinstance(event, (AnnouncementEnded, AnnouncementFailed))]


def with_cut_off(
    events: Sequence[Event], owed: Iterable[OwedEnd], ended: Collection[str]
) -> tuple[Sequence[Event], Collection[Event]]:
    """Return the events with an end for every announcement that the conference's end cuts off; and those of these ends
    that are to all. Such an end stands before the conference's, for each that is owed one and is not among `ended`
    (ids), whose ends are told at the same time."""
    if not events or not isinstance(events[-1], ConferenceEnded):
        return events, ()
    *before, end = events
    ends = [
        (AnnouncementFailed(end.at, one.announce_url, _CUT_OFF, one.announcement_id, one.request_id), one.to_all)
        for one in owed
        if one.announcement_id not in ended
    ]
    return (*before, *(event for event, _ in ends), end), [event for event, to_all in ends if to_all]
