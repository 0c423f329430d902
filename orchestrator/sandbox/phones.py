"""The scripted phones: the dialled number decides what its far end does. The same numbers as tests/farend/phones.xml.

+1 555 000 <kind> <nnn>
  0      redirects (302) to one that answers at once
  1      answers at once, without ringing
  2 nnn  rings nnn seconds (000: a fifth of a second), answers
  3      busy: SIP 486
  4      rings for ever
  5 nnn  answers at once, hangs up after nnn seconds
  6 nnn  refuses with the SIP status nnn (000: 404, does not exist)
  7 nnn  early media for nnn seconds, answers
  8 nnn  early media for nnn seconds, then busy: SIP 486
  9      declines: SIP 603
+1 555 001 0 <s> <nn>
         answers at once; talks for s seconds, is silent for s seconds, and so on (0: is always silent)
+1 555 001 1 <s> <nn>
         answers at once; speaks, so that it sounds like a voice, for s seconds (0: 600 ms, as a person), beeps 300 ms
         later for nn tenths of a second, and is silent
anything else rings for a second and answers

Who has answered plays a tone, whose pitch the number tells as well; nothing sounds, but recordings have it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from itertools import chain

_SCRIPTED = re.compile(r"\+?1555000(\d)(\d{3})(?!\d)")
_TALKS_IN_TURNS = re.compile(r"\+?15550010(\d)(\d{2})(?!\d)")
_GREETS = re.compile(r"\+?15550011(\d)(\d{2})(?!\d)")
_VOICE_HERTZ = (320, 810, 1530)
"""A chord that detectors of voices take for one."""
_PERSON_SECONDS = 0.6
_BEFORE_BEEP_SECONDS = 0.3
_BEEP_HERTZ = 1000
_PITCH = re.compile(r"\+?155500(?:0\d|10)\d(\d)(\d)(?!\d)")
_USUAL_HERTZ = 440
_BRIEF_RING_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Wait:
    """The far end does nothing for a while."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Ring:
    """180 Ringing."""


@dataclass(frozen=True, slots=True)
class EarlyMedia:
    """183 Session Progress with media."""


