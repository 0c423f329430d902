"""What each node's listener last saw, for operators and `orchestrator check`."""

from __future__ import annotations

from typing import Any

import redis

from orchestrator.store import keys
from orchestrator.store.connection import redis_errors


class NodeStore:
    """One hash per node; it vanishes when its listener falls silent."""

    def __init__(self, client: redis.Redis) -> None:
        self._redis: Any = client

    def save_node(self, name: str, **facts: str) -> None:
        """Write what is known of a node now; `listener` names the process that wrote it."""
        with redis_errors():
            pipe = self._redis.pipeline(transaction=True)
            pipe.hset(keys.node(name), mapping=facts)
            pipe.expire(keys.node(name), keys.NODE_SECONDS)
            pipe.execute()

    def load_node(self, name: str) -> dict[str, str]:
        """What the node's listener wrote last; empty if there is no listener."""
        with redis_errors():
            return dict(self._redis.hgetall(keys.node(name)))
