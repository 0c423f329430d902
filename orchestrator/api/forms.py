"""Checks a request's body before anybody reads parameters from it: it has to be of bounded size, and text in UTF-8."""

from __future__ import annotations

import io
from typing import Final
from urllib.parse import unquote_to_bytes

from flask import Request
from werkzeug.http import parse_options_header
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder, NeedData

from orchestrator.errors import BadParameter, BodyTooLarge

MAX_BODY_BYTES: Final = 64 * 1024


def check_request(request: Request) -> None:
    """Refuse a body of more than 64 kB, also one without a declared length, and text that is not UTF-8, in path and
    body."""
    if request.content_length is None and request.environ.get("wsgi.input_terminated"):
        body = request.environ["wsgi.input"].read(MAX_BODY_BYTES + 1)
        if len(body) > MAX_BODY_BYTES:
            raise too_large()
        request.environ.update({"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))})
    raw = request.query_string
    if request.mimetype == "application/x-www-form-urlencoded":
        raw += request.get_data(cache=True)
    elif request.mimetype == "multipart/form-data":
        _check_parts(request)
    path = request.environ["PATH_INFO"]
    if path.isascii() and raw.isascii() and b"%" not in raw:
        return
    try:
        (path.encode("latin-1") + unquote_to_bytes(raw)).decode()
    except UnicodeDecodeError:
        raise BadParameter("The request holds text that is not UTF-8") from None


def too_large() -> BodyTooLarge:
    """Make the refusal of a body that is too large."""
    return BodyTooLarge(f"The body is larger than {MAX_BODY_BYTES} bytes")


def _check_parts(request: Request) -> None:
    """Refuse a multipart form that is not UTF-8: Werkzeug would replace the wrong bytes in silence, in a label, say."""
    boundary = parse_options_header(request.headers.get("Content-Type"))[1].get("boundary", "")
    try:
        for name, value in _parts(boundary.encode("latin-1"), request.get_data(cache=True)):
            try:
                value.decode()
                name.encode("utf-8", "surrogateescape").decode()
            except UnicodeDecodeError:
                raise BadParameter(f"{name[:64]}: is not UTF-8") from None
    except ValueError:
        raise BadParameter("The body is not multipart/form-data") from None


def _parts(boundary: bytes, body: bytes) -> list[tuple[str, bytes]]:
    """Return the name and the raw value of each part. Raises ValueError."""
    decoder = MultipartDecoder(boundary, max_form_memory_size=MAX_BODY_BYTES)
    decoder.receive_data(body)
    decoder.receive_data(None)
    found: list[tuple[str, bytes]] = []
    while not isinstance(event := decoder.next_event(), Epilogue | NeedData):
        if isinstance(event, Field | File):
            found.append((event.name or "", b""))
        elif isinstance(event, Data) and found:
            found[-1] = (found[-1][0], found[-1][1] + event.data)
    return found
