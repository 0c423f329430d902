"""Which content types are what, and how much of each is read. Pure."""

from __future__ import annotations

import re
from typing import Final, Literal

from orchestrator.twiml.xml import MAX_BYTES

Kind = Literal["twiml", "text", "audio", "ulaw", "unknown", "unusable"]
"""`unknown`: only the first bytes will tell."""

AUDIO_BYTES: Final = 20 * 1024 * 1024

_KINDS: Final[dict[str, Kind]] = {
    "text/xml": "twiml", "application/xml": "twiml", "text/html": "twiml", "text/plain": "text",
    "audio/mpeg": "audio", "audio/mp3": "audio", "audio/x-mp3": "audio", "audio/x-mpeg": "audio",
    "audio/wav": "audio", "audio/wave": "audio", "audio/x-wav": "audio", "audio/vnd.wave": "audio",
    "audio/aiff": "audio", "audio/x-aiff": "audio", "audio/x-aifc": "audio",
    "audio/ulaw": "ulaw", "audio/basic": "ulaw", "audio/pcmu": "ulaw",
    "application/octet-stream": "unknown", "binary/octet-stream": "unknown", "": "unknown",
}  # fmt: skip
_CHARSETS: Final = {
    "utf-8": "utf-8", "utf8": "utf-8", "us-ascii": "ascii", "ascii": "ascii", "utf-16": "utf-16",
    "iso-8859-1": "latin-1", "latin1": "latin-1", "latin-1": "latin-1", "iso-8859-15": "iso8859-15",
    "windows-1252": "cp1252", "cp1252": "cp1252",
}  # fmt: skip
"""No other name gets to Python's codecs: some of those take quadratic time, some are no charsets."""

_CHARSET: Final = re.compile(r";\s*charset\s*=\s*[\"']?([A-Za-z0-9_-]+)", re.IGNORECASE)
_DECLARED: Final = re.compile(rb"\xef\xbb\xbf|\xff\xfe|\xfe\xff|\s*<\?xml[^>]*\sencoding")
_MAGIC: Final = (b"RIFF", b"RF64", b"FORM", b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2")


def kind_of(content_type: str) -> Kind:
    """By the header's media type; what is not known is unusable. GSM is not: no decoder of ours reads it."""
    return _KINDS.get(content_type.partition(";")[0].strip().lower(), "unusable")


def settle(kind: Kind, start: bytes) -> Kind:
    """What an unknown body is, by how it begins."""
    if kind != "unknown":
        return kind
    return "audio" if start.startswith(_MAGIC) else "unusable"


def as_utf8(body: bytes, kind: Kind, content_type: str) -> bytes:
    """Text and XML from the charset that the header names, unless the XML says itself what it is in.

    A charset that is not known, or that the body is not in, means nothing.
    """
    named = _CHARSET.search(content_type)
    charset = _CHARSETS.get(named[1].lower(), "utf-8") if named else "utf-8"
    if charset == "utf-8" or kind not in ("twiml", "text") or (kind == "twiml" and _DECLARED.match(body)):
        return body
    try:
        return body.decode(charset).encode()
    except UnicodeError:
        return body


def most_bytes(kind: Kind) -> int:
    """How much of a body of this kind is read before it is refused."""
    return MAX_BYTES if kind in ("twiml", "text", "unusable") else AUDIO_BYTES
