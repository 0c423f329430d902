"""Twilio's API of 2010-04-01 in XML, for paths without a suffix: what its JSON says, in the elements of the 2010
document. Requests, callbacks and signatures are Twilio's."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from orchestrator.dialects import twilio
from orchestrator.dialects.twilio_xml import errors, serializers

DIALECT: Final = replace(
    twilio.DIALECT,
    name="twilio-xml",
    representations={"": "xml", ".xml": "xml", ".csv": None},
    link_suffix=lambda asked: "",
    render_account=serializers.render_account,
    render_conference=serializers.render_conference,
    render_conferences=serializers.render_conferences,
    render_participant=serializers.render_participant,
    render_participants=serializers.render_participants,
    render_call=serializers.render_call,
    render_calls=serializers.render_calls,
    render_recording=serializers.render_recording,
    render_recordings=serializers.render_recordings,
    render_error=errors.render_error,
)
