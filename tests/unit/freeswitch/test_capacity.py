"""What a node says of its capacity, and what we give away of it. The text is a real FreeSWITCH's, over its limits."""

from __future__ import annotations

import pytest

from orchestrator.freeswitch.capacity import Capacity, parse_status

STATUS = """UP 0 years, 0 days, 0 hours, 0 minutes, 3 seconds, 114 milliseconds, 304 microseconds
FreeSWITCH (Version 1.10.12-release git a88d069 2024-08-02 21:02:27Z 64bit) is ready
8 session(s) since startup
4 session(s) - peak 4, last 5min 4 
-988 session(s) per Sec out of max 5, peak 0, last 5min 0 
100 session(s) max
min idle cpu 0.00/99.73
Current Stack Size/Max 240K/8192K
"""  # noqa: W291 -- so the switch writes it


def test_a_status_is_read() -> None:
    """Also while more has been asked for in a second than it makes."""
    assert parse_status(STATUS, 7.0) == Capacity(
        sessions=4, most_sessions=100, per_second=5, read_at=7.0, idle_percent=99
    )


@pytest.mark.parametrize("text", ["", "-ERR no reply\n", STATUS.replace("session(s) max", "sessions")])
def test_what_is_no_status_is_refused(text: str) -> None:
    """Nothing is counted by a guess."""
    with pytest.raises(ValueError, match="status"):
        parse_status(text, 0.0)


@pytest.mark.parametrize(
    ("sessions", "most", "free"), [(0, 1_000, 980), (980, 1_000, 0), (999, 1_000, -19), (0, 20, 19), (19, 20, 0)]
)
def test_something_is_left_to_others(sessions: int, most: int, free: int) -> None:
    """A fiftieth, at least one."""
    assert Capacity(sessions, most, 30, 0.0).free_sessions == free


def test_no_second_is_filled() -> None:
    """The switch refuses the last one of a second, and its seconds are not ours; one a second we dare in any case."""
    assert [Capacity(0, 9, rate, 0.0).dialled_per_second for rate in (1, 2, 5, 30, 1_000)] == [1, 1, 3, 21, 749]
