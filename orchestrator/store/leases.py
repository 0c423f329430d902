"""Leases of nodes: of any number of listeners exactly one follows a node, and its commits carry the lease's epoch.

Two things keep one that has lost its lease from doing harm. It asks before whatever it does, by a clock that ends
before the lease does (`Lease.check`); and should it be frozen between that question and the write, Redis refuses the
write, because the next one has closed the node's conferences to older epochs (`CommitStore.fence`). See adr/0020.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final

import redis

from orchestrator.store import keys
from orchestrator.store.connection import redis_errors
from orchestrator.store.lanes import LeaseLost
from orchestrator.store.scripts import Script

LEASE_MS: Final = 2_000
"""A dead listener's nodes are taken over within 3 s: this, a look at it, and a snapshot of the switch."""

CUT_OFF_SECONDS: Final = 300
"""How long a listener leaves a node that it has not reached to others; if it gets the node after that, it tries
again."""

TRUSTED_SECONDS: Final = 1.5
"""How long a listener relies on a lease without asking again, counted from before it asked."""


def refused(client: Any, node: str, writes: int = 1) -> LeaseLost:
    """Count writes of a listener that came too late, for operators; returns the error to raise. Raises Unavailable."""
    with redis_errors():
        client.hincrby(keys.COMMITS_REFUSED, node, writes)
    return LeaseLost(node)


class LeaseStore:
    """Keeps who follows which node. Every method raises Unavailable."""

    def __init__(self, client: redis.Redis) -> None:
        self._redis: Any = client
        self._attend = Script(client, "nodes/attend")
        self._take = Script(client, "nodes/take_lease")
        self._renew = Script(client, "nodes/renew_lease")

    def attend(self, process: str) -> list[str]:
        """Note that this listener lives; returns all that do."""
        with redis_errors():
            return list(map(str, self._attend(keys=[keys.LISTENERS], args=[process, LEASE_MS])))

    def leave(self, process: str) -> None:
        """Note that this listener is about to end: its nodes are for others."""
        with redis_errors():
            self._redis.zrem(keys.LISTENERS, process)

    def note_cut_off(self, node: str, process: str) -> None:
        """Note that this listener does not reach a node."""
        with redis_errors():
            pipe = self._redis.pipeline(transaction=False)
            pipe.zadd(keys.CUT_OFF, {f"{node} {process}": self._now() + CUT_OFF_SECONDS})
            pipe.expire(keys.CUT_OFF, CUT_OFF_SECONDS)
            pipe.execute()

    def load_cut_off(self, listeners: Collection[str]) -> dict[str, set[str]]:
        """Load, by node, those of these listeners that did not reach it when they followed it last."""
        with redis_errors():
            found = self._redis.zrangebyscore(keys.CUT_OFF, self._now(), "+inf")
        by_node: dict[str, set[str]] = {}
        for node, process in (str(each).split(" ", 1) for each in found):
            if process in listeners:
                by_node.setdefault(node, set()).add(process)
        return by_node

    def _now(self) -> int:
        return int(self._redis.time()[0])

    def take(self, node: str, process: str) -> Lease | None:
        """Lease a node; None if somebody else has it."""
        asked_at = time.monotonic()
        with redis_errors():
            epoch = int(self._take(keys=[keys.node_lease(node)], args=[process, LEASE_MS]))
        return Lease(self, node, epoch, asked_at + TRUSTED_SECONDS) if epoch else None

    def renew(self, leases: Iterable[Lease]) -> None:
        """Keep leases. Those that another has taken are marked as lost."""
        leases = list(leases)
        asked_at = time.monotonic()
        for lease, is_ours in zip(leases, self._write(leases, LEASE_MS), strict=True):
            if is_ours:
                lease.trusted_until = asked_at + TRUSTED_SECONDS
            else:
                lease.is_lost = True

    def release(self, lease: Lease) -> None:
        """Give a lease back: another may have it at once."""
        lease.is_lost = True
        self._write([lease], 0)

    def _write(self, leases: Sequence[Lease], length_ms: int) -> list[bool]:
        with redis_errors():
            pipe = self._redis.pipeline(transaction=False)
            for lease in leases:
                self._renew(keys=[keys.node_lease(lease.node)], args=[lease.epoch, length_ms], client=pipe)
            return [bool(answer) for answer in pipe.execute()]


class Lease:
    """The right to follow a node. Another has it when this process has not been heard of for LEASE_MS."""

    def __init__(self, store: LeaseStore, node: str, epoch: int, trusted_until: float) -> None:
        self._store = store
        self.node = node
        self.epoch = epoch
        self.trusted_until = trusted_until
        self.is_lost = False

    @property
    def is_trusted(self) -> bool:
        """Return whether the lease is ours by the clock alone, without asking."""
        return not self.is_lost and time.monotonic() < self.trusted_until

    def check(self) -> None:
        """Make sure that the lease is ours, before something that two must not do: by the clock, else by asking Redis.
        One that ran out while Redis was away is ours as long as nobody has taken it.

        Raises LeaseLost; Unavailable while nobody can say.
        """
        if not self.is_lost and time.monotonic() >= self.trusted_until:
            self._store.renew([self])
        if self.is_lost:
            raise LeaseLost(self.node)
