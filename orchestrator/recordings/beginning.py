"""Makes the recordings that creates ask for: always under the same SID, so that any process that sees that one is due
may begin it."""

from __future__ import annotations

from datetime import UTC, datetime

from orchestrator import logs
from orchestrator.domain.conference import Conference, Participant, RecordingSettings
from orchestrator.domain.recording import (
    Recording,
    RecordingSource,
)
from orchestrator.sids import mint_sid, recorder_uuid_of, recording_sid_for


def of_conference(
    conference: Conference, settings: RecordingSettings, source: RecordingSource = RecordingSource.CONFERENCE
) -> Recording:
    """Make the recording of what everybody in the conference hears."""
    is_asked_for = source is RecordingSource.CONFERENCE_API
    sid = mint_sid("RE") if is_asked_for else recording_sid_for(conference.conference_sid)
    now = datetime.now(UTC)
    return Recording(
        recording_sid=sid,
        account_sid=conference.account_sid,
        conference_sid=conference.conference_sid,
        call_sid=None,
        node=conference.node,
        channel_uuid=recorder_uuid_of(sid),
        source=source,
        created_at=now,
        updated_at=now,
        trims=settings.trims,
        callbacks=settings.callbacks,
        request_id=logs.request_id() if is_asked_for else conference.recording_request,
    )


def of_call(
    participant: Participant, settings: RecordingSettings, source: RecordingSource = RecordingSource.PARTICIPANT
) -> Recording:
    """Make the recording of one call; two channels need two tracks."""
    is_asked_for = source is RecordingSource.CALL
    now = datetime.now(UTC)
    return Recording(
        recording_sid=mint_sid("RE") if is_asked_for else recording_sid_for(participant.call_sid),
        account_sid=participant.account_sid,
        conference_sid=participant.conference_sid,
        call_sid=participant.call_sid,
        node=participant.switch.node,
        channel_uuid=participant.switch.channel_uuid,
        source=source,
        created_at=now,
        updated_at=now,
        channels=settings.channels if settings.track == "both" else 1,
        track=settings.track,
        trims=settings.trims,
        callbacks=settings.callbacks,
        request_id=logs.request_id() if is_asked_for else participant.create_request,
    )
