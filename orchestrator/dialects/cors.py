"""What browsers ask: any page may read every answer; a preflight needs no credentials (wire-contract 12.4)."""

from __future__ import annotations

from typing import Final

from flask import Response

HEADERS: Final = (
    ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Allow-Methods", "GET, POST, DELETE, OPTIONS"),
    (
        "Access-Control-Allow-Headers",
        "Accept, Authorization, Content-Type, If-Match, If-Modified-Since, If-None-Match, If-Unmodified-Since, "
        "Idempotency-Key",
    ),
    ("Access-Control-Allow-Credentials", "true"),
    ("Access-Control-Expose-Headers", "ETag"),
)
"""What every answer has. Credentials are in a header that a page has to set: none are sent along."""


def answer_preflight() -> Response:
    """Return the whole answer to OPTIONS."""
    response = Response(status=204)
    del response.headers["Content-Type"]
    return response
