"""A participant as the call that it is: Twilio's Call resource (wire-contract section 6). Pure."""

from __future__ import annotations

from typing import Final

from orchestrator.domain.conference import CallStatus, Participant, ParticipantStatus
from orchestrator.domain.hangup import final_call_status

ON_THE_WAY: Final = (CallStatus.QUEUED, CallStatus.RINGING)
UNDER_WAY: Final = (*ON_THE_WAY, CallStatus.IN_PROGRESS)


def call_status(participant: Participant) -> CallStatus:
    """Return the call's status now. The resource has no word for a call that is dialled and does not ring yet."""
    if participant.ended_at is not None:
        return final_call_status(participant)
    if participant.answered_at is not None:
        return CallStatus.IN_PROGRESS
    return CallStatus.QUEUED if participant.status is ParticipantStatus.QUEUED else CallStatus.RINGING


def queue_time_ms(participant: Participant) -> int:
    """Return how long the call waited before it was dialled; 0 of one that waits still, or was never dialled."""
    if participant.dialled_at is None:
        return 0
    return max(0, round((participant.dialled_at - participant.created_at).total_seconds() * 1000))


def talked_seconds(participant: Participant) -> int:
    """Return how long the call was up; 0 if it was never answered, or has not ended."""
    if participant.answered_at is None or participant.ended_at is None:
        return 0
    return max(0, round((participant.ended_at - participant.answered_at).total_seconds()))
