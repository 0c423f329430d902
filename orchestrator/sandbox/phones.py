"""The scripted phones: the dialled number decides what its far end does. The same numbers as tests/farend/phones.xml.

+1 555 000 <kind> <nnn>
  0      redirects (302) to one that answers at once
  1      answers at once, without ringing
  2 nnn  rings nnn seconds (000: a fifth of a second), answers
  3      busy: SIP 486
  4      rings for ever
  5 nnn  answers at once, hangs up after nnn seconds
  6      does not exist: SIP 404
  7 nnn  early media for nnn seconds, answers
  8 nnn  early media for nnn seconds, then busy: SIP 486
  9      declines: SIP 603
anything else rings for a second and answers
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

_SCRIPTED = re.compile(r"\+?1555000(\d)(\d{3})(?!\d)")
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


Step = Wait | Ring | EarlyMedia | Answer | Refuse | Redirect | HangUp
Script = tuple[Step, ...]

BUSY = Refuse(486, "Busy Here", "USER_BUSY")
NOT_FOUND = Refuse(404, "Not Found", "UNALLOCATED_NUMBER")
DECLINE = Refuse(603, "Decline", "CALL_REJECTED")

_SCRIPTS: dict[str, Callable[[int], Script]] = {
    "0": lambda seconds: (Redirect(302),),
    "1": lambda seconds: (Answer(),),
    "2": lambda seconds: (Ring(), Wait(seconds or _BRIEF_RING_SECONDS), Answer()),
    "3": lambda seconds: (BUSY,),
    "4": lambda seconds: (Ring(),),
    "5": lambda seconds: (Answer(), Wait(seconds), HangUp()),
    "6": lambda seconds: (NOT_FOUND,),
    "7": lambda seconds: (EarlyMedia(), Wait(seconds), Answer()),
    "8": lambda seconds: (EarlyMedia(), Wait(seconds), BUSY),
    "9": lambda seconds: (DECLINE,),
}
_ANYBODY_ELSE: Script = (Ring(), Wait(1), Answer())


def script_for(dialled: str) -> Script:
    """What the phone behind this destination does, one step after the other."""
    found = _SCRIPTED.search(dialled)
    if found is None or found.group(1) not in _SCRIPTS:
        return _ANYBODY_ELSE
    return _SCRIPTS[found.group(1)](int(found.group(2)))
