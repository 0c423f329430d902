"""What browsers ask: any page may read every answer; a preflight needs no credentials (wire-contract 12.4)."""

from __future__ import annotations

from typing import Final

from flask import Request, Response

HEADERS: Final = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, POST, DELETE, OPTIONS",
    "Access-Control-Allow-Headers": (
        "Accept, Authorization, Content-Type, If-Match, If-Modified-Since, If-None-Match, If-Unmodified-Since, "
        "Idempotency-Key"
    ),
    "Access-Control-Allow-Credentials": "true",
    "Access-Control-Expose-Headers": "ETag",
}


def answer_preflight(request: Request) -> Response | None:
    """Return the whole answer to OPTIONS; None to anything else."""
    if request.method != "OPTIONS":
        return None
    response = Response(status=204)
    del response.headers["Content-Type"]
    return response


def allow(response: Response) -> Response:
    """Let any page read the answer. Credentials are in a header that a page has to set: none are sent along."""
    response.headers.extend(HEADERS)
    return response
