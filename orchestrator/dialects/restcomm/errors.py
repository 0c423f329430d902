"""Errors: a status, and nothing more (wire-contract section 3.7)."""

from __future__ import annotations

from orchestrator.dialects.base import Answer, Asked
from orchestrator.dialects.twilio.errors import error_headers
from orchestrator.errors import ApiError


def render_error(asked: Asked, error: ApiError) -> Answer:
    """Render an empty body; a call that a POST does not find is 406, what is wrong here is said in words."""
    status = 406 if error.http_status == 404 and asked.method == "POST" else error.http_status
    body = error.message.encode() if status >= 500 else b""
    return Answer(body, "text/plain" if body else "", status, error_headers(error, "Restcomm realm"))
