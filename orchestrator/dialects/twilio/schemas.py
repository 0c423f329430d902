"""Requests in: the parameters of each operation as tables, and the commands that they become.

Names, defaults and ranges: wire-contract sections 3.3 to 3.5. Unknown parameters are ignored, as Twilio does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from orchestrator.dialects.base import ConferenceUpdate, Form
from orchestrator.dialects.twilio import parameters as p
from orchestrator.domain.commands import REGIONS, CreateParticipant, UpdateParticipant
from orchestrator.domain.conference import CallbackSettings
from orchestrator.errors import BadParameter
from orchestrator.freeswitch.dial_string import PHONE_NUMBER
from orchestrator.freeswitch.sip_headers import LONGEST_CREDENTIALS


@dataclass(frozen=True, slots=True)
class CallbackRow:
    """The three parameters of one kind of callback, and the CreateParticipant field they make up."""

    url: str
    field: str
    words: tuple[str, ...]
    default: tuple[str, ...]


CREATE: Final[Mapping[str, tuple[str, p.Parser]]] = {
    "From": ("from_", p.caller),
    "To": ("to", p.called),
    "Label": ("label", p.label),
    "Timeout": ("timeout_seconds", p.integer(5, 600, code=21208)),
    "TimeLimit": ("time_limit_seconds", p.integer(1, 86_400)),
    "Muted": ("muted", p.boolean),
    "Beep": ("beep", p.word("true", "false", "onEnter", "onExit")),
    "StartConferenceOnEnter": ("start_conference_on_enter", p.boolean),
    "EndConferenceOnExit": ("end_conference_on_exit", p.boolean),
    "EarlyMedia": ("early_media", p.boolean),
    "MaxParticipants": ("max_participants", p.integer(2, 250)),
    "Coaching": ("coaching", p.boolean),
    "CallSidToCoach": ("call_sid_to_coach", p.sid("CA")),
    "WaitUrl": ("wait_url", p.possibly_empty_url),
    "WaitMethod": ("wait_method", p.method),
    "Region": ("region", p.word(*REGIONS)),
    "JitterBufferSize": ("jitter_buffer_size", p.word("off", "small", "medium", "large")),
    "CallerId": ("caller_id", p.caller),
    "CallerDisplayName": ("caller_display_name", p.display_name(255, shortest=2)),
    "CallReason": ("call_reason", p.carried(1024)),
    "CallToken": ("call_token", p.text(8192)),
    "Byoc": ("byoc", p.sid("BY", code=21300)),
    "SipAuthUsername": ("sip_auth_username", p.credential(21221, 21222)),
    "SipAuthPassword": ("sip_auth_password", p.credential(21223, 21224)),
    "ClientNotificationUrl": ("client_notification_url", p.url),
    "Record": ("record", p.boolean),
    "RecordingChannels": ("recording_channels", p.word("mono", "dual")),
    "RecordingTrack": ("recording_track", p.word("inbound", "outbound", "both")),
    "Trim": ("trim", p.word("trim-silence", "do-not-trim")),
    "ConferenceRecord": ("conference_record", p.word("true", "false", "record-from-start", "do-not-record")),
    "ConferenceTrim": ("conference_trim", p.word("trim-silence", "do-not-trim")),
    "MachineDetection": ("machine_detection", p.word("Enable", "DetectMessageEnd", code=21234)),
    "MachineDetectionTimeout": ("machine_detection_timeout_seconds", p.integer(3, 59, code=21234)),
    "MachineDetectionSpeechThreshold": ("machine_detection_speech_threshold_ms", p.integer(1000, 6000, code=21234)),
    "MachineDetectionSpeechEndThreshold": (
        "machine_detection_speech_end_threshold_ms",
        p.integer(500, 5000, code=21234),
    ),
    "MachineDetectionSilenceTimeout": ("machine_detection_silence_timeout_ms", p.integer(2000, 10_000, code=21234)),
}
"""Parameter -> the field of CreateParticipant and its parser. One row per parameter."""

CREATE_CALLBACKS: Final = (
    CallbackRow(
        "StatusCallback", "progress_callbacks", ("initiated", "ringing", "answered", "completed"), ("completed",)
    ),
    CallbackRow(
        "ConferenceStatusCallback",
        "conference_callbacks",
        ("start", "end", "join", "leave", "mute", "hold", "modify", "speaker", "announcement"),
        ("start", "end"),
    ),
    CallbackRow(
        "RecordingStatusCallback",
        "recording_callbacks",
        ("started", "in-progress", "paused", "resumed", "stopped", "completed", "failed", "absent"),
        ("completed",),
    ),
    CallbackRow(
        "ConferenceRecordingStatusCallback",
        "conference_recording_callbacks",
        ("in-progress", "completed", "failed", "absent"),
        ("completed",),
    ),
    CallbackRow("AmdStatusCallback", "amd_callbacks", (), ("detection",)),
)

OF_CALLS_ONLY: Final = ("AsyncAmd", "AsyncAmdStatusCallback", "AsyncAmdStatusCallbackMethod")
"""Parameters of Twilio's Calls resource that are mistaken for those of MachineDetection here (21263)."""

UPDATE: Final[Mapping[str, tuple[str, p.Parser]]] = {
    "Muted": ("muted", p.lenient_boolean),
    "Hold": ("hold", p.boolean),
    "HoldUrl": ("hold_url", p.url),
    "HoldMethod": ("hold_method", p.method),
    "AnnounceUrl": ("announce_url", p.url),
    "AnnounceMethod": ("announce_method", p.method),
    "WaitUrl": ("wait_url", p.possibly_empty_url),
    "WaitMethod": ("wait_method", p.method),
    "BeepOnExit": ("beep_on_exit", p.boolean),
    "EndConferenceOnExit": ("end_conference_on_exit", p.boolean),
    "Coaching": ("coaching", p.boolean),
    "CallSidToCoach": ("call_sid_to_coach", p.sid("CA")),
}
"""Parameter -> the field of UpdateParticipant and its parser. One row per parameter."""

