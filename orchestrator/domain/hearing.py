"""Who hears whom, and what else somebody hears: the rules of the room, pure.

What makes the switch sound (listener/effects.py, listener/coaching.py, playback/) asks for one side of it each; `hears`
is the whole, for tests of sound.
Hold, Coaching: https://www.twilio.com/docs/voice/api/conference-participant-resource ; waiting:
https://www.twilio.com/docs/voice/twiml/conference
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from orchestrator.domain.conference import TWILIO, Conference, Participant

SPEAKER: Final = "speaker"
"""The subscription to who begins and ceases to talk."""


@dataclass(frozen=True, slots=True)
class Sound:
    """What is played to one participant in place of the conference: `url` is absolute, STOCK, or empty for silence;
    `hold_number` tells one hold from the next, `dialect` is that in which the URL was given."""

    url: str
    method: str
    hold_number: int = 0
    dialect: str = TWILIO


def hears_conference(conference: Conference, listener: Participant) -> bool:
    """Return whether the listener hears the conference: not before its start, nor on hold."""
    return conference.has_started and not listener.hold_as_asked


def is_heard(speaker: Participant) -> bool:
    """Return whether anybody is to hear the speaker: not muted, nor on hold."""
    return not speaker.muted_as_asked and not speaker.hold_as_asked


def is_mixed(speaker: Participant) -> bool:
    """Return whether the speaker is in the mix: neither muted nor a coach, who whispers. Hold is another matter."""
    return not speaker.muted_as_asked and not speaker.coaching


def whispers(conference: Conference, listener: Participant, coach: Participant) -> bool:
    """Return whether `listener` hears `coach`, apart from the mix: only the coached person does."""
    return (
        coach.coaching
        and coach.call_sid_to_coach == listener.call_sid
        and coach.is_present
        and listener.is_present
        and hears_conference(conference, listener)
        and is_heard(coach)
    )


def is_listened_for(conference: Conference, coach: Participant) -> bool:
    """Return whether somebody wants to know when a coach talks: out of the mix the conference cannot tell."""
    wanted = conference.callbacks is not None and SPEAKER in conference.callbacks.events
    return wanted and coach.coaching and coach.is_present and is_heard(coach)


def hears(conference: Conference, listener: Participant, speaker: Participant) -> bool:
    """Return whether `listener` hears `speaker`, both being in the conference: the whole rule."""
    if listener.call_sid == speaker.call_sid:
        return False
    if speaker.coaching:
        return whispers(conference, listener, speaker)
    return hears_conference(conference, listener) and is_heard(speaker)


def background_of(conference: Conference, participant: Participant) -> Sound | None:
    """Return the sound in place of the conference: hold's, or that of waiting for the start; None: the conference."""
    if not participant.is_present or conference.is_ending:
        return None
    if participant.hold_as_asked:
        return Sound(participant.hold_url, participant.hold_method, participant.hold_number, participant.hold_dialect)
    if not conference.has_started:
        return Sound(participant.wait_url, participant.wait_method, dialect=participant.wait_dialect)
    return None
