"""Mint and check SIDs: two letters and 32 lower-case hexadecimal digits.

A CallSid carries its FreeSWITCH channel UUID: ``CA`` + the UUID without dashes. We mint both, so the first
event of a call already names its participant.
"""

from __future__ import annotations

import re
import uuid
from typing import Final

_SHAPE = re.compile(r"(AC|BY|CA|CF|RE|SK)[0-9a-f]{32}", re.ASCII)


def mint_sid(prefix: str) -> str:
    """Return a new random SID, e.g. ``CF…`` for prefix ``CF``."""
    return prefix + uuid.uuid4().hex


def is_sid(prefix: str, text: str) -> bool:
    """True if `text` is a SID of this kind; Twilio writes them in lower case only."""
    return text.startswith(prefix) and _SHAPE.fullmatch(text) is not None


def write_as_uuid(text: str) -> str:
    """Write a SID as SignalWire has it: its digits as a UUID, without the letters. What is no SID stays as it is."""
    return str(uuid.UUID(text[2:])) if _SHAPE.fullmatch(text) else text


def looks_like_call_sid(text: str) -> bool:
    """True if `text` would be read as a CallSid (any case), so it cannot be a participant's label."""
    return is_sid("CA", text[:2].upper() + text[2:].lower())


def channel_uuid_of(call_sid: str) -> str:
    """Return the FreeSWITCH channel UUID that belongs to a CallSid."""
    return str(uuid.UUID(call_sid[2:]))


def call_sid_of(channel_uuid: str) -> str | None:
    """Return the CallSid of a channel UUID; None if the text is no UUID (a foreign channel), or that of a recorder."""
    digits = channel_uuid.replace("-", "").lower()
    sid = "CA" + digits
    return sid if is_sid("CA", sid) and not is_recorder(channel_uuid) else None


_RECORDER: Final = "8"
"""In the place of a UUID's version: 8 is for whatever one likes (RFC 9562, section 5.8), and no call of ours has it."""


def recorder_uuid_of(recording_sid: str) -> str:
    """Return the channel UUID of the leg that records a conference: no call, though it is a member."""
    digits = recording_sid[2:]
    return str(uuid.UUID(digits[:12] + _RECORDER + digits[13:]))


def is_recorder(channel_uuid: str) -> bool:
    """True for the channel UUID of such a leg."""
    return len(channel_uuid) == 36 and channel_uuid[14] == _RECORDER


def recording_sids_of(recorder_uuid: str) -> tuple[str, str]:
    """Return the two RecordingSids whose leg this may be: its mark stands in the place of a UUID's version, and ours
    are of two, those that are minted (4) and those of `recording_sid_for` (5)."""
    digits = recorder_uuid.replace("-", "")
    return f"RE{digits[:12]}4{digits[13:]}", f"RE{digits[:12]}5{digits[13:]}"


def recording_sid_for(sid: str) -> str:
    """The RecordingSid of what is recorded because a create asked for it, of a call or a conference: always the same,
    so that it is not begun twice."""
    return "RE" + uuid.uuid5(_RECORDINGS, sid).hex


_RECORDINGS: Final = uuid.UUID("5b0f64a5-2f0c-4d5a-9c57-3d0f0c7a9b1e")
