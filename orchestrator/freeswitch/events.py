"""(event name, subclass, action) -> domain event. Two tables; what is in neither is not ours and is dropped.

Headers and their order: docs/freeswitch.md, "Order of events"; mod_conference `conference_event.c`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from orchestrator.domain.events import (
    CallAnswered,
    CallEnded,
    CallInitiated,
    CallRang,
    DialFailed,
    Event,
    Happened,
    MemberAdded,
    MemberRemoved,
    ParticipantHeld,
    ParticipantMuted,
    ParticipantUnheld,
    ParticipantUnmuted,
    SpeechStarted,
    SpeechStopped,
)
from orchestrator.freeswitch.coach_mark import COACH_MARK
from orchestrator.freeswitch.dial_string import CONFERENCE_VARIABLE
from orchestrator.freeswitch.files import PLAY_PARAMETER, PLAY_TAG
from orchestrator.freeswitch.whisper import SPEECH_ROOM, is_whisper, pair_of
from orchestrator.sids import call_sid_of, is_sid

Headers = Mapping[str, str]
Translator = Callable[[Headers, datetime], Event | None]

SUBSCRIPTION: Final = (
    "CHANNEL_CREATE CHANNEL_PROGRESS CHANNEL_PROGRESS_MEDIA CHANNEL_ANSWER CHANNEL_HANGUP_COMPLETE "
    "BACKGROUND_JOB RECORD_START RECORD_STOP CUSTOM conference::maintenance"
)


@dataclass(frozen=True, slots=True)
class EndedSound:
    """Something that we had the switch play is over, or was stopped. `lane`: whom it was played to, a CallSid or
    `conference`; `play_id`: which play it was."""

    conference_sid: str
    lane: str
    play_id: str

    def __str__(self) -> str:
        return f"{self.conference_sid}:{self.lane}:{self.play_id}"


def translate_event(headers: Headers) -> Happened | EndedSound | None:
    """Translate one event of the switch; None for those that mean nothing to us, and for foreign channels."""
    name = headers.get("Event-Name", "")
    if is_whisper(headers.get("Channel-Name", "")):
        return translate_coach(headers)
    if name == "CUSTOM":
        if headers.get("Action") in SOUND_ENDS:
            return translate_ended_sound(headers)
        translator = CONFERENCE_ACTIONS.get(headers.get("Action", ""))
        conference_sid = headers.get("Conference-Name")
    else:
        translator = EVENT_NAMES.get(name)
        conference_sid = headers.get(f"variable_{CONFERENCE_VARIABLE}")
    if translator is None:
        return None
    channel_uuid = headers.get("Job-UUID" if name == "BACKGROUND_JOB" else "Unique-ID", "")
    call_sid = call_sid_of(channel_uuid)
    if call_sid is None or (conference_sid is not None and not is_sid("CF", conference_sid)):
        return None
    event = translator(headers, _moment(headers))
    return None if event is None else Happened(call_sid, conference_sid, event)


def _moment(headers: Headers) -> datetime:
    """`Event-Date-Timestamp` is microseconds since 1970."""
    return datetime.fromtimestamp(int(headers["Event-Date-Timestamp"]) / 1_000_000, UTC)


def _outgoing(make: Callable[[datetime], Event]) -> Translator:
    def translate(headers: Headers, at: datetime) -> Event | None:
        return make(at) if headers.get("Call-Direction") == "outbound" else None

    return translate


def translate_hangup(headers: Headers, at: datetime) -> Event:
    """Translate a leg's end. The cause is FreeSWITCH's, the SIP status the far end's if it gave one; that of a
    redirect, which is not followed, stands elsewhere (sofia.c, outbound_redirect_fatal)."""
    redirect = headers.get("variable_proto_specific_hangup_cause", "").removeprefix("sip:")
    sip_status = headers.get("variable_sip_term_status") or redirect
    return CallEnded(at, headers.get("Hangup-Cause", "UNKNOWN"), int(sip_status) if sip_status.isdecimal() else None)


def translate_job(headers: Headers, at: datetime) -> Event | None:
    """Translate the result of an originate that failed; one that succeeded tells us nothing that the channel's events
    do not."""
    result = headers.get("_body", "").strip()
    return DialFailed(at, result.removeprefix("-ERR").strip()) if result.startswith("-ERR") else None


def _is_coach(headers: Headers) -> bool:
    return headers.get("Channel-Presence-ID") == COACH_MARK


def translate_add_member(headers: Headers, at: datetime) -> Event:
    """Translate a member's coming. Its number is what every command about it needs."""
    return MemberAdded(at, int(headers["Member-ID"]), None if _is_coach(headers) else headers["Speak"] == "false")


def _unless_coach(make: Callable[[datetime], Event]) -> Translator:
    """A coach is muted, whatever a client wants of the coach."""
    return lambda headers, at: None if _is_coach(headers) else make(at)


def translate_coach(headers: Headers) -> Happened | None:
    """Translate a coach's speech, for which a whisper's leg is listened to: the conference does not hear them. A
    whisper is no call."""
    make = SPEECH.get(headers.get("Action", ""))
    pair = pair_of(headers.get("Channel-Name", ""))
    conference_sid = headers.get("Conference-Name", "").removeprefix(SPEECH_ROOM)
    if make is None or pair is None or not is_sid("CF", conference_sid):
        return None
    return Happened(pair.coach, conference_sid, make(_moment(headers)))


def translate_ended_sound(headers: Headers) -> EndedSound | None:
    """Translate the end of a sound of ours. A file's parameters become headers of its events (conference_file.c,
    conference_file_close); ours names the play. Sounds without it, such as beeps, interest nobody."""
    conference_sid = headers.get("Conference-Name", "")
    match = PLAY_TAG.fullmatch(headers.get(PLAY_PARAMETER, ""))
    if match is None or not is_sid("CF", conference_sid):
        return None
    return EndedSound(conference_sid, match["lane"], match["play_id"])


SOUND_ENDS: Final = frozenset({"play-file-done", "play-file-member-done"})

EVENT_NAMES: Final[dict[str, Translator]] = {
    "CHANNEL_CREATE": _outgoing(CallInitiated),
    "CHANNEL_PROGRESS": _outgoing(CallRang),
    "CHANNEL_PROGRESS_MEDIA": _outgoing(CallRang),
    "CHANNEL_ANSWER": _outgoing(CallAnswered),
    "CHANNEL_HANGUP_COMPLETE": translate_hangup,
    "BACKGROUND_JOB": translate_job,
}

CONFERENCE_ACTIONS: Final[dict[str, Translator]] = {
    "add-member": translate_add_member,
    "del-member": lambda _, at: MemberRemoved(at),
    "mute-member": _unless_coach(ParticipantMuted),
    "unmute-member": _unless_coach(ParticipantUnmuted),
    "hold-member": lambda _, at: ParticipantHeld(at),
    "unhold-member": lambda _, at: ParticipantUnheld(at),
    "start-talking": lambda _, at: SpeechStarted(at),
    "stop-talking": lambda _, at: SpeechStopped(at),
}

SPEECH: Final[dict[str, Callable[[datetime], Event]]] = {
    "start-talking": SpeechStarted,
    "stop-talking": SpeechStopped,
    "del-member": SpeechStopped,  # muted, held, back in the mix: nobody listens for them any more
}
