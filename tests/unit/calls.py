"""Counts calls of Python functions: what work costs, whatever else the machine does. Seconds of one run say little."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from types import FrameType
from typing import Any

from structlog.testing import capture_logs


def count_calls(work: Callable[[], object]) -> int:
    """Return how many Python functions are called by `work`, in this greenlet, lines of the log apart; the most often
    called go to the output of a test that fails."""
    called: Counter[str] = Counter()

    def note(frame: FrameType, event: str, _: Any) -> None:
        if event == "call":
            called[f"{frame.f_code.co_filename.rpartition('site-packages/')[2]}:{frame.f_code.co_qualname}"] += 1

    before = sys.getprofile()
    with capture_logs():  # not those of structlog's way to print for people
        sys.setprofile(note)
        try:
            work()
        finally:
            sys.setprofile(before)
    for name, number in called.most_common(30):
        print(f"{number:8,} {name}")
    return called.total()
