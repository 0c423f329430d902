"""Ends a detection that takes too long as `unknown`: the detector is away, or hangs, and nobody has said who picked
up."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from orchestrator.domain.conference import Participant
from orchestrator.domain.events import AnswererDetected, Happened
from orchestrator.domain.rules import UNKNOWN

GRACE_SECONDS: Final = 2.0
"""How long beyond MachineDetectionTimeout a detector that is there may take to say so itself."""


class Overdue:
    """Tracks the calls that wait for a detector, in memory: a listener that takes over finds them in its first
    snapshot."""

    def __init__(self) -> None:
        self._awaited: dict[str, Participant] = {}

    def note(self, participants: Iterable[Participant]) -> None:
        """Track participants whose answering party is still unknown; drop the others."""
        for participant in participants:
            if participant.is_being_detected:
                self._awaited[participant.call_sid] = participant
            else:
                self._awaited.pop(participant.call_sid, None)

    def take(self, now: datetime) -> list[Happened]:
        """Return an event for each participant who has waited too long, and drop them. If it is not committed, a
        snapshot has them tracked again, and the event is made once more."""
        late = [one for one in self._awaited.values() if now >= _limit_of(one)]
        for participant in late:
            del self._awaited[participant.call_sid]
        return [
            Happened(one.call_sid, one.conference_sid, AnswererDetected(now, UNKNOWN, 1000 * one.detection_seconds))
            for one in late
        ]


def _limit_of(participant: Participant) -> datetime:
    answered_at = participant.answered_at
    assert answered_at is not None  # noqa: S101 -- is_being_detected says so
    return answered_at + timedelta(seconds=participant.detection_seconds + GRACE_SECONDS)
