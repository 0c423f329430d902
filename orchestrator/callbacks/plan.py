"""domain event -> callback kind, as one table; who is told, and the sequence numbers.

Subscription words and callback kinds: wire-contract sections 8.1 and 8.2. A sequence number is given to a callback
that will be sent, so a client sees numbers without gaps.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Final, Literal

from orchestrator.domain.conference import CallbackSettings, Conference, Participant
from orchestrator.domain.events import (
    AnnouncementEnded,
    AnnouncementFailed,
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


@dataclass(frozen=True, slots=True)
class Row:
    """`source` decides the lane and the settings; `word` is the subscription, `kind` the callback."""

    source: Literal["conference", "call"]
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
}


@dataclass(frozen=True, slots=True)
class Callback:
    """One callback to be sent: `kind` is Twilio's word, the states are those right after `event`."""

    lane: str
    kind: str
    settings: CallbackSettings
    sequence_number: int
    event: Event
    conference: Conference
    participant: Participant

    @property
    def call_sid(self) -> str:
        """Whose callback it is; '' for an announcement to all, which anybody of the conference may carry."""
        if isinstance(self.event, (AnnouncementEnded, AnnouncementFailed)) and self.event.to_all:
            return ""
        return self.participant.call_sid


def plan_callbacks(
    conference: Conference, participant: Participant, events: tuple[Event, ...]
) -> tuple[Conference, Participant, list[Callback]]:
    """The callbacks that `events` lead to, and the states with their sequence numbers counted on."""
    callbacks = []
    for event in events:
        row = PLAN[type(event)]
        if row.source == "conference":
            settings = conference.callbacks if conference.callbacks_fixed else participant.conference_callbacks
            number, lane = conference.sequence_number, "conference"
        else:
            settings, number, lane = (
                participant.progress_callbacks,
                participant.call_sequence_number,
                participant.call_sid,
            )
        if settings is None or row.word not in settings.events:
            continue
        callbacks.append(Callback(lane, row.kind, settings, number, event, conference, participant))
        if row.source == "conference":
            conference = replace(conference, sequence_number=number + 1)
        else:
            participant = replace(participant, call_sequence_number=number + 1)
    return conference, participant, callbacks


def announced(events: Iterable[Event]) -> list[str]:
    """The announcements whose end these events tell."""
    return [event.announcement_id for event in events if isinstance(event, (AnnouncementEnded, AnnouncementFailed))]


def with_cut_off(events: tuple[Event, ...], owed: Iterable[OwedEnd], told: Collection[str]) -> tuple[Event, ...]:
    """`events`, the last of which ends the conference: before it the end of each announcement that is still owed one,
    but for those that are `told` at the same time."""
    *before, end = events
    cut_off = (
        AnnouncementFailed(end.at, one.announce_url, "the conference has ended", one.announcement_id, one.to_all)
        for one in owed
        if one.announcement_id not in told
    )
    return (*before, *cut_off, end)
