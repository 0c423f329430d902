"""Callbacks out: the parameters of every callback kind (wire-contract sections 8.1 and 8.2)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, cast

from orchestrator.callbacks.plan import Callback
from orchestrator.dialects.twilio.serializers import API_VERSION, rfc2822
from orchestrator.domain.calls import talked_seconds
from orchestrator.domain.conference import CallStatus, Conference, Participant
from orchestrator.domain.events import (
    AnnouncementEnded,
    AnnouncementFailed,
    AnswererDetected,
    CallEnded,
    ParticipantLeft,
)
from orchestrator.domain.hangup import final_call_status

Parameters = list[tuple[str, str]]

_PLACES: Final = tuple(
    f"{party}{place}" for party in ("From", "To", "Caller", "Called") for place in ("City", "State", "Zip", "Country")
)

_REASON_TEXTS: Final = {
    "conference-ended-via-api": "The conference was ended with a request to the API",
    "participant-with-end-conference-on-exit-left": "A participant with EndConferenceOnExit left",
    "participant-with-end-conference-on-exit-kicked": "A participant with EndConferenceOnExit was removed",
    "last-participant-kicked": "The last participant was removed",
    "last-participant-left": "The last participant left",
}

SIP_RESPONSES: Final = {
    CallStatus.COMPLETED: 200,
    CallStatus.BUSY: 486,
    CallStatus.CANCELED: 487,
    CallStatus.NO_ANSWER: 487,
    CallStatus.FAILED: 503,
}
"""Where the far end's last word was none (our side hung up) or never came: the answer to our INVITE, or to our CANCEL
as Twilio reports it (wire-contract section 8.1)."""


def _boolean(value: bool) -> str:
    return "true" if value else "false"


def _conference(callback: Callback) -> Parameters:
    conference = callback.conference
    return [
        ("ConferenceSid", conference.conference_sid),
        ("FriendlyName", conference.friendly_name),
        ("AccountSid", conference.account_sid),
        ("SequenceNumber", str(callback.sequence_number)),
        ("Timestamp", rfc2822(callback.event.at)),
        ("StatusCallbackEvent", callback.kind),
    ]


def _call_of(callback: Callback) -> Participant:
    return cast(Participant, callback.subject)


def _participant(callback: Callback) -> Parameters:
    return [*_conference(callback), *_state(_call_of(callback))]


def _state(participant: Participant) -> Parameters:
    parameters = [
        ("CallSid", participant.call_sid),
        ("Muted", _boolean(participant.muted)),
        ("Hold", _boolean(participant.hold)),
        ("Coaching", _boolean(participant.coaching)),
        ("EndConferenceOnExit", _boolean(participant.end_conference_on_exit)),
        ("StartConferenceOnEnter", _boolean(participant.start_conference_on_enter)),
    ]
    if participant.coaching and participant.call_sid_to_coach:
        parameters.append(("CallSidToCoach", participant.call_sid_to_coach))
    if participant.label:
        parameters.append(("ParticipantLabel", participant.label))
    return parameters


def _announcement(callback: Callback) -> Parameters:
    """Serialize an announcement's end. The participant it was played to is told if it was one, and as long as they are
    there."""
    event = cast(AnnouncementEnded | AnnouncementFailed, callback.event)
    parameters = [*_conference(callback), ("AnnounceUrl", event.announce_url)]
    if isinstance(event, AnnouncementFailed):
        parameters.append(("ReasonAnnouncementFailed", event.reason))
    if isinstance(callback.subject, Participant) and callback.subject.is_present:
        parameters += _state(callback.subject)
    return parameters


def _leave(callback: Callback) -> Parameters:
    event = cast(ParticipantLeft, callback.event)
    return [
        *_participant(callback),
        ("ParticipantCallStatus", str(final_call_status(_call_of(callback)))),
        ("ReasonParticipantLeft", str(event.reason)),
    ]


def _end(callback: Callback) -> Parameters:
    conference = callback.conference
    parameters = _conference(callback)
    if conference.ending_call_sid:
        parameters.append(("CallSidEndingConference", conference.ending_call_sid))
        if conference.ending_label:
            parameters.append(("ParticipantLabelEndingConference", conference.ending_label))
    if conference.end_reason:
        reason = str(conference.end_reason)
        parameters += [("ReasonConferenceEnded", reason), ("Reason", _REASON_TEXTS[reason])]
    return parameters


def _call(callback: Callback, status: CallStatus) -> Parameters:
    participant = _call_of(callback)
    parameters = [
        ("CallSid", participant.call_sid),
        ("AccountSid", participant.account_sid),
        ("From", participant.from_),
        ("To", participant.to),
        ("Caller", participant.from_),
        ("Called", participant.to),
        ("Direction", "outbound-api"),
        ("ApiVersion", API_VERSION),
        ("CallStatus", str(status)),
        ("CallbackSource", "call-progress-events"),
        ("SequenceNumber", str(callback.sequence_number)),
        ("Timestamp", rfc2822(callback.event.at)),
    ]
    if not participant.to.startswith(("sip:", "sips:", "client:")):
        parameters += [(name, "") for name in _PLACES]
    if participant.answered_by is not None:
        parameters.append(("AnsweredBy", participant.answered_by))
    return parameters


def _detection(callback: Callback) -> Parameters:
    event = cast(AnswererDetected, callback.event)
    return [
        ("CallSid", callback.call_sid),
        ("AccountSid", callback.conference.account_sid),
        ("AnsweredBy", event.answered_by),
        ("MachineDetectionDuration", str(event.duration_ms)),
    ]


def _completed(callback: Callback) -> Parameters:
    event, participant = cast(CallEnded, callback.event), _call_of(callback)
    status = final_call_status(participant)
    seconds = talked_seconds(participant)
    return [
        *_call(callback, status),
        ("CallDuration", str(seconds)),
        ("Duration", str(math.ceil(seconds / 60))),
        ("SipResponseCode", str(event.sip_status or SIP_RESPONSES[status])),
    ]


SERIALIZERS: Final[dict[str, Callable[[Callback], Parameters]]] = {
    "conference-start": _conference,
    "conference-end": _end,
    "participant-join": _participant,
    "participant-leave": _leave,
    "participant-mute": _participant,
    "participant-unmute": _participant,
    "participant-hold": _participant,
    "participant-unhold": _participant,
    "participant-modify": _participant,
    "participant-speech-start": _participant,
    "participant-speech-stop": _participant,
    "announcement-end": _announcement,
    "announcement-fail": _announcement,
    "initiated": lambda callback: _call(callback, CallStatus.INITIATED),
    "ringing": lambda callback: _call(callback, CallStatus.RINGING),
    "answered": lambda callback: _call(callback, CallStatus.IN_PROGRESS),
    "completed": _completed,
    "detection": _detection,
}
"""Callback kind -> its parameters. A planned kind without a row fails the guard test."""


def serialize_fetch(conference: Conference, participant: Participant | None) -> Parameters:
    """Serialize what goes along with a request for a WaitUrl, HoldUrl or AnnounceUrl (wire-contract section 8.5)."""
    parameters = [
        ("AccountSid", conference.account_sid),
        ("ApiVersion", API_VERSION),
        ("ConferenceSid", conference.conference_sid),
        ("FriendlyName", conference.friendly_name),
    ]
    if participant is None:
        return parameters
    return [
        *parameters,
        ("CallSid", participant.call_sid),
        ("From", participant.from_),
        ("To", participant.to),
        ("CallStatus", str(CallStatus.IN_PROGRESS)),
        ("Direction", "outbound-api"),
    ]


def serialize_callback(callback: Callback) -> Parameters:
    """Serialize the parameters of a callback, in the order in which they are sent."""
    return SERIALIZERS[callback.kind](callback)
