"""The clock of what waits: Redis' scores and deadlines are milliseconds since 1970."""

from __future__ import annotations

import time


def now_ms() -> int:
    """Return the time."""
    return int(time.time() * 1000)
