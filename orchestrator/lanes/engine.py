"""Works on lanes: leases one, has its kind do what is to be done, and gives it back. `lanes/__init__.py` says how."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import gevent
import structlog
from gevent.pool import Pool

from orchestrator import logs
from orchestrator.clock import now_ms
from orchestrator.errors import Unavailable
from orchestrator.jobs.wakeups import Wakeups
from orchestrator.store.lanes import LEASE_MS, Lane, LaneStore, LeaseLost

RENEWED_AT_ONCE: Final = 25
"""A thousand leases in one go would keep everybody else waiting for tens of milliseconds."""

BROKEN_MS: Final = 10_000
"""A defect of ours must not make a lane spin."""

log = structlog.get_logger("lanes")


@dataclass(slots=True)
class LaneLease:
    """The right to work on a lane. `is_held`: still ours; a kind whose own script has given the lane up sets it to
    False. `must_end`: this process is about to stop, and leaves the rest of the lane to another."""

    lane: Lane
    owner: str
    is_held: bool = True
    must_end: bool = False


Work = Callable[[LaneLease, Any], int | None]
"""(lease, what the store read) -> when a sweep has to look at the lane (ms), or None."""


class Engine:
    """Works on the lanes of one kind. One per kind and worker process."""

    def __init__(self, store: LaneStore, wakeups: Wakeups, work: Work, lanes_at_once: int) -> None:
        self._store = store
        self._wakeups = wakeups
        self._work = work
        self._pool = Pool(lanes_at_once)
        self._leases: dict[str, LaneLease] = {}
        self._is_stopping = False

    def run_all(self, texts: Sequence[str]) -> None:
        """Work on several lanes at once, as a wake-up names them: `SID:lane`, or `SID:lane:note`; behind a space the
        request that woke it. Returns when each is done with for now."""
        gevent.joinall([self._pool.spawn(self._run_named, text) for text in texts])

    def _run_named(self, text: str) -> None:
        item, _, request_id = text.partition(" ")
        sid, name, *note = item.split(":")
        logs.start(sid, name, request_id)
        self.run(Lane(sid, name), *note[:1])

    def run(self, lane: Lane, note: str = "") -> None:
        """Do what is to be done in a lane now. Never raises."""
        if self._is_stopping:
            return
        lease = LaneLease(lane, uuid.uuid4().hex)
        try:
            while True:
                found = self._store.take(lane, lease.owner, now_ms(), note)
                if found is None:
                    return
                self._leases[lease.owner] = lease
                due_ms = self._work(lease, found)
                if not lease.is_held or self._give_back(lease, due_ms):
                    return
                note = ""
        except LeaseLost:
            log.warning("lane_taken_over", lane=str(lane))
        except Unavailable as error:
            # The lease runs out by itself, and a sweep finds the lane.
            log.warning("lane_left", lane=str(lane), error=error.message)
        except Exception:
            log.exception("lane_broken", lane=str(lane))
            with contextlib.suppress(Unavailable):
                self._store.release(lane, lease.owner, now_ms() + BROKEN_MS)
        finally:
            self._leases.pop(lease.owner, None)

    def _give_back(self, lease: LaneLease, due_ms: int | None) -> bool:
        """Give the lane back. Returns False if somebody has woken it meanwhile: then it is still ours, to be looked at
        once more."""
        if not self._store.release(lease.lane, lease.owner, due_ms):
            return False
        if due_ms is not None and due_ms <= now_ms():
            self._wakeups.wake([lease.lane])
        return True

    def stop(self) -> None:
        """Begin with no further lane, and have those under way end soon."""
        self._is_stopping = True
        for lease in self._leases.values():
            lease.must_end = True

    def keep_leases(self, store: LaneStore, sleep: Callable[[float], object]) -> None:
        """Renew for ever the leases of the lanes under way; if this process dies, others have them 5 s later.

        `store` has a connection of its own: with all others in use the leases would run out.
        """
        while True:
            try:
                leases = list(self._leases.values())
                for start in range(0, len(leases), RENEWED_AT_ONCE):
                    some = leases[start : start + RENEWED_AT_ONCE]
                    store.renew({lease.owner: lease.lane for lease in some}, now_ms())
                    gevent.sleep(0)
            except Unavailable as error:
                log.warning("leases_not_renewed", error=error.message)
            sleep(LEASE_MS / 4000)
