"""Leases of lanes, and when a sweep has to look at which: one list for each kind of lane."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import redis

from orchestrator.store import keys
from orchestrator.store.connection import redis_errors
from orchestrator.store.scripts import Script

LEASE_MS: Final = 5_000
"""A lease is renewed while its worker lives, so it only runs out when the process has died."""

_AFTER_LEASE_MS: Final = 500
WORKED_ON_MS: Final = LEASE_MS + _AFTER_LEASE_MS
"""A lane that somebody works on is due this far ahead at most."""


class LeaseLost(Exception):
    """The lane, or the node, is leased to somebody else by now: stop, and write nothing."""


@dataclass(frozen=True, slots=True)
class Lane:
    """What is worked on by one at a time: the part `name` of what `sid` names."""

    sid: str
    name: str

    def __str__(self) -> str:
        return f"{self.sid}:{self.name}"

    @classmethod
    def parse(cls, text: str) -> Lane:
        """Read a lane from its text."""
        return cls(*text.split(":", 1))


class LaneStore:
    """Lanes of one kind as workers see them. `owner` is the name of one who works on one, new each time.

    A kind that has to read something when it leases a lane, or that knows when one is empty, overrides `take`,
    `list_empty` and `save_forgotten`. Every method raises Unavailable.
    """

    def __init__(self, client: redis.Redis, kind: str) -> None:
        self._redis: Any = client
        self._kind = kind
        self._due = keys.lanes_due(kind)
        self._take = Script(client, "lanes/take")
        self._renew = Script(client, "lanes/renew")
        self._release = Script(client, "lanes/release")
        self._settle = Script(client, "lanes/settle_due")

    def take(self, lane: Lane, owner: str, now_ms: int, note: str = "") -> Any | None:
        """Lease a lane; returns what its work begins with, or None if there is nothing to do. If another has leased
        it, it will look once more. From now on a sweep finds the lane if its worker dies."""
        with redis_errors():
            pipe = self._redis.pipeline(transaction=False)
            self._add_note(pipe, lane, note)
            self._take(keys=[self.lease(lane)], args=[owner, LEASE_MS], client=pipe)
            pipe.zadd(self._due, {str(lane): self._after_lease(now_ms)})
            taken = pipe.execute()[-2]
        return True if taken else None

    def _add_note(self, pipe: Any, lane: Lane, note: str) -> None:
        """Keep what a wake-up says besides the lane, no matter which worker has leased it."""

    def renew(self, owners: Mapping[str, Lane], now_ms: int) -> None:
        """Keep the leases of lanes that this process is working on: owner -> lane. One that is lost stays lost."""
        with redis_errors():
            pipe = self._redis.pipeline(transaction=False)
            for owner, lane in owners.items():
                self._renew(keys=[self.lease(lane)], args=[owner, LEASE_MS, ""], client=pipe)
            later = {str(lane): self._after_lease(now_ms) for lane in owners.values()}
            pipe.zadd(self._due, later, xx=True, gt=True)
            pipe.execute()

    def check(self, lane: Lane, owner: str) -> None:
        """Renew a lease before something that two must not do. Raises LeaseLost."""
        self._check(lane, owner, "")

    def is_woken(self, lane: Lane, owner: str) -> bool:
        """Renew a lease; returns True if somebody has woken the lane: then look at it again. Raises LeaseLost."""
        return self._check(lane, owner, "1") == 2

    def _check(self, lane: Lane, owner: str, looks_again: str) -> int:
        with redis_errors():
            answer = int(self._renew(keys=[self.lease(lane)], args=[owner, LEASE_MS, looks_again]))
        if not answer:
            raise LeaseLost
        return answer

    def release(self, lane: Lane, owner: str, due_ms: int | None) -> bool:
        """Give a lane back, to be looked at by a sweep at `due_ms` (None: not before it is woken). Returns False if
        somebody has woken it meanwhile: then it is still ours, and has to be looked at once more."""
        with redis_errors():
            pipe = self._redis.pipeline(transaction=False)
            if due_ms is None:
                pipe.zrem(self._due, str(lane))
            else:
                pipe.zadd(self._due, {str(lane): due_ms})
            self._release(keys=[self.lease(lane)], args=[owner], client=pipe)
            return bool(pipe.execute()[-1])

    # ------------------------------------------------------------ what a sweep has to look at

    def list_due(self, now_ms: int, most: int) -> list[Lane]:
        """List the lanes whose time has come, that are not empty, and that nobody works on. What is not due costs
        nothing."""
        with redis_errors():
            found = self._redis.zrangebyscore(self._due, 0, now_ms, start=0, num=most, withscores=True)
            if not found:
                return []
            lanes = [Lane.parse(text) for text, _ in found]
            empty = self.list_empty(lanes)
            pipe = self._redis.pipeline(transaction=False)
            for lane in lanes:
                pipe.exists(self.lease(lane))
            leased = pipe.execute()
            arguments: list[str | int] = [now_ms + LEASE_MS]
            for lane, (text, score) in zip(lanes, found, strict=True):
                arguments += [text, f"{score:.0f}", "1" if lane in empty else "0"]
            self._settle(keys=[self._due], args=arguments)
        return [lane for lane, is_leased in zip(lanes, leased, strict=True) if not is_leased and lane not in empty]

    def list_empty(self, lanes: Sequence[Lane]) -> set[Lane]:
        """Return those of these lanes that hold nothing."""
        return set()

    def save_forgotten(self, now_ms: int) -> int:
        """Put on the list what should be there and is not, should a process have died; returns how many."""
        return 0

    def lease(self, lane: Lane) -> str:
        """Return the key of a lane's lease."""
        return keys.lane_lease(self._kind, lane.sid, lane.name)

    @staticmethod
    def _after_lease(now_ms: int) -> int:
        return now_ms + WORKED_ON_MS
