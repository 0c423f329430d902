"""Twilio's API of 2010-04-01 in JSON: https://www.twilio.com/docs/voice/api/conference-participant-resource"""

from __future__ import annotations

from typing import Final

from orchestrator.dialects.base import EVERY_OPERATION, Dialect
from orchestrator.dialects.twilio import callbacks, calls, errors, recordings, schemas, serializers, signature

DIALECT: Final = Dialect(
    name="twilio",
    prefixes=("/2010-04-01",),
    representations={".json": "json"},
    owns=lambda prefix, account: True,
    operations=EVERY_OPERATION,
    link_prefix="",
    link_suffix=lambda asked: ".json",
    read_sid=lambda kind, text: text,
    write_sid=str,
    parse_create=schemas.parse_create,
    parse_update=schemas.parse_update,
    parse_conference_update=schemas.parse_conference_update,
    render_account=serializers.render_account,
    render_conference=serializers.render_conference,
    render_conferences=serializers.render_conferences,
    render_participant=serializers.render_participant,
    render_participants=serializers.render_participants,
    render_call=calls.render_call,
    render_calls=calls.render_calls,
    render_error=errors.render_error,
    serialize_callback=callbacks.serialize_callback,
    serialize_fetch=callbacks.serialize_fetch,
    parse_recording_start=recordings.parse_start,
    parse_recording_update=recordings.parse_update,
    render_recording=recordings.render_recording,
    render_recordings=recordings.render_recordings,
    serialize_recording_callback=recordings.serialize_recording_callback,
    sign=signature.sign_request,
)
