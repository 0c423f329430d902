"""Errors as Twilio's JSON: wire-contract section 10."""

from __future__ import annotations

from typing import Any

from flask import Response, json

from orchestrator.errors import ApiError, AuthenticationFailed


def error_body(error: ApiError) -> dict[str, Any]:
    """`code`, `message`, `more_info`, `status`, and for bad credentials `detail` as Twilio sends it."""
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


def error_response(error: ApiError) -> Response:
    """The whole answer; a 401 says how to authenticate, a 503 when to come back."""
    response = Response(json.dumps(error_body(error)), status=error.http_status, mimetype="application/json")
    if error.http_status == 401:
        response.headers["WWW-Authenticate"] = 'Basic realm="Twilio API"'
    if error.http_status == 503:
        response.headers["Retry-After"] = "1"
    return response
