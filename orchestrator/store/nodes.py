"""Keeps what each node's listener last saw, for operators and `orchestrator check`; and what it has to look at
again."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

import redis

from orchestrator.store import keys
from orchestrator.store.connection import redis_errors
from orchestrator.store.leases import refused
from orchestrator.store.scripts import Script

LOOK_SECONDS: Final = 1.5
"""How long after a change its conference is looked at: by then whoever committed it has told the switch, or is dead."""

KEPT_SECONDS: Final = 60
MOST_LOOKS: Final = 100
"""Most conferences that are looked at in one go; the others are next."""


class NodeStore:
    """Reads and writes what is known of each node: one hash, which vanishes when all listeners are silent."""

    def __init__(self, client: redis.Redis) -> None:
        self._redis: Any = client
        self._save = Script(client, "nodes/save")
        self._take_looks = Script(client, "nodes/take_looks")

    def save_node(self, name: str, epoch: int | None = None, **facts: str) -> None:
        """Write what is known of a node now; `listener` names the process that wrote it, `epoch` is of its lease.

        Raises LeaseLost if another has the node by now.
        """
        flat = [text for pair in facts.items() for text in pair]
        arguments = ["" if epoch is None else epoch, keys.NODE_SECONDS, *flat]
        with redis_errors():
            is_ours = self._save(keys=[keys.node(name), keys.node_lease(name)], args=arguments)
        if not is_ours:
            raise refused(self._redis, name)

    def now(self) -> int:
        """Return Redis' clock (s), by which one process knows when another has seen something."""
        with redis_errors():
            return int(self._redis.time()[0])

    def load_node(self, name: str) -> dict[str, str]:
        """Load what the node's listener wrote last; empty if there is no listener."""
        with redis_errors():
            return dict(self._redis.hgetall(keys.node(name)))

    def load_away_seconds(self, name: str) -> float:
        """Return for how long the node's listener, or the one before it, has not reached the node."""
        seen = self.load_node(name)
        return float(seen.get("away_seconds", 0)) if seen.get("connected") == "0" else 0.0

    def list_away(self, names: Sequence[str]) -> set[str]:
        """List those of these nodes that their listeners do not reach."""
        with redis_errors():
            pipe = self._redis.pipeline(transaction=False)
            for name in names:
                pipe.hget(keys.node(name), "connected")
            return {name for name, connected in zip(names, pipe.execute(), strict=True) if connected == "0"}

    def save_detector(self, name: str, **facts: str) -> None:
        """Write that a detector listens to the node's calls."""
        with redis_errors():
            pipe = self._redis.pipeline(transaction=True)
            pipe.hset(keys.node_detector(name), mapping=facts)
            pipe.expire(keys.node_detector(name), keys.DETECTOR_SECONDS)
            pipe.execute()

    def load_detector(self, name: str) -> dict[str, str]:
        """Load what the node's detector wrote last; empty if there is none."""
        with redis_errors():
            return dict(self._redis.hgetall(keys.node_detector(name)))

    def count_young(self, within_seconds: Mapping[str, float]) -> dict[str, int]:
        """Count, by node, the calls of any process that were dialled in so many seconds, or wait for their slot."""
        moment = time.time()
        with redis_errors():
            pipe = self._redis.pipeline(transaction=False)
            for name, seconds in within_seconds.items():
                pipe.zcount(keys.node_dialled(name), (moment - seconds) * 1000, "+inf")
                pipe.zcount(keys.node_waiting(name), moment * 1000, "+inf")
            found = list(map(int, pipe.execute()))
        return {
            name: dialled + waiting
            for name, dialled, waiting in zip(within_seconds, found[::2], found[1::2], strict=True)
        }

    def count_conferences(self) -> dict[str, tuple[int, int]]:
        """Count, by node, the conferences that have not ended, and the people in them or on their way."""
        with redis_errors():
            sids = self._redis.zrange(keys.OPEN_CONFERENCES, 0, -1)
            pipe = self._redis.pipeline(transaction=False)
            for sid in sids:
                pipe.hmget(keys.conference(sid), "node", "status", "live_count")
            found = pipe.execute()
        counted: dict[str, tuple[int, int]] = {}
        for node, status, live in found:
            if node and status != "completed":
                conferences, people = counted.get(node, (0, 0))
                counted[node] = (conferences + 1, people + int(live or 0))
        return counted

    def load_refused(self) -> dict[str, int]:
        """Count, by node, the writes of listeners whose lease was another's by then."""
        with redis_errors():
            return {name: int(count) for name, count in self._redis.hgetall(keys.COMMITS_REFUSED).items()}

    # ------------------------------------------------------------ what is looked at again

    def look_again(self, name: str, conference_sid: str) -> None:
        """Have the node's listener make sure, in a moment, that the switch does what the conference's state says.

        Said before a change is committed by whoever has the switch do it, for they may die in between.
        """
        with redis_errors():
            pipe = self._redis.pipeline(transaction=False)
            pipe.zadd(keys.looks(name), {conference_sid: time.time() + LOOK_SECONDS})
            pipe.expire(keys.looks(name), KEPT_SECONDS)  # a listener that was away for longer looks at everything
            pipe.execute()

    def take_looks(self, name: str, epoch: int | None = None) -> list[str]:
        """Take, for the listener, the conferences to be looked at now; they are not told twice.

        Raises LeaseLost if another has the node by now.
        """
        with redis_errors():
            is_ours, *found = self._take_looks(
                keys=[keys.looks(name), keys.node_lease(name)],
                args=["" if epoch is None else epoch, time.time(), MOST_LOOKS],
            )
        if not is_ours:
            raise refused(self._redis, name)
        return list(map(str, found))


def note_waiting(pipe: Any, node: str, call_sid: str, made_ms: int, waits_ms: int) -> None:
    """Count a call that waits for its slot as its node's until then. Nobody has to take it out: once its slot has come
    it counts no more, whatever has become of it and of whoever made it."""
    waiting = keys.node_waiting(node)
    pipe.zremrangebyscore(waiting, 0, made_ms)
    pipe.zadd(waiting, {call_sid: made_ms + waits_ms})
    pipe.expire(waiting, keys.RETENTION_SECONDS)
