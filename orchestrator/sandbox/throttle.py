"""How many sessions a node has at most, and makes in a second (switch_core_session.c, switch_time.c)."""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass(slots=True)
class Throttle:
    """As `max-sessions` and `sessions-per-second` in freeswitch-conf have it; `fsctl` changes them."""

    most: int = 5000
    per_second: int = 1000
    _left: int = 0
    _second: int = 0

    def allows(self, sessions: int) -> bool:
        """True if another session may be made. One that is refused counts in its second, too, and so does the one that
        takes the last: it is refused (`sps <= 0`)."""
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._left = second, self.per_second
        self._left -= 1
        return self._left > 0 and sessions < self.most
