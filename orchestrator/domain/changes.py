"""What a batch of events changes in one conference, as it is committed in one step."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from orchestrator.domain.conference import Conference, Participant

_SAYS: Final = {
    "MemberAdded": "added",
    "ParticipantMuted": "muted",
    "ParticipantUnmuted": "muted",
    "ParticipantHeld": "hold",
    "ParticipantUnheld": "hold",
}
"""Event -> of what the switch speaks; `added`: of all, for the first time."""

_WISHES: Final = {
    "ParticipantMuted": "mute_request",
    "ParticipantUnmuted": "unmute_request",
    "ParticipantHeld": "hold_request",
    "ParticipantUnheld": "unhold_request",
}
"""Event -> the field of the participant's record that names the request which asked for it."""

Transition = tuple[str, str, str, str, str]
"""An event's subject, the event, the subject's status before and after, and the request that asked for it, where that
is known."""


def said_in(events: Iterable[str]) -> frozenset[str]:
    """Return of what the switch has spoken in a call's events: of being `added`, `muted`, on `hold`. Only that fulfils
    a wish: what another event finds as it is wanted may be so because the switch has done nothing yet."""
    return frozenset(_SAYS[event] for event in events if event in _SAYS)


def wishes_in(events: Iterable[str]) -> list[str]:
    """Return the fields of a call's record that name who asked for what the switch says in these events."""
    return [_WISHES[event] for event in events if event in _WISHES]


def wish_of(call_sid: str, event: str) -> str:
    """Return the name of the wish that an event fulfils, CallSid and field; '' if it is none that can be wished for."""
    return f"{call_sid} {_WISHES[event]}" if event in _WISHES else ""


@dataclass(frozen=True, slots=True)
class Versioned:
    """A conference as it was read, with the version that a commit has to find unchanged."""

    conference: Conference
    version: int


@dataclass(frozen=True, slots=True)
class NewCallback:
    """A callback to be kept: its idempotency token, the moment of its event (ms), and its entry as JSON. `wish`: that
    which its event fulfils; who asked for it the commit finds, and enters."""

    token: str
    planned_ms: int
    entry: bytes
    wish: str = ""


@dataclass(slots=True)
class Change:
    """All that one batch of events changed in one conference. `commit_id` tells a repeated commit from a new one."""

    before: Versioned
    after: Conference
    commit_id: str
    participants: dict[str, tuple[Participant, Participant]] = field(default_factory=dict)
    """CallSid -> the participant as it was read, and as it is now."""
    outbox: dict[str, list[NewCallback]] = field(default_factory=dict)
    """Lane -> its new callbacks, in order."""
    transitions: list[Transition] = field(default_factory=list)
    """For the log, once it is written."""
    announced: list[str] = field(default_factory=list)
    """Announcements whose end is told."""

    def events(self) -> dict[str, list[str]]:
        """Return each subject's events, in order."""
        found: dict[str, list[str]] = {}
        for subject, event, *_ in self.transitions:
            found.setdefault(subject, []).append(event)
        return found
