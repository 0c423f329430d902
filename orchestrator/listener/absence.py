"""Decides when a node that is away counts as lost: its calls are over, and whoever was in them may be called elsewhere.

A network that fails for a moment ends nothing: what a node holds when it is back is compared as after any absence, and
one that has started anew holds nothing. But a node that does not come back would keep its conferences' names for ever.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import structlog

from orchestrator.freeswitch.capacity import parse_status
from orchestrator.freeswitch.client import EventSocket
from orchestrator.freeswitch.commands import Status

DOWN_SECONDS: Final = 3.0
"""After so long a node whose host refuses connections is lost: FreeSWITCH does not run there. Longer than
mod_event_socket takes to be loaded anew."""

SILENT_SECONDS: Final = 30.0
"""After so long a node that does not answer is lost: its host is dead, or cut off, or FreeSWITCH hangs. People may be
talking there all the while. Should it come back later, its calls have been told as ended, and are ended."""

CUT_OFF_SECONDS: Final = 2.0
"""After so long without an answer another listener may try the node: it may be the way that is broken, and not the
node."""

AGAIN_SECONDS: Final = 2.0
"""How often what a lost node had is ended again: processes that have not noticed may have dialled."""

log = structlog.get_logger("listener")


class Absence:
    """Measures how long one node has been away, as one listener sees it. Times are time.monotonic()."""

    def __init__(self) -> None:
        self.end()

    def end(self) -> None:
        """Note that the node is there."""
        self._since: float | None = None
        self._down_since: float | None = None
        self._told_at = float("-inf")

    def seconds(self, now: float) -> float:
        """Return for how long the node has been away."""
        return 0.0 if self._since is None else now - self._since

    def is_cut_off(self, now: float) -> bool:
        """Return whether another listener should try the node. A host that refuses is reached, and FreeSWITCH does not
        run there."""
        return self._down_since is None and self.seconds(now) >= CUT_OFF_SECONDS

    def is_loss(self, now: float, before: Callable[[], float], *, is_down: bool) -> bool:
        """Note that the node is away now; returns whether to end what it had. `is_down`: its host refuses. `before`:
        for how long (s) it had been away when this listener tried it first: another had it before."""
        self._since = now - before() if self._since is None else self._since
        self._down_since = None if not is_down else now if self._down_since is None else self._down_since
        is_lost = now - self._since >= SILENT_SECONDS
        is_lost |= self._down_since is not None and now - self._down_since >= DOWN_SECONDS
        if not is_lost or now - self._told_at < AGAIN_SECONDS:
            return False
        self._told_at = now
        return True


def probe(connection: EventSocket) -> dict[str, str]:
    """Ask the node how loaded it is, so that it has to answer something. Raises NodeUnavailable if it hangs;
    CommandRefused."""
    text = connection.api(Status().render())
    try:
        load = parse_status(text, time.monotonic())
    except ValueError as error:
        log.error("capacity_unknown", error=str(error))
        return {}
    return {
        "sessions": str(load.sessions),
        "most_sessions": str(load.most_sessions),
        "idle_percent": str(load.idle_percent),
    }
