"""What answers consist of, in JSON Schema; a test compares it with what is serialized."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from orchestrator.detection.decision import AnsweredBy
from orchestrator.domain.conference import CallStatus, ConferenceStatus, EndReason, ParticipantStatus
from orchestrator.domain.recording import RecordingSource, RecordingStatus

Schema = Mapping[str, Any]

TEXT: Final[Schema] = {"type": "string"}
NUMBER: Final[Schema] = {"type": "integer"}
FLAG: Final[Schema] = {"type": "boolean"}
MOMENT: Final[Schema] = {"type": "string", "examples": ["Fri, 18 Feb 2011 21:07:19 +0000"]}
ISO_MOMENT: Final[Schema] = {"type": "string", "examples": ["2026-11-20T08:00:00.000+00:00"]}


def nullable(schema: Schema) -> Schema:
    """Return the schema, of which null is allowed, too."""
    return {**schema, "type": [schema["type"], "null"]}


def object_of(properties: Mapping[str, Schema]) -> Schema:
    """Return the schema of an object with all of these properties and no others."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": sorted(properties),
        "additionalProperties": False,
    }


def listed(name: str) -> Schema:
    """Return the schema of a list of what has that name."""
    return {"type": "array", "items": {"$ref": f"#/components/schemas/{name}"}}


def sid(prefix: str) -> Schema:
    """Return the schema of a SID of one kind."""
    return {"type": "string", "pattern": f"^{prefix}[0-9a-f]{{32}}$"}


PARTICIPANT: Final[Mapping[str, Schema]] = {
    "account_sid": sid("AC"),
    "call_sid": sid("CA"),
    "label": nullable(TEXT),
    "conference_sid": sid("CF"),
    "date_created": MOMENT,
    "date_updated": MOMENT,
    "end_conference_on_exit": FLAG,
    "muted": FLAG,
    "hold": FLAG,
    "start_conference_on_enter": FLAG,
    "coaching": FLAG,
    "call_sid_to_coach": nullable(sid("CA")),
    "status": {"type": "string", "enum": [str(status) for status in ParticipantStatus]},
    "queue_time": nullable({"type": "string", "pattern": "^[0-9]+$", "description": "Milliseconds"}),
    "uri": TEXT,
}
CONFERENCE: Final[Mapping[str, Schema]] = {
    "sid": sid("CF"),
    "account_sid": sid("AC"),
    "friendly_name": TEXT,
    "status": {"type": "string", "enum": [str(status) for status in ConferenceStatus]},
    "date_created": MOMENT,
    "date_updated": MOMENT,
    "api_version": TEXT,
    "region": nullable(TEXT),
    "reason_conference_ended": {"enum": [*(str(reason) for reason in EndReason), None]},
    "call_sid_ending_conference": nullable(sid("CA")),
    "subresource_uris": object_of({"participants": TEXT, "recordings": TEXT}),
    "uri": TEXT,
}
ACCOUNT: Final[Mapping[str, Schema]] = {
    "sid": sid("AC"),
    "owner_account_sid": sid("AC"),
    "friendly_name": TEXT,
    "status": TEXT,
    "type": TEXT,
    "auth_token": {"type": "null", "description": "Whoever asks has it."},
    "date_created": nullable(MOMENT),
    "date_updated": nullable(MOMENT),
    "subresource_uris": object_of({"conferences": TEXT}),
    "uri": TEXT,
}


