"""Which content types are what, and how much of each is read. Pure."""

from __future__ import annotations

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
_MAGIC: Final = (b"RIFF", b"RF64", b"FORM", b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2")


def kind_of(content_type: str) -> Kind:
    """By the header's media type; what is not known is unusable. GSM is not: no decoder of ours reads it."""
    return _KINDS.get(content_type.partition(";")[0].strip().lower(), "unusable")


def settle(kind: Kind, start: bytes) -> Kind:
    """What an unknown body is, by how it begins."""
    if kind != "unknown":
        return kind
    return "audio" if start.startswith(_MAGIC) else "unusable"


def most_bytes(kind: Kind) -> int:
    """How much of a body of this kind is read before it is refused."""
    return MAX_BYTES if kind in ("twiml", "text", "unusable") else AUDIO_BYTES
