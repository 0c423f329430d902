"""Which nodes there are: those of FREESWITCH_NODES, and what operators have said since (`orchestrator nodes`); and
where conferences of a Region go.

Kept in Redis, so that every process sees a change within READ_SECONDS and none has to be started anew.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import orjson
import redis

from orchestrator.errors import Unavailable
from orchestrator.store import keys
from orchestrator.store.connection import redis_errors

READ_SECONDS: Final = 1.0

State = Literal["active", "cordoned", "lost", "removed"]


@dataclass(frozen=True, slots=True)
class NodeRow:
    """A node, its event socket, and the group of nodes that it belongs to, if any. `cordoned`: it gets no new
    conferences, and those that it has go on. `lost`: what it has is ended, wherever it is. `removed`: nobody knows it
    any more, though FREESWITCH_NODES names it."""

    name: str
    host: str
    port: int
    group: str = ""
    state: State = "active"

    def is_of(self, group: str) -> bool:
        """Whether the node belongs to a group; all belong to ''."""
        return group in ("", self.group)


class NodeRegistry:
    """Keeps the list of nodes. `start`: FREESWITCH_NODES of this process. What operators have said of one of them
    counts more."""

    def __init__(self, client: redis.Redis, start: Iterable[NodeRow]) -> None:
        self._redis: Any = client
        self._start = {row.name: row for row in start}
        self._rows = dict(self._start)
        self._regions: Mapping[str, str] = {}
        self._read_at = float("-inf")

    def list_nodes(self) -> list[NodeRow]:
        """List the nodes, by name, as they were at most READ_SECONDS ago; while Redis is away, as they were last."""
        self._refresh()
        return [row for _, row in sorted(self._rows.items()) if row.state != "removed"]

    def list_regions(self) -> Mapping[str, str]:
        """Return each region that an operator has mapped, and its group of nodes ('': any); as old as the nodes."""
        self._refresh()
        return self._regions

    def _refresh(self) -> None:
        now = time.monotonic()
        if now - self._read_at < READ_SECONDS:
            return
        self._read_at = now
        with contextlib.suppress(Unavailable), redis_errors():  # a caller that cannot do without Redis fails by itself
            pipe = self._redis.pipeline(transaction=False)
            nodes, regions = pipe.hgetall(keys.NODES).hgetall(keys.REGIONS).execute()
            self._rows, self._regions = self._merge(nodes), regions

    def _merge(self, kept: Mapping[str, str]) -> dict[str, NodeRow]:
        changes = {name: orjson.loads(text) for name, text in kept.items()}
        rows = dict(self._start)
        for name, fields in changes.items():
            known = rows.get(name)
            if known is not None:
                rows[name] = replace(known, **fields)
            elif "host" in fields:
                rows[name] = NodeRow(name, **fields)
        return rows

    def forget(self) -> None:
        """Read the nodes again before the next answer: it decides what is written."""
        self._read_at = float("-inf")

    def save(self, row: NodeRow) -> None:
        """Write what an operator says of a node."""
        with redis_errors():
            self._redis.hset(keys.NODES, row.name, self._written(row))
        self.forget()

    def change(self, name: str, change: Callable[[NodeRow], NodeRow]) -> NodeRow | None:
        """Write what `change` makes of a node as it is now, whatever has been read before, and return it; None if there
        is no such node any more."""

        def write(pipe: Any) -> NodeRow | None:
            before = self._merge(pipe.hgetall(keys.NODES)).get(name)
            pipe.multi()
            if before is None or before.state == "removed":
                return None
            after = change(before)
            pipe.hset(keys.NODES, name, self._written(after))
            return after

        with redis_errors():
            changed: NodeRow | None = self._redis.transaction(write, keys.NODES, value_from_callable=True)
        self.forget()
        return changed

    def _written(self, row: NodeRow) -> str:
        """An address that FREESWITCH_NODES has is left to it: it may change there."""
        start = self._start.get(row.name)
        fields: dict[str, object] = {"group": row.group, "state": row.state}
        if start is None or (start.host, start.port) != (row.host, row.port):
            fields |= {"host": row.host, "port": row.port}
        return orjson.dumps(fields).decode()

    def map_region(self, region: str, group: str | None) -> None:
        """Have conferences of a region go to a group of nodes ('': to any); None: the region is unknown again."""
        with redis_errors():
            if group is None:
                self._redis.hdel(keys.REGIONS, region)
            else:
                self._redis.hset(keys.REGIONS, region, group)
        self.forget()

    def remove(self, row: NodeRow) -> None:
        """Remember a node as removed, for another process' FREESWITCH_NODES may name it. Its lease goes."""
        with redis_errors():
            self.save(replace(row, state="removed"))
            self._redis.delete(keys.node_lease(row.name))
        self.forget()