CALL: Final[Mapping[str, Schema]] = {
    "sid": sid("CA"),
    "account_sid": sid("AC"),
    "parent_call_sid": {"type": "null"},
    "date_created": MOMENT,
    "date_updated": MOMENT,
    "to": TEXT,
    "to_formatted": TEXT,
    "from": TEXT,
    "from_formatted": TEXT,
    "phone_number_sid": {"type": "null"},
    "status": {"type": "string", "enum": [str(status) for status in CallStatus if status != CallStatus.INITIATED]},
    "start_time": nullable(MOMENT),
    "end_time": nullable(MOMENT),
    "duration": nullable({"type": "string", "pattern": "^[0-9]+$", "description": "Seconds, when it has ended"}),
    "price": {"type": "null"},
    "price_unit": TEXT,
    "direction": TEXT,
    "answered_by": nullable({"type": "string", "enum": [*map(str, AnsweredBy)]}),
    "api_version": TEXT,
    "forwarded_from": {"type": "null"},
    "group_sid": {"type": "null"},
    "caller_name": nullable(TEXT),
    "queue_time": {"type": "string", "pattern": "^[0-9]+$", "description": "Milliseconds"},
    "trunk_sid": nullable(sid("BY")),
    "uri": TEXT,
    "subresource_uris": {"type": "object", "additionalProperties": TEXT},
}
RECORDING: Final[Mapping[str, Schema]] = {
    "sid": sid("RE"),
    "account_sid": sid("AC"),
    "call_sid": nullable(sid("CA")),
    "conference_sid": sid("CF"),
    "status": {"type": "string", "enum": [str(status) for status in RecordingStatus]},
    "source": {"type": "string", "enum": [str(source) for source in RecordingSource]},
    "channels": {"type": "integer", "enum": [1, 2]},
    "start_time": nullable(MOMENT),
    "duration": nullable({"type": "string", "pattern": "^[0-9]+$", "description": "Seconds"}),
    "date_created": MOMENT,
    "date_updated": MOMENT,
    "price": nullable(TEXT),
    "price_unit": nullable(TEXT),
    "error_code": nullable(NUMBER),
    "encryption_details": {"type": "null"},
    "api_version": TEXT,
    "uri": TEXT,
}
OF_ACCOUNT: Final[Mapping[str, Schema]] = {"media_url": TEXT, "subresource_uris": object_of({})}
OF_CALL: Final[Mapping[str, Schema]] = {"track": {"type": "string", "enum": ["inbound", "outbound", "both"]}}


def _page(key: str, name: str) -> Schema:
    links = {"uri": TEXT, "first_page_uri": TEXT, "next_page_uri": nullable(TEXT), "previous_page_uri": nullable(TEXT)}
    numbers = dict.fromkeys(("page", "page_size", "start", "end"), NUMBER)
    return object_of({key: listed(name), **numbers, **links})


SCHEMAS: Final[Mapping[str, Schema]] = {
    "Account": object_of(ACCOUNT),
    "Conference": object_of(CONFERENCE),
    "ConferencePage": _page("conferences", "Conference"),
    "Participant": object_of(PARTICIPANT),
    "ParticipantPage": _page("participants", "Participant"),
    "Call": object_of(CALL),
    "CallPage": _page("calls", "Call"),
    "Recording": object_of({**RECORDING, **OF_ACCOUNT}),
    "RecordingPage": _page("recordings", "Recording"),
    "CallRecording": object_of({**RECORDING, **OF_CALL}),
    "CallRecordingPage": _page("recordings", "CallRecording"),
    "ConferenceRecording": object_of(RECORDING),
    "ConferenceRecordingPage": _page("recordings", "ConferenceRecording"),
}

ERROR: Final[Schema] = {
    "type": "object",
    "properties": {"code": NUMBER, "message": TEXT, "more_info": TEXT, "status": NUMBER, "detail": TEXT},
    "required": ["code", "message", "more_info", "status"],
    "additionalProperties": False,
}

_REASONS: Final = {
    400: "A parameter is wrong; or what is asked for does not fit now",
    401: "Wrong credentials",
    403: "The account is suspended",
    404: "There is no such thing in this account",
    405: "Not with this verb; or a FriendlyName where a SID is needed",
    409: "In a state that the request does not fit",
    413: "More than 64 kB",
    429: "The account's limits; `Retry-After` says when to come back",
    503: "The switch or the data store is away: try again",
}
REFUSALS: Final[Mapping[str, Any]] = {
    str(status): {
        "description": reason,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    }
    for status, reason in _REASONS.items()
}
"""Whatever is asked for may be answered so."""
