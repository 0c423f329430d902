"""The defaults of a create request."""

from __future__ import annotations

import dataclasses

import pytest

from orchestrator.domain.commands import CreateParticipant

DEFAULTS = {
    "label": None, "timeout_seconds": 60, "muted": False, "beep": "true", "start_conference_on_enter": True,
    "end_conference_on_exit": False, "early_media": True, "max_participants": 250, "coaching": False,
    "call_sid_to_coach": None, "wait_method": "POST", "region": None,
    "record": False, "recording_channels": "mono", "recording_track": "both", "trim": "trim-silence",
    "conference_record": "do-not-record", "conference_trim": "trim-silence", "machine_detection": None,
    "machine_detection_timeout_seconds": 30, "machine_detection_speech_threshold_ms": 2400,
    "machine_detection_speech_end_threshold_ms": 1200, "machine_detection_silence_timeout_ms": 5000,
    "caller_id": None, "progress_callbacks": None, "conference_callbacks": None,
}  # fmt: skip


@pytest.mark.parametrize(("field", "value"), DEFAULTS.items())
def test_a_parameter_that_is_not_given_has_twilios_default(field: str, value: object) -> None:
    """Wire-contract section 3.3."""
    assert getattr(CreateParticipant("+15550001000", "+15550002000"), field) == value


def test_without_a_size_there_is_no_jitter_buffer() -> None:
    """Twilio's is large: here that would be 0.2 s more of delay for everybody."""
    assert CreateParticipant("+15550001000", "+15550002000").jitter_buffer_size is None


def test_from_and_to_are_required_and_nothing_else() -> None:
    """Every other field has a default."""
    required = [f.name for f in dataclasses.fields(CreateParticipant) if f.default is dataclasses.MISSING]

    assert required == ["from_", "to"]
