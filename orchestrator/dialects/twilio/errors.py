"""Errors as Twilio's JSON: wire-contract section 10."""

from __future__ import annotations

from typing import Any

import orjson

from orchestrator.dialects.base import Answer, Asked
from orchestrator.errors import ApiError, AuthenticationFailed


def error_body(error: ApiError) -> dict[str, Any]:
    """Return `code`, `message`, `more_info`, `status`, and for bad credentials `detail` as Twilio sends it."""
    body: dict[str, Any] = {
        "code": error.code,
        "message": error.message,
        "more_info": f"https://www.twilio.com/docs/errors/{error.code}",
        "status": error.http_status,
    }
    if isinstance(error, AuthenticationFailed):
        body["message"] = "Authenticate"
        body["detail"] = error.message
    return body


def render_error(_: Asked, error: ApiError) -> Answer:
    """The whole answer; what every dialect says of it in headers, too."""
    return Answer(orjson.dumps(error_body(error)), "application/json", error.http_status, error_headers(error))


def error_headers(error: ApiError, realm: str = "Twilio API") -> dict[str, str]:
    """Return the headers of an error: a 401 says how to authenticate, a 429 or 503 when to come back."""
    if error.http_status == 401:
        return {"WWW-Authenticate": f'Basic realm="{realm}"'}
    return {} if error.retry_after_seconds is None else {"Retry-After": str(error.retry_after_seconds)}
