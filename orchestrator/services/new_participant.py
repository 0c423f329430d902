"""A participant as it is when it is asked for: what is kept of the create parameters.

A create field that is state is read here; one that only the switch has to know, by `freeswitch.dial_string`.
"""

from __future__ import annotations

from dataclasses import asdict, fields
from datetime import UTC, datetime

import orjson

from orchestrator import logs
from orchestrator.domain.commands import NOT_SENT_YET, SECRETS, SHOWN, CreateParticipant
from orchestrator.domain.conference import Conference, Participant, RecordingSettings, SwitchRef
from orchestrator.sids import channel_uuid_of


def make_participant(call_sid: str, conference: Conference, command: CreateParticipant) -> Participant:
    """Make the record of a participant who is dialled now, for the request that is being answered."""
    now = datetime.now(UTC)
    return Participant(
        call_sid=call_sid,
        conference_sid=conference.conference_sid,
        account_sid=conference.account_sid,
        switch=SwitchRef(conference.node, channel_uuid_of(call_sid)),
        from_=command.from_,
        to=command.to,
        created_at=now,
        updated_at=now,
        dialled_at=now,
        label=command.label,
        muted=command.muted,
        coaching=command.coaching,
        call_sid_to_coach=command.call_sid_to_coach,
        wait_url=command.wait_url,
        wait_method=command.wait_method,
        wait_dialect=command.dialect,
        beep_on_enter=command.beep in ("true", "onEnter"),
        beep_on_exit=command.beep in ("true", "onExit"),
        start_conference_on_enter=command.start_conference_on_enter,
        end_conference_on_exit=command.end_conference_on_exit,
        progress_callbacks=command.progress_callbacks,
        conference_callbacks=command.conference_callbacks,
        detection_callbacks=command.amd_callbacks,
        detection_seconds=command.machine_detection_timeout_seconds if command.machine_detection else 0,
        recording=_call_recording(command),
        conference_recording=_conference_recording(command),
        create_request=logs.request_id(),
        options_json=_stored_options(command),
    )


def _call_recording(command: CreateParticipant) -> RecordingSettings | None:
    if not command.record:
        return None
    channels = 2 if command.recording_channels == "dual" else 1
    trims = command.trim == "trim-silence"
    return RecordingSettings(channels, command.recording_track, trims, command.recording_callbacks)


def _conference_recording(command: CreateParticipant) -> RecordingSettings | None:
    if command.conference_record != "record-from-start":
        return None
    trims = command.conference_trim == "trim-silence"
    return RecordingSettings(trims=trims, callbacks=command.conference_recording_callbacks)


def _stored_options(command: CreateParticipant) -> str:
    """Return the create parameters without a field of their own that differ from their defaults, but for secrets."""
    given = asdict(command)
    plain = {field.name: field.default for field in fields(CreateParticipant)}
    kept = (NOT_SENT_YET.keys() - SECRETS) | SHOWN
    return orjson.dumps({name: given[name] for name in sorted(kept) if given[name] != plain[name]}).decode()
