"""How many more calls a node takes, from what it says itself.

Over `max-sessions`, or with as many new sessions in a second as `sessions-per-second`, FreeSWITCH makes no channel: its
`originate` fails with DESTINATION_OUT_OF_ORDER, after `bgapi` has been accepted (switch_core_session.c,
switch_core_session_request_uuid; the last session of a second is refused as well: `sps <= 0`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

READ_SECONDS: Final = 0.5
"""How often a process that dials asks."""

SHOWN_SECONDS: Final = 1.0
"""A call that has been asked for is among the node's sessions by then."""

_LINES: Final = {
    "sessions": re.compile(r"^(\d+) session\(s\) - peak", re.MULTILINE | re.ASCII),
    "most_sessions": re.compile(r"^(\d+) session\(s\) max", re.MULTILINE | re.ASCII),
    "per_second": re.compile(r"^-?\d+ session\(s\) per Sec out of max (\d+)", re.MULTILINE | re.ASCII),
    "idle_percent": re.compile(r"^min idle cpu [\d.]+/(\d+)", re.MULTILINE | re.ASCII),
}


@dataclass(frozen=True, slots=True)
class Capacity:
    """What a node said at `read_at` (time.monotonic, before it was asked). `status` says what a HEARTBEAT event does
    every 20 s (switch_core.c, send_heartbeat), and whenever it is asked. `idle_percent`: of its host's CPUs."""

    sessions: int
    most_sessions: int
    per_second: int
    read_at: float
    idle_percent: int = 100

    @property
    def free_sessions(self) -> int:
        """Return how many sessions we give away: a fiftieth, at least one, is left to what we do not count (calls that
        come in)."""
        return self.most_sessions - self.sessions - max(1, self.most_sessions // 50)

    @property
    def dialled_per_second(self) -> int:
        """Return how many calls we dial in a second: three quarters, because its seconds are not ours, and calls that
        we have asked for do not get there at even intervals."""
        return max(1, (self.per_second - 1) * 3 // 4)


def parse_status(text: str, read_at: float) -> Capacity:
    """Read `status`. Raises ValueError if it is not what FreeSWITCH 1.10 answers."""
    found = {name: pattern.search(text) for name, pattern in _LINES.items()}
    numbers = {name: int(match[1]) for name, match in found.items() if match is not None}
    if len(numbers) < len(_LINES):
        raise ValueError("this is no answer to `status`")
    return Capacity(**numbers, read_at=read_at)
