"""RestComm's API of 2012-04-24: look at conferences and participants, mute and unmute. Everything else it refuses.

Its document names some properties otherwise than its code does; both names are said. Callbacks cannot be asked for in
it, so those that there are speak Twilio.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from orchestrator.dialects import twilio
from orchestrator.dialects.restcomm import errors, schemas, serializers

DIALECT: Final = replace(
    twilio.DIALECT,
    name="restcomm",
    prefixes=("/restcomm/2012-04-24",),
    representations={"": "accept", ".json": "json"},
    operations=frozenset(
        ("list_conferences", "fetch_conference", "list_participants", "fetch_participant", "update_participant")
    ),
    link_prefix="/2012-04-24",
    link_suffix=lambda asked: asked.suffix,
    parse_update=schemas.parse_update,
    render_conference=serializers.render_conference,
    render_conferences=serializers.render_conferences,
    render_participant=serializers.render_participant,
    render_participants=serializers.render_participants,
    render_error=errors.render_error,
)
