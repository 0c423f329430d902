"""When a callback is tried again, and when it is given up: pure.

Twilio retries at most 5 times within 15 s; an app that is being deployed needs longer, so the schedule goes on for a
day. https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides
"""

from __future__ import annotations

from typing import Final

GIVE_UP_SECONDS: Final = 24 * 3600
FIRST_DELAY_SECONDS: Final = 1.0
LAST_DELAY_SECONDS: Final = 300.0
RETRIED_STATUSES: Final = frozenset({408, 425, 429})
"""Client errors that ask for another try; every other 4xx is the receiver's last word."""


def is_delivered(status: int) -> bool:
    """Any 2xx or 3xx counts: the receiver has had the event."""
    return 200 <= status < 400


def is_final(status: int) -> bool:
    """True if another attempt would get the same answer."""
    return 400 <= status < 500 and status not in RETRIED_STATUSES


def delay_seconds(attempts: int) -> float:
    """The pause after that many attempts: 1, 2, 4 … up to 300 s."""
    return float(min(FIRST_DELAY_SECONDS * 2 ** (min(attempts, 20) - 1), LAST_DELAY_SECONDS))
