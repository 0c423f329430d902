"""Redis Cluster (redis_urls.py): state only, for RQ knows none.

Each key has a hash tag, and so has each script (keys.py): whatever is done in one step stays in one slot. A pipeline
goes to all servers that it reaches, side by side.
"""

from __future__ import annotations

from typing import Any, cast

import redis
from redis import cluster

from orchestrator.store.redis_urls import parse_cluster_url


def connect_to_cluster(url: str, **options: Any) -> redis.Redis:
    """Make a client of a cluster, which finds the servers that the URL does not name. It has the commands of `Redis`.
    Raises RedisClusterException if none of the servers answers."""
    found = parse_cluster_url(url)
    (host, port), *others = found.addresses
    library: Any = cluster  # redis-py's types are not whole
    return cast(
        redis.Redis,
        library.RedisCluster(
            url=f"redis://{host}:{port}",
            startup_nodes=[library.ClusterNode(*address) for address in others],
            connection_pool_class=redis.BlockingConnectionPool,
            username=found.username,
            password=found.password,
            **options,
        ),
    )
