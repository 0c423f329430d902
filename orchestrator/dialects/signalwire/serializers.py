"""Answers out: Twilio's, with UUIDs, and without what SignalWire does not know (wire-contract section 3.7)."""

from __future__ import annotations

from typing import Any

from orchestrator.dialects.base import Answer, Asked, Page
from orchestrator.dialects.twilio import recordings, serializers
from orchestrator.domain.conference import STOCK, Participant
from orchestrator.domain.recording import (
    UNFINISHED,
    Recording,
    RecordingSource,
)


def serialize_participant(asked: Asked, participant: Participant) -> dict[str, Any]:
    """Serialize a participant. Its `status` has two words only; `hold_url` is there while somebody is on hold with
    one."""
    body = serializers.serialize_participant(asked, participant)
    del body["label"], body["queue_time"]
    body["status"] = "in-progress" if participant.is_live else "completed"
    if participant.hold_as_asked and participant.hold_url not in (STOCK, ""):
        body["hold_url"] = participant.hold_url
    return body


def render_participant(asked: Asked, participant: Participant, _: int | None) -> Answer:
    """A participant; there is no queue that a create could tell of."""
    return serializers.as_json(serialize_participant(asked, participant))


def render_participants(asked: Asked, page: Page[Participant]) -> Answer:
    """A page of participants."""
    rows = [serialize_participant(asked, row) for row in page.rows]
    return serializers.as_json(serializers.serialize_page("participants", page, rows))


def serialize_recording(asked: Asked, recording: Recording, where: str, base: str) -> dict[str, Any]:
    """A recording: Twilio's keys, the number of channels a text, and what SignalWire says beside them."""
    body = recordings.serialize_recording(asked, recording, where, base)
    body["channels"] = str(recording.channels)
    body["channel"] = str(recording.channels)
    body["trim"] = "trim-silence" if recording.trims else "do-not-trim"
    finished = recording.status not in UNFINISHED
    body["duration"] = round((recording.duration_ms or 0) / 1000) if finished else None
    ended_at = recording.parts[-1].ended_at if finished else None
    body["end_time"] = serializers.rfc2822(ended_at) if ended_at else None
    if recording.source is RecordingSource.CONFERENCE_API:
        body["source"] = "StartConferenceRecording"
    return body


def render_recording(asked: Asked, recording: Recording, where: str, base: str) -> Answer:
    """A recording."""
    return serializers.as_json(serialize_recording(asked, recording, where, base))


def render_recordings(asked: Asked, page: Page[Recording], where: str, base: str) -> Answer:
    """A page of recordings."""
    rows = [serialize_recording(asked, row, where, base) for row in page.rows]
    return serializers.as_json(serializers.serialize_page("recordings", page, rows))
