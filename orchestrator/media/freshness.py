"""Computes how fresh an answer is: when it was made, by our clock (RFC 9111, section 4.2.3). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import formatdate, parsedate_to_datetime
from typing import Final

ASSUMED_SECONDS: Final = 300
_ABOUT_AGE: Final = frozenset({"cache-control", "expires", "pragma", "etag", "last-modified", "vary"})


def by_our_clock(headers: Mapping[str, str], now: float) -> dict[str, str]:
    """Return headers by lower-case name, with `date` as our clock would have had it, and `expires` as far behind it.

    hishel takes an answer's age from Date alone: it passes over Age, and never lets an answer without a Date grow old.
    """
    made = _seconds(headers.get("date"))
    age = headers.get("age", "").partition(",")[0].strip()
    known_age = int(age[:9]) if age.isascii() and age.isdecimal() else 0
    stamp = now - max(known_age, 0 if made is None else now - made, 0)
    timed = {name: value for name, value in headers.items() if name != "age"} | {"date": formatdate(stamp, usegmt=True)}
    expires = _seconds(headers.get("expires"))
    if expires is not None and made is not None:
        timed["expires"] = formatdate(stamp + expires - made, usegmt=True)
    return timed


def revalidated(headers: Mapping[str, str], status: int) -> dict[str, str]:
    """Return headers by lower-case name, with no-cache added if they do not say how long the answer is fresh. A 304
    that says nothing leaves it at what was said before.

    Otherwise it may be taken for fresh for a tenth of its age (RFC 9111, 4.2.2): hours for a document of last week, and
    who edits it wonders why nothing changes.
    """
    rules = headers.get("cache-control", "")
    if "expires" in headers or "max-age" in rules.lower() or (status == 304 and not rules):
        return dict(headers)
    return {**headers, "cache-control": f"{rules}, no-cache".lstrip(", ")}


def assumed(headers: Mapping[str, str], status: int) -> dict[str, str]:
    """Return headers by lower-case name, with minutes of max-age if they say nothing about age at all (as a cache may
    have it, RFC 9111, 4.2.2): songs are large, and a plain server would have to send them at every hold."""
    if status != 200 or not _ABOUT_AGE.isdisjoint(headers):
        return dict(headers)
    return {**headers, "cache-control": f"max-age={ASSUMED_SECONDS}"}


def _seconds(text: str | None) -> float | None:
    try:
        return None if text is None else parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None
