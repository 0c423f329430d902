"""How tests look at the clock, so that a busy machine does not fail them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

PATIENCE: Final = 25.0
"""Seconds. What has a deadline of its own is over by then on the busiest machine; what has none goes on for longer."""


def is_quick(act: Callable[[], object], seconds: float, tries: int = 20) -> bool:
    """Whether `act` can take less: on a busy machine anything may take longer now and then; what waits always does."""
    for _ in range(tries):
        started = time.monotonic()
        act()
        if time.monotonic() - started < seconds:
            return True
    return False
