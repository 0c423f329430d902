"""When a node that is away counts as lost: its calls are over, and whoever was in them may be called elsewhere.

A network that fails for a moment ends nothing: what a node holds when it is back is compared as after any absence, and
one that has started anew holds nothing. But a node that does not come back would keep its conferences' names for ever.
"""

from __future__ import annotations

from typing import Final

DOWN_SECONDS: Final = 3.0
"""Its host refuses connections: FreeSWITCH does not run there. Longer than mod_event_socket takes to be loaded anew."""

SILENT_SECONDS: Final = 30.0
"""Nobody answers: its host is dead, or cut off, or FreeSWITCH hangs. People may be talking there all the while. Should
it come back after that, its calls have been told as ended, and are."""

AGAIN_SECONDS: Final = 2.0
"""While it is lost: processes that have not noticed may have dialled."""


class Absence:
    """Of one node, as one listener sees it. Times are time.monotonic()."""

    def __init__(self) -> None:
        self.end()

    def end(self) -> None:
        """It is there."""
        self._since: float | None = None
        self._down_since: float | None = None
        self._told_at = float("-inf")

    def is_loss(self, now: float, *, is_down: bool) -> bool:
        """Note that it is away now; returns whether to end what it had. `is_down`: its host refuses."""
        self._since = now if self._since is None else self._since
        self._down_since = None if not is_down else now if self._down_since is None else self._down_since
        is_lost = now - self._since >= SILENT_SECONDS
        is_lost |= self._down_since is not None and now - self._down_since >= DOWN_SECONDS
        if not is_lost or now - self._told_at < AGAIN_SECONDS:
            return False
        self._told_at = now
        return True
