"""Waiting without sleeping for a fixed time: ask until it is so, or fail at a deadline with what was seen last."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")


def eventually(probe: Callable[[], Found], what: str, seconds: float = 10.0) -> Found:
    """Return the first true value of `probe`. An AssertionError inside it counts as not yet."""
    deadline = time.monotonic() + seconds
    last: object = None
    while True:
        try:
            found = probe()
            if found:
                return found
            last = found
        except AssertionError as error:
            last = error
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}; last seen: {last}")
        time.sleep(0.01)
