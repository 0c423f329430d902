"""Mint and check SIDs: two letters and 32 lower-case hexadecimal digits.

A CallSid carries its FreeSWITCH channel UUID: ``CA`` + the UUID without dashes. We mint both, so the first
event of a call already names its participant (architecture.md, section 1).
"""

from __future__ import annotations

import re
import uuid

_SHAPE = re.compile(r"(AC|BY|CA|CF|RE|SK)[0-9a-f]{32}", re.ASCII)


def mint_sid(prefix: str) -> str:
    """Return a new random SID, e.g. ``CF…`` for prefix ``CF``."""
    return prefix + uuid.uuid4().hex


def is_sid(prefix: str, text: str) -> bool:
    """True if `text` is a SID of this kind; Twilio writes them in lower case only."""
    return text.startswith(prefix) and _SHAPE.fullmatch(text) is not None


def looks_like_call_sid(text: str) -> bool:
    """True if `text` would be read as a CallSid (any case), so it cannot be a participant's label."""
    return is_sid("CA", text[:2].upper() + text[2:].lower())


def channel_uuid_of(call_sid: str) -> str:
    """The FreeSWITCH channel UUID that belongs to a CallSid."""
    return str(uuid.UUID(call_sid[2:]))


def call_sid_of(channel_uuid: str) -> str | None:
    """The CallSid of a channel UUID, or None if the text is no UUID (a foreign channel)."""
    digits = channel_uuid.replace("-", "").lower()
    sid = "CA" + digits
    return sid if is_sid("CA", sid) else None