EMPTY_MEANS_SOMETHING: Final = "WaitUrl"
"""Silence; every other parameter that is sent empty is as if it were not there (SDKs send `CallSidToCoach=`)."""


def given(form: Form, name: str) -> list[str]:
    """Return a parameter's values, but for those that are as if they were not there."""
    return [value for value in form.getlist(name) if value or name == EMPTY_MEANS_SOMETHING]


def _read_table(form: Form, table: Mapping[str, tuple[str, p.Parser]]) -> dict[str, Any]:
    """Read the parameters of a table that are given, in its order: field -> value. Raises BadParameter."""
    fields: dict[str, Any] = {}
    sent = set(form)
    for name, (field, parser) in table.items():
        if name in sent and (values := given(form, name)):
            fields[field] = parser(name, values)
    return fields


def _given_list(form: Form, name: str) -> list[str]:
    """A list's values, also as PHP (`Name[0]`, with gaps where something was taken out) and many HTTP libraries
    (`Name[]`) write one: not read, they would leave a client without what it has asked to be told."""
    written = re.compile(re.escape(name) + r"(\[[0-9]*\])?")
    return [value for each in form if written.fullmatch(each) for value in given(form, each)]


def parse_create(form: Form) -> CreateParticipant:
    """Read a create request. Order of checks: required, formats, then what goes with what."""
    for name, code in (("To", 21201), ("From", 21213)):
        if not given(form, name):
            raise BadParameter(f"{name}: is required", code=code)
    fields = _read_table(form, CREATE)
    for row in CREATE_CALLBACKS:
        fields[row.field] = callback_settings(row, form)
    _check_together(fields, form)
    return CreateParticipant(**fields)


def list_warnings(form: Form) -> list[tuple[int, str]]:
    """List what a create is warned of and done all the same: Twilio's code, and a text that names the parameter."""
    found = []
    if given(form, "MachineDetection") and not given(form, "AmdStatusCallback"):
        found.append((21262, "AmdStatusCallback: is missing, so only the call itself will say who picked up"))
    for name in OF_CALLS_ONLY:
        if given(form, name):
            found.append((21263, f"{name}: is no parameter of participants, and has no effect"))
    return found


def callback_settings(row: CallbackRow, form: Form) -> CallbackSettings | None:
    """Whom to tell of one kind of callback; None without a URL."""
    given_method, given_words = given(form, f"{row.url}Method"), _given_list(form, f"{row.url}Event")
    method = p.method(f"{row.url}Method", given_method) if given_method else "POST"
    events = p.words(*row.words)(f"{row.url}Event", given_words) if row.words else ()
    target = p.url(row.url, given(form, row.url) or [""])
    return CallbackSettings(target, method, events or row.default) if target else None


def _check_together(fields: dict[str, Any], form: Form) -> None:
    is_phone = not fields["to"].startswith(("sip:", "sips:", "client:"))
    for name, field in (("From", "from_"), ("CallerId", "caller_id")):
        value = fields.get(field)
        if is_phone and value is not None and PHONE_NUMBER.fullmatch(value) is None:
            raise BadParameter(f"{name}: has to be a phone number, because To is one", code=21212)
    if sum(len(fields.get(field, "")) for field in ("sip_auth_username", "sip_auth_password")) > LONGEST_CREDENTIALS:
        raise BadParameter(
            f"SipAuthPassword: has to have at most {LONGEST_CREDENTIALS} characters with SipAuthUsername", code=21223
        )
    if fields.get("coaching") is False:
        fields.pop("call_sid_to_coach", None)
    coached = fields.get("call_sid_to_coach")
    if fields.get("coaching") and coached is None:
        raise BadParameter("CallSidToCoach: is required with Coaching=true")
    if coached is not None and "coaching" not in fields:
        fields["coaching"] = True
    record = fields.get("conference_record")
    if record in ("true", "false"):
        fields["conference_record"] = "record-from-start" if record == "true" else "do-not-record"


def parse_update(form: Form) -> UpdateParticipant:
    """Read an update of a participant."""
    fields = _read_table(form, UPDATE)
    if fields.get("coaching") is False:
        fields.pop("call_sid_to_coach", None)
    if fields.get("hold") and fields.get("announce_url"):
        raise BadParameter("AnnounceUrl: cannot be combined with Hold=true", code=16099)
    return UpdateParticipant(**fields)


def parse_conference_update(form: Form) -> ConferenceUpdate:
    """Read an update of a conference. A Status other than `completed` is an error (`complete` is common)."""
    status, url, method = (given(form, name) for name in ("Status", "AnnounceUrl", "AnnounceMethod"))
    if status:
        p.word("completed")("Status", status)
    return ConferenceUpdate(
        ends=bool(status),
        announce_url=p.url("AnnounceUrl", url) if url else None,
        announce_method=p.method("AnnounceMethod", method) if method else "POST",
    )


def parse_flags(arguments: Form, names: Sequence[str]) -> dict[str, bool]:
    """Read the list filters that are true or false, those that were given."""
    return {name: p.boolean(name, values) for name in names if (values := given(arguments, name))}


def parse_conference_name(segment: str) -> str:
    """Read a FriendlyName where a conference is to be created or found: 1 to 128 characters."""
    name = segment.strip()
    if not 1 <= len(name) <= 128:
        raise BadParameter("FriendlyName: has to have 1 to 128 characters")
    return name
