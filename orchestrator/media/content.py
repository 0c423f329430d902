"""Decides which content types are what, and how much of each is read. Pure."""

from __future__ import annotations

from email.message import Message
from typing import Final, Literal

from orchestrator.twiml.encoding import find_charset
from orchestrator.twiml.xml import MAX_BYTES

Kind = Literal["twiml", "text", "audio", "ulaw", "gsm"]
"""`ulaw` and `gsm` may come without any header of their own; what other audio is, its decoder finds out."""

AUDIO_BYTES: Final = 20 * 1024 * 1024

WRITTEN: Final[dict[str, Kind]] = {
    "text/xml": "twiml", "application/xml": "twiml", "text/html": "twiml", "text/plain": "text",
}  # fmt: skip
BARE: Final[dict[str, Kind]] = {
    "audio/ulaw": "ulaw", "audio/x-ulaw": "ulaw", "audio/mulaw": "ulaw", "audio/x-mulaw": "ulaw",
    "audio/basic": "ulaw", "audio/pcmu": "ulaw", "audio/gsm": "gsm", "audio/x-gsm": "gsm",
}  # fmt: skip


def kind_of(content_type: str, *, is_document: bool = True) -> Kind:
    """Return the kind of a body by the header's media type. An unknown type is tried as audio: servers have names of
    their own for it, or none. What a <Play> names is no document, whatever it is called."""
    name = content_type.partition(";")[0].partition(",")[0].strip().lower()
    written = WRITTEN.get(name) if is_document else None
    return written or BARE.get(name) or "audio"


def charset_of(content_type: str) -> str:
    """Return the charset that a header names, as Python knows it; '' for none, or none that is known."""
    header = Message()
    header["Content-Type"] = content_type
    named = header.get_param("charset", "")
    return find_charset(named.partition(",")[0].strip("\"' ")) if isinstance(named, str) else ""


def most_bytes(kind: Kind) -> int:
    """Return how much of a body of this kind is read before it is refused."""
    return MAX_BYTES if kind in ("twiml", "text") else AUDIO_BYTES
