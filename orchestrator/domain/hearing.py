"""Who hears whom, and what else somebody hears: the rules of the room, pure.

What makes the switch sound (orders.py, sounds/) asks for one side of it each; `hears` is the whole, for tests of sound.
Hold, Coaching: https://www.twilio.com/docs/voice/api/conference-participant-resource ; waiting:
https://www.twilio.com/docs/voice/twiml/conference
"""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.domain.conference import TWILIO, Coach, Conference, Participant


@dataclass(frozen=True, slots=True)
class Sound:
    """What is played to one participant in place of the conference: `url` is absolute, STOCK, or empty for silence;
    `turn` tells one hold from the next, `dialect` is that in which the URL was given."""

    url: str
    method: str
    turn: int = 0
    dialect: str = TWILIO


def hears_conference(conference: Conference, listener: Participant) -> bool:
    """False while it has not started, and for somebody on hold."""
    return conference.has_started and not listener.hold_as_asked


def is_heard(speaker: Participant) -> bool:
    """False for somebody muted or on hold."""
    return not speaker.muted_as_asked and not speaker.hold_as_asked


def may_hear(listener: Participant, speaker: Participant) -> bool:
    """Only the coached person may hear a coach; relations between members say so to the switch."""
    return not speaker.coaching or _is_coached(listener.call_sid, speaker.call_sid_to_coach)


def hears_coach(call_sid: str, coach: Coach) -> bool:
    """The same of a member whom only the CallSid is known of."""
    return _is_coached(call_sid, coach.coached_call_sid)


def _is_coached(call_sid: str, coached_call_sid: str | None) -> bool:
    return call_sid == coached_call_sid


def hears(conference: Conference, listener: Participant, speaker: Participant) -> bool:
    """The whole rule: does `listener` hear `speaker`, both being in the conference?"""
    return (
        listener.call_sid != speaker.call_sid
        and hears_conference(conference, listener)
        and is_heard(speaker)
        and may_hear(listener, speaker)
    )


def background_of(conference: Conference, participant: Participant) -> Sound | None:
    """The sound in place of the conference: hold's, or that of waiting for the start; None: the conference itself."""
    if not participant.is_present or conference.is_ending:
        return None
    if participant.hold_as_asked:
        return Sound(participant.hold_url, participant.hold_method, participant.hold_turn, participant.hold_dialect)
    if not conference.has_started:
        return Sound(participant.wait_url, participant.wait_method, dialect=participant.wait_dialect)
    return None
