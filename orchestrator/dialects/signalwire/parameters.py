"""SIDs in: a UUID is a SID without its two letters, and they follow from where it stands. No table is needed."""

from __future__ import annotations

import re
from typing import Final

_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)


def is_uuid(text: str) -> bool:
    """True for 36 characters of a UUID."""
    return _UUID.fullmatch(text) is not None


def read_sid(kind: str, text: str) -> str:
    """Read `b3877c40-…` as `CA…`, for kind CA; any other text as it is."""
    return kind + text.replace("-", "").lower() if is_uuid(text) else text
