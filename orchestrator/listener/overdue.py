"""Calls of which nobody has said in time who picked up: the detector is away, or hangs. They are `unknown`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from orchestrator.domain.conference import Participant
from orchestrator.domain.events import AnswererDetected, Happened
from orchestrator.domain.rules import UNKNOWN

GRACE_SECONDS: Final = 2.0
"""Beyond MachineDetectionTimeout: so long a detector that is there may take to say so itself."""


class Overdue:
    """In memory: what a listener that dies has forgotten the next one finds in its first snapshot."""

    def __init__(self) -> None:
        self._awaited: dict[str, Participant] = {}

    def note(self, participants: Iterable[Participant]) -> None:
        """Remember those of whom it is to be found out who they are; forget those of whom it is known."""
        for participant in participants:
            if participant.is_being_detected:
                self._awaited[participant.call_sid] = participant
            else:
                self._awaited.pop(participant.call_sid, None)

    def take(self, now: datetime) -> list[Happened]:
        """The events of those who have been waited for long enough. They are told once more if that is not committed:
        it is found out from a snapshot."""
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
