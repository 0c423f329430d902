"""Takes lanes and looks at them: the RQ job of the topic `sounds`. What a look does is in look.py."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from typing import Final

import gevent
import structlog
from gevent.pool import Pool

from orchestrator.errors import Unavailable
from orchestrator.freeswitch.client import CommandRefused, NodeUnavailable
from orchestrator.sounds.look import AGAIN_MS, Look
from orchestrator.sounds.services import Services
from orchestrator.store.outbox import Lane
from orchestrator.store.sounds import LeaseLost

LANES_AT_ONCE: Final = 4_000
log = structlog.get_logger("sounds")


class Player:
    """One per worker process."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._store = services.store
        self._pool = Pool(LANES_AT_ONCE)

    def look_at_all(self, texts: Sequence[str]) -> None:
        """What a job has to do: `CF…:lane`, or `CF…:lane:play` for a play that has ended."""
        looks = []
        for text in texts:
            conference_sid, lane, *ended = text.split(":")
            looks.append(self._pool.spawn(self.look, Lane(conference_sid, lane), *ended[:1]))
        gevent.joinall(looks)

    def look(self, lane: Lane, ended: str = "") -> None:
        """Do what is to be done in a lane now. Never raises."""
        owner = uuid.uuid4().hex
        try:
            if not self._store.take(lane, owner, ended):
                return
            while True:
                self._look_once(lane, owner)
                if self._store.release(lane, owner):
                    return
        except LeaseLost:
            log.warning("lane_taken_over", lane=str(lane))
        except Unavailable as error:
            log.warning("lane_left", lane=str(lane), error=error.message)  # a sweep finds it when the lease has run out
        except Exception:
            log.exception("lane_broken", lane=str(lane))

    def _look_once(self, lane: Lane, owner: str) -> None:
        look = Look(self._services, lane, owner)
        try:
            due_ms = look.run()
        except (NodeUnavailable, CommandRefused) as error:
            log.warning("node_refused", lane=str(lane), error=str(error)[:200])
            due_ms = int(time.time() * 1000) + AGAIN_MS
        self._store.save(lane, owner, look.state.dump(), due_ms=due_ms)