@dataclass(frozen=True, slots=True)
class Answer:
    """200 OK."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """A final SIP response; `cause` is what sofia_glue_sip_cause_to_freeswitch makes of it (mod_sofia/sofia_glue.c)."""

    sip_status: int
    phrase: str
    cause: str


@dataclass(frozen=True, slots=True)
class Redirect:
    """A 3xx that is not followed, as every call of ours has it (outbound_redirect_fatal, mod_sofia/sofia.c)."""

    sip_status: int


@dataclass(frozen=True, slots=True)
class HangUp:
    """BYE."""


@dataclass(frozen=True, slots=True)
class Quiet:
    """Stops talking."""


@dataclass(frozen=True, slots=True)
class Speak:
    """Talks again, with these pitches if any are given."""

    hertz: tuple[int, ...] = ()


Step = Wait | Ring | EarlyMedia | Answer | Refuse | Redirect | HangUp | Quiet | Speak
Script = Iterable[Step]

# fmt: off
_CAUSES = {
    400: "NORMAL_TEMPORARY_FAILURE", 401: "CALL_REJECTED", 402: "CALL_REJECTED", 403: "CALL_REJECTED",
    404: "UNALLOCATED_NUMBER", 405: "SERVICE_UNAVAILABLE", 406: "SERVICE_NOT_IMPLEMENTED", 407: "CALL_REJECTED",
    408: "RECOVERY_ON_TIMER_EXPIRE", 410: "NUMBER_CHANGED", 413: "INTERWORKING", 414: "INTERWORKING",
    415: "SERVICE_NOT_IMPLEMENTED", 416: "INTERWORKING", 420: "INTERWORKING", 421: "INTERWORKING",
    423: "INTERWORKING", 428: "NO_IDENTITY", 429: "BAD_IDENTITY_INFO", 437: "UNSUPPORTED_CERTIFICATE",
    438: "INVALID_IDENTITY", 480: "NO_USER_RESPONSE", 481: "NORMAL_TEMPORARY_FAILURE", 482: "EXCHANGE_ROUTING_ERROR",
    483: "EXCHANGE_ROUTING_ERROR", 484: "INVALID_NUMBER_FORMAT", 485: "NO_ROUTE_DESTINATION", 486: "USER_BUSY",
    487: "ORIGINATOR_CANCEL", 488: "INCOMPATIBLE_DESTINATION", 500: "NORMAL_TEMPORARY_FAILURE",
    501: "SERVICE_NOT_IMPLEMENTED", 502: "NETWORK_OUT_OF_ORDER", 503: "NORMAL_TEMPORARY_FAILURE",
    504: "RECOVERY_ON_TIMER_EXPIRE", 505: "INTERWORKING", 513: "INTERWORKING", 600: "USER_BUSY",
    603: "CALL_REJECTED", 604: "NO_ROUTE_DESTINATION", 606: "INCOMPATIBLE_DESTINATION", 607: "UNWANTED",
    608: "CALL_REJECTED",
}
# fmt: on
"""sofia_glue_sip_cause_to_freeswitch of mod_sofia/sofia_glue.c."""
_PHRASES = {
    **{status.value: status.phrase for status in HTTPStatus if status >= HTTPStatus.BAD_REQUEST},
    480: "Temporarily Unavailable",
    484: "Address Incomplete",
    486: "Busy Here",
    488: "Not Acceptable Here",
    500: "Internal Server Error",
    600: "Busy Everywhere",
    603: "Decline",
    604: "Does Not Exist Anywhere",
}


def refusal(status: int) -> Refuse:
    """Return what the switch makes of a final response with this status."""
    return Refuse(status, _PHRASES.get(status, "Failure"), _CAUSES.get(status, "NORMAL_UNSPECIFIED"))


def talk_in_turns(seconds: int) -> Iterator[Step]:
    """Talks and is silent in turns; with 0, always silent."""
    while seconds:
        yield from (Wait(seconds), Quiet(), Wait(seconds), Speak())
    yield Quiet()


def _greet(seconds: int, tenths: int) -> Iterator[Step]:
    yield Speak(_VOICE_HERTZ)
    yield Answer()
    yield Wait(seconds or _PERSON_SECONDS)
    yield Quiet()
    if tenths:
        yield Wait(_BEFORE_BEEP_SECONDS)
        yield Speak((_BEEP_HERTZ,))
        yield Wait(tenths / 10)
        yield Quiet()


BUSY = refusal(486)

_SCRIPTS: dict[str, Callable[[int], Script]] = {
    "0": lambda seconds: (Redirect(302),),
    "1": lambda seconds: (Answer(),),
    "2": lambda seconds: (Ring(), Wait(seconds or _BRIEF_RING_SECONDS), Answer()),
    "3": lambda seconds: (BUSY,),
    "4": lambda seconds: (Ring(),),
    "5": lambda seconds: (Answer(), Wait(seconds), HangUp()),
    "6": lambda status: (refusal(status or 404),),
    "7": lambda seconds: (EarlyMedia(), Wait(seconds), Answer()),
    "8": lambda seconds: (EarlyMedia(), Wait(seconds), BUSY),
    "9": lambda seconds: (refusal(603),),
}
_ANYBODY_ELSE: Script = (Ring(), Wait(1), Answer())


def script_for(dialled: str) -> Script:
    """Return what the phone behind this destination does, one step after the other."""
    talker = _TALKS_IN_TURNS.search(dialled)
    if talker is not None:
        return chain((Answer(),), talk_in_turns(int(talker.group(1))))
    greeting = _GREETS.search(dialled)
    if greeting is not None:
        return _greet(int(greeting.group(1)), int(greeting.group(2)))
    found = _SCRIPTED.search(dialled)
    if found is None or found.group(1) not in _SCRIPTS:
        return _ANYBODY_ELSE
    return _SCRIPTS[found.group(1)](int(found.group(2)))


def tone_hz(dialled: str) -> int:
    """Return the pitch that the phone plays once it has answered."""
    found = _PITCH.search(dialled)
    return _USUAL_HERTZ if found is None else 1000 + 100 * int(found.group(2)) + 10 * int(found.group(1))
