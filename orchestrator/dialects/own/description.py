"""What our own API takes and answers, for the OpenAPI document; a test compares it with routes and serializers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from orchestrator.dialects.described import (
    FLAG,
    ISO_MOMENT,
    NUMBER,
    TEXT,
    Schema,
    listed,
    nullable,
    object_of,
    sid,
)
from orchestrator.dialects.own import schemas
from orchestrator.dialects.twilio import parameters as p

CALLBACK: Final[Mapping[str, Schema]] = {
    "id": TEXT,
    "token": TEXT,
    "account_sid": sid("AC"),
    "conference_sid": sid("CF"),
    "call_sid": TEXT,
    "kind": TEXT,
    "state": {"type": "string", "enum": ["waiting", "delivered", "dead"]},
    "reason": nullable(TEXT),
    "date_created": ISO_MOMENT,
    "url": TEXT,
    "method": TEXT,
    "parameters": {"type": "object", "additionalProperties": TEXT},
    "attempts_made": NUMBER,
    "replays": NUMBER,
    "uri": TEXT,
}
ATTEMPT: Final[Mapping[str, Schema]] = {
    "number": NUMBER,
    "at_ms": NUMBER,
    "at": ISO_MOMENT,
    "url": TEXT,
    "status": NUMBER,
    "milliseconds": NUMBER,
    "error": TEXT,
    "answer": TEXT,
}
RECEIVER: Final[Mapping[str, Schema]] = {
    "host": TEXT,
    "failures": NUMBER,
    "failing_since": ISO_MOMENT,
    "is_paused": FLAG,
    "paused_until": nullable(ISO_MOMENT),
}
KEY: Final[Mapping[str, Schema]] = {"sid": sid("SK"), "friendly_name": TEXT, "date_created": ISO_MOMENT}

SCHEMAS: Final[Mapping[str, Schema]] = {
    "Callback": object_of(CALLBACK),
    "Attempt": object_of(ATTEMPT),
    "CallbackWithAttempts": object_of({**CALLBACK, "attempts": listed("Attempt")}),
    "CallbackPage": object_of({"callbacks": listed("Callback"), "next_page_uri": nullable(TEXT)}),
    "Replayed": object_of({"replayed": NUMBER, "more": FLAG, "next_after": nullable(ISO_MOMENT)}),
    "Receiver": object_of(RECEIVER),
    "Receivers": object_of({"receivers": listed("Receiver")}),
    "Resumed": object_of({"host": TEXT, "is_paused": FLAG}),
    "Key": object_of(KEY),
    "Keys": object_of({"keys": listed("Key")}),
    "NewKey": object_of({**KEY, "secret": TEXT}),
}

IN_PATH: Final[Mapping[str, tuple[Schema, str]]] = {
    "CallbackId": ({"type": "string", "pattern": "^[^/]{1,80}$"}, "A callback's `id`."),
    "KeySid": (sid("SK"), "The key."),
}

_FILTER: Final[Mapping[str, Schema]] = {
    "ConferenceSid": sid("CF"),
    "CallSid": sid("CA"),
    "Kind": {"type": "string", "enum": list(schemas.KINDS)},
    "State": {"type": "string", "enum": ["waiting", "delivered", "dead"]},
    "After": {"type": "string", "format": "date-time"},
    "Before": {"type": "string", "format": "date-time"},
}
_PAGING: Final[Mapping[str, Schema]] = {"PageSize": p.integer(1, 200).schema, "PageToken": TEXT}

OPERATIONS: Final[tuple[tuple[str, str, str, tuple[Any, ...]], ...]] = (
    ("GET", "/Callbacks", "list_callbacks", ("Callbacks, newest first", 200, "CallbackPage", {**_FILTER, **_PAGING})),
    ("GET", "/Callbacks/{CallbackId}", "fetch_callback", ("A callback with its attempts", 200, "CallbackWithAttempts")),
    ("POST", "/Callbacks/{CallbackId}/Replay", "replay_callback", ("Send one again", 202, "Callback")),
    ("POST", "/Callbacks/Replay", "replay_callbacks", ("Send again all that match, dead ones unless said otherwise",
                                                       202, "Replayed", None, _FILTER)),
    ("GET", "/Receivers", "list_receivers", ("Receivers that fail", 200, "Receivers")),
    ("POST", "/Receivers/Resume", "resume_receiver", ("Try a paused receiver again", 200, "Resumed", None,
                                                      {"Host": TEXT}, ("Host",))),
    ("GET", "/Keys", "list_keys", ("API keys", 200, "Keys")),
    ("POST", "/Keys", "create_key", ("Make an API key; its secret is told this once", 201, "NewKey", None,
                                     {"FriendlyName": {"type": "string", "maxLength": 64}})),
    ("DELETE", "/Keys/{KeySid}", "revoke_key", ("Refuse a key from now on", 204, None)),
)  # fmt: skip
"""Verb, path, name, and what `openapi.Described` says of it."""
