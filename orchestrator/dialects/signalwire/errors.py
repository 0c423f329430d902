"""Errors: Twilio's JSON; what Twilio calls a bad request is a 422."""

from __future__ import annotations

import orjson

from orchestrator.dialects.base import Answer, Asked
from orchestrator.dialects.twilio.errors import error_body, error_headers
from orchestrator.errors import ApiError, AuthenticationFailed


def render_error(_: Asked, error: ApiError) -> Answer:
    """`code`, `message`, `more_info`, `status`; never a `detail`."""
    status = 422 if error.http_status == 400 else error.http_status
    body = {**error_body(error), "status": status}
    if isinstance(error, AuthenticationFailed):
        body["message"] = "Authentication failed"
        del body["detail"]
    return Answer(orjson.dumps(body), "application/json", status, error_headers(error))
