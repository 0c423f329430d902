"""Has a lane's player do what is missing: what playback does when `lanes` leases one of its lanes."""

from __future__ import annotations

import time
from typing import Final

import structlog

from orchestrator.freeswitch.client import CommandRefused, NodeUnavailable
from orchestrator.lanes.engine import LaneLease
from orchestrator.playback.parts import Parts
from orchestrator.playback.player import AGAIN_MS, Player

LANES_AT_ONCE: Final = 4_000

log = structlog.get_logger("playback")


class Playback:
    """Plays in the lanes that are leased. One per worker process."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def work(self, lease: LaneLease, _: object) -> int | None:
        """Play on; returns when a sweep has to look (ms). Raises Unavailable, LeaseLost."""
        player = Player(self._parts, lease)
        again_ms = int(time.time() * 1000) + AGAIN_MS
        try:
            due_ms = player.run()
        except (NodeUnavailable, CommandRefused) as error:
            log.warning("node_refused", lane=str(lease.lane), error=str(error)[:200])
            due_ms = again_ms
        waiting = self._parts.store.save(lease.lane, lease.owner, player.state.dump())
        return due_ms or (again_ms if waiting else None)
