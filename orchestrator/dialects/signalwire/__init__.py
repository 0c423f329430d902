"""SignalWire's compatibility API: Twilio's resources, whose SIDs are UUIDs.

https://developer.signalwire.com/compatibility-api/rest/update-a-participant . Its documents say /api/laml, its own
SDKs leave that out. Creating a participant is ours: its documents have no such request.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from orchestrator.dialects import twilio
from orchestrator.dialects.signalwire import callbacks, errors, parameters, schemas, serializers, signature
from orchestrator.sids import write_as_uuid

LAML: Final = "/api/laml/2010-04-01"

DIALECT: Final = replace(
    twilio.DIALECT,
    name="signalwire",
    prefixes=(LAML, *twilio.DIALECT.prefixes),
    representations={"": "json", ".json": "json"},
    owns=lambda prefix, account: prefix == LAML or parameters.is_uuid(account.removesuffix(".json")),
    read_sid=parameters.read_sid,
    write_sid=write_as_uuid,
    parse_create=schemas.parse_create,
    parse_update=schemas.parse_update,
    render_participant=serializers.render_participant,
    render_participants=serializers.render_participants,
    render_error=errors.render_error,
    serialize_callback=callbacks.serialize_callback,
    serialize_fetch=callbacks.serialize_fetch,
    render_recording=serializers.render_recording,
    render_recordings=serializers.render_recordings,
    serialize_recording_callback=callbacks.serialize_recording_callback,
    sign=signature.sign_request,
)
