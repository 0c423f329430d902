"""Decides when a callback is tried again, and when it is given up. Pure.

Twilio retries at most 5 times within 15 s (`overrides`); an app that is being deployed needs longer, so what those
quick retries do not cover follows the operator's own schedule, over hours.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Final

RETRIED_STATUSES: Final = frozenset({408, 425, 429})
"""Client errors that ask for another try; every other 4xx is the receiver's last word."""

LONGEST_RETRY_AFTER_SECONDS: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Schedule:
    """When failed attempts are repeated: `delays_seconds` after the first, second, … one; the last delay is repeated
    until `give_up_seconds` after the event. Each is spread by `jitter` either way, so that receivers are not hit in
    step."""

    delays_seconds: tuple[float, ...] = (1, 2, 5, 10, 20, 30, 60, 120, 300)
    give_up_seconds: float = 24 * 3600
    jitter: float = 0.2

    def delay_seconds(self, attempts: int, spread: float) -> float:
        """Return the pause after that many attempts; `spread` is a random number from -1 to 1."""
        delay = self.delays_seconds[min(attempts, len(self.delays_seconds)) - 1]
        return delay * (1 + self.jitter * spread)


def is_final(status: int) -> bool:
    """Return whether another attempt would get the same answer: a redirect that is not followed, or a 4xx."""
    return 300 <= status < 500 and status not in RETRIED_STATUSES


def retry_after_seconds(header: str | None, now: Callable[[], datetime]) -> float | None:
    """Return the pause that a receiver asks for, in seconds or by a date; at most an hour, None if it asks for nothing
    readable."""
    if not header:
        return None
    text = header.strip()
    if text.isascii() and text.isdecimal():
        return min(float(text[:9]), LONGEST_RETRY_AFTER_SECONDS)
    try:
        asked = parsedate_to_datetime(text)
        seconds = (asked - now()).total_seconds()
    except (TypeError, ValueError):
        return None
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER_SECONDS)
