"""Errors as Twilio's XML: wire-contract section 10."""

from __future__ import annotations

from orchestrator.dialects import xml
from orchestrator.dialects.base import Answer, Asked
from orchestrator.dialects.twilio.errors import error_body, error_headers
from orchestrator.errors import ApiError


def render_error(_: Asked, error: ApiError) -> Answer:
    """`<RestException>`, its elements by name."""
    content = [(xml.camel(key), value) for key, value in sorted(error_body(error).items())]
    root = xml.element("TwilioResponse", [("RestException", content)])
    return Answer(xml.document(root), xml.MIMETYPE, error.http_status, error_headers(error))
