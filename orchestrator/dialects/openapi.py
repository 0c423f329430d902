"""The OpenAPI document of Twilio's JSON dialect and of our own API: what requests take is drawn from the tables that
validate them, so the two cannot differ. https://spec.openapis.org/oas/v3.1.1.html"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Final

from orchestrator.dialects import call_routes, recording_routes, routes, twilio
from orchestrator.dialects.base import Operation
from orchestrator.dialects.described import ERROR, REFUSALS, SCHEMAS, Schema
from orchestrator.dialects.own import description as own
from orchestrator.dialects.twilio import calls, recordings, schemas
from orchestrator.dialects.twilio import parameters as p

PREFIX: Final = twilio.DIALECT.prefixes[0]

_NAMES: Final = {
    "<account>": "{AccountSid}",
    "<segment>": "{ConferenceSid}",
    "<reference>": "{CallSid}",
    "<call>": "{CallSid}",
    "<conference>": "{ConferenceSid}",
    "<recording>": "{RecordingSid}",
}

_IN_PATH: Final[Mapping[str, tuple[Schema, str]]] = {
    "AccountSid": (p.sid("AC").schema, "The account."),
    "ConferenceSid": (p.sid("CF").schema, "The conference."),
    "CallSid": ({"type": "string", "pattern": "^[^/]{1,128}$"}, "The participant's CallSid, or its label."),
    "RecordingSid": (
        {"type": "string", "pattern": "^(RE[0-9a-f]{32}|Twilio\\.CURRENT)$"},
        "The recording; of a call or conference also `Twilio.CURRENT`, the one that is under way.",
    ),
}
_OF_CALLS: Final = {"CallSid": (p.sid("CA").schema, "The call.")}
_BY_NAME: Final = ({"type": "string", "pattern": "^[^/]{1,128}$"}, "The conference's SID, or its FriendlyName.")

_PAGING: Final[Mapping[str, Schema]] = {
    "PageSize": {"type": "integer", "minimum": 1, "default": 50, "description": "More than 1000 is 1000."},
    "Page": {"type": "integer", "minimum": 0, "default": 0},
    "PageToken": {"type": "string", "pattern": "^P[AB](CF|CP|RE)[0-9a-f]{32}$", "description": "From a page's links."},
}
_DAY: Final[Schema] = {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$", "description": "A day in UTC."}


@dataclass(frozen=True, slots=True)
class Described:
    """An operation: what it is for, what it takes, and what it answers when it has done it."""

    summary: str
    status: int
    answer: str | None
    query: Mapping[str, Schema] | None = None
    form: Mapping[str, Schema] | None = None
    required: Sequence[str] = ()


def _callback_parameters(row: schemas.CallbackRow) -> dict[str, Schema]:
    parameters: dict[str, Schema] = {row.url: p.url.schema, f"{row.url}Method": {**p.method.schema, "default": "POST"}}
    if row.words:
        parameters[f"{row.url}Event"] = {**p.words(*row.words).schema, "default": list(row.default)}
    return parameters


CREATE_FORM: Final[Mapping[str, Schema]] = {
    **{name: parser.schema for name, (_, parser) in schemas.CREATE.items()},
    **{name: schema for row in schemas.CREATE_CALLBACKS for name, schema in _callback_parameters(row).items()},
}
UPDATE_FORM: Final[Mapping[str, Schema]] = {name: parser.schema for name, (_, parser) in schemas.UPDATE.items()}
CONFERENCE_FILTERS: Final[Mapping[str, Schema]] = {
    "Status": p.word("init", "in-progress", "completed").schema,
    "FriendlyName": {"type": "string"},
    **{f"{field}{sign}": _DAY for field in ("DateCreated", "DateUpdated") for sign in ("", ">", "<")},
}
FLAGS: Final[Mapping[str, Schema]] = dict.fromkeys(("Muted", "Hold", "Coaching"), p.boolean.schema)
CONFERENCE_FORM: Final[Mapping[str, Schema]] = {
    "Status": p.word("completed").schema,
    "AnnounceUrl": p.url.schema,
    "AnnounceMethod": {**p.method.schema, "default": "POST"},
}

CALL_FILTERS: Final[Mapping[str, Schema]] = {
    **{name: {"type": "string"} for name in calls.FILTERS},
    "Status": p.word(*calls.STATUSES).schema,
    "ParentCallSid": p.sid("CA").schema,
}
RECORDING_START: Final[Mapping[str, Schema]] = {
    **{name: parser.schema for name, parser in recordings.START.items()},
    **_callback_parameters(recordings.START_CALLBACKS),
}
CONFERENCE_START: Final[Mapping[str, Schema]] = {
    name: schema for name, schema in RECORDING_START.items() if name not in ("RecordingChannels", "RecordingTrack")
}
RECORDING_UPDATE: Final[Mapping[str, Schema]] = {name: parser.schema for name, parser in recordings.UPDATE.items()}
_MOMENT: Final[Schema] = {
    "type": "string",
    "description": "A day in UTC, or a moment: 2026-11-28T20:00:00Z.",
}
RECORDING_FILTERS: Final[Mapping[str, Schema]] = {**dict.fromkeys(recordings.FILTERS, _MOMENT), **_PAGING}
ACCOUNT_FILTERS: Final[Mapping[str, Schema]] = {
    "CallSid": p.sid("CA").schema,
    "ConferenceSid": p.sid("CF").schema,
    "IncludeSoftDeleted": p.boolean.schema,
    **RECORDING_FILTERS,
}

OPERATIONS: Final[Mapping[Operation, Described]] = {
    "fetch_account": Described("The account, if the credentials are right", 200, "Account"),
    "list_conferences": Described(
        "Conferences, newest first", 200, "ConferencePage", {**CONFERENCE_FILTERS, **_PAGING}
    ),
    "fetch_conference": Described("A conference, also a completed one", 200, "Conference"),
    "update_conference": Described("End a conference, or announce to everybody", 200, "Conference", None,
                                   CONFERENCE_FORM),
    "list_participants": Described("Whoever is in it or on the way", 200, "ParticipantPage", {**FLAGS, **_PAGING}),
    "create_participant": Described("Dial somebody into a conference", 201, "Participant", None, CREATE_FORM,
                                    ("From", "To")),
    "fetch_participant": Described("A participant", 200, "Participant"),
    "update_participant": Described("Mute, hold, coach, announce", 200, "Participant", None, UPDATE_FORM),
    "remove_participant": Described("End a participant's call", 204, None),
    "list_calls": Described("Calls, newest first", 200, "CallPage", {**CALL_FILTERS, **_PAGING}),
    "fetch_call": Described("A call, also one that has ended", 200, "Call"),
    "update_call": Described("End a call, or cancel it", 200, "Call", None, {"Status": calls.UPDATE.schema},
                             ("Status",)),
    "list_recordings": Described("Recordings, newest first", 200, "RecordingPage", ACCOUNT_FILTERS),
    "fetch_recording": Described(
        "A recording; its sound is at the same path with .wav or .mp3 in place of .json, RequestedChannels=1 or 2, "
        "in ranges", 200, "Recording"),
    "delete_recording": Described("Delete a recording", 204, None),
    "list_call_recordings": Described("A call's recordings", 200, "CallRecordingPage", RECORDING_FILTERS),
    "start_call_recording": Described("Record a call", 201, "CallRecording", None, RECORDING_START),
    "fetch_call_recording": Described("One of a call's recordings", 200, "CallRecording"),
    "update_call_recording": Described("Pause, go on, stop", 200, "CallRecording", None, RECORDING_UPDATE,
                                       ("Status",)),
    "delete_call_recording": Described("Delete one of a call's recordings", 204, None),
    "list_conference_recordings": Described("A conference's recordings", 200, "ConferenceRecordingPage",
                                            RECORDING_FILTERS),
    "start_conference_recording": Described("Record a conference in progress; Twilio has no such request", 201,
                                            "ConferenceRecording", None, CONFERENCE_START),
    "fetch_conference_recording": Described("One of a conference's recordings", 200, "ConferenceRecording"),
    "update_conference_recording": Described("Pause, go on, stop", 200, "ConferenceRecording", None,
                                             RECORDING_UPDATE, ("Status",)),
    "delete_conference_recording": Described("Delete one of a conference's recordings", 204, None),
}  # fmt: skip


def build_document() -> dict[str, Any]:
    """Build the whole OpenAPI document."""
    paths: dict[str, dict[str, Any]] = {}
    every = (*routes.ROUTES, *call_routes.CALL_ROUTES, *recording_routes.RECORDING_ROUTES)
    for verb, path, operation in every:
        whole = f"{PREFIX}/Accounts/<account>{path}.json"
        for placeholder, name in _NAMES.items():
            whole = whole.replace(placeholder, name)
        in_path = {**_IN_PATH, "ConferenceSid": _BY_NAME} if operation == "create_participant" else _IN_PATH
        in_path = {**in_path, **_OF_CALLS} if "<call>" in path else in_path
        paths.setdefault(whole, {})[verb.lower()] = _operation(operation, OPERATIONS[operation], whole, in_path)
    for verb, path, operation_id, described in own.OPERATIONS:
        whole = f"/v1/Accounts/{{AccountSid}}{path}"
        paths.setdefault(whole, {})[verb.lower()] = _operation(
            operation_id, Described(*described), whole, {**_IN_PATH, **own.IN_PATH}
        )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Conference orchestrator",
            "version": version("conference-orchestrator"),
            "description": "Twilio's Participants and Conferences API on FreeSWITCH, and what Twilio has no words for.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "security": [{"basic": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "basic": {
                    "type": "http",
                    "scheme": "basic",
                    "description": "AccountSid and AuthToken, or the SID and secret of an API key.",
                }
            },
            "schemas": {**SCHEMAS, **own.SCHEMAS, "Error": ERROR},
        },
    }


def _operation(
    operation_id: str, described: Described, path: str, in_path: Mapping[str, tuple[Schema, str]]
) -> dict[str, Any]:
    parameters = [
        {"name": name, "in": "path", "required": True, "description": text, "schema": schema}
        for name, (schema, text) in in_path.items()
        if f"{{{name}}}" in path
    ]
    parameters += [{"name": name, "in": "query", "schema": schema} for name, schema in (described.query or {}).items()]
    found: dict[str, Any] = {"operationId": operation_id, "summary": described.summary, "parameters": parameters}
    if described.form is not None:
        schema = {"type": "object", "properties": dict(described.form), "required": list(described.required)}
        content = {"application/x-www-form-urlencoded": {"schema": schema}}
        found["requestBody"] = {"required": bool(described.required), "content": content}
    found["responses"] = {str(described.status): _answer(described), **REFUSALS}
    return found


def _answer(described: Described) -> dict[str, Any]:
    if described.answer is None:
        return {"description": "Done"}
    schema = {"$ref": f"#/components/schemas/{described.answer}"}
    return {"description": "Done", "content": {"application/json": {"schema": schema}}}
