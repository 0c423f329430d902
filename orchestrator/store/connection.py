"""A Redis connection with deadlines, and Redis' errors as ours."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, Final

import redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisClusterException
from redis.retry import Retry

from orchestrator.errors import StoreFull, Unavailable
from orchestrator.store.cluster import connect_to_cluster
from orchestrator.store.redis_urls import SENTINEL, is_cluster
from orchestrator.store.sentinel import options_of

DEADLINE_SECONDS = 1.5
"""An API answer is due within 2 s, also when Redis is away; so no wait for Redis may be longer than this."""


def connect(url: str, *, max_connections: int = 64) -> redis.Redis:
    """Make a client of Redis whose every wait ends. Its pool is bounded, in a cluster that of each server; a caller
    waits for a free connection, then fails. Raises Unavailable if a cluster is not there."""
    options: dict[str, Any] = {
        "max_connections": max_connections,
        "timeout": DEADLINE_SECONDS,
        "socket_timeout": DEADLINE_SECONDS,
        "socket_connect_timeout": DEADLINE_SECONDS,
        "decode_responses": True,
        # A broken connection is made anew once; a silent Redis is not waited for twice.
        "retry": Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,)),
    }
    if is_cluster(url):
        with redis_errors():
            return connect_to_cluster(url, **options)
    return redis.Redis(connection_pool=make_pool(url, **options))


def is_guarded(url: str) -> bool:
    """Whether Sentinels guard this Redis: then it has replicas."""
    return url.startswith(f"{SENTINEL}:")


def make_pool(url: str, **options: Any) -> redis.BlockingConnectionPool:
    """Make a pool of connections to what a URL names, or to the primary of the Sentinels that it names."""
    if is_guarded(url):
        return redis.BlockingConnectionPool(**options, **options_of(url))  # type: ignore[no-untyped-call]  # redis-py's
    return redis.BlockingConnectionPool.from_url(url, **options)


class _RedisErrors:
    """A class, not a generator: it is entered a thousand times a second."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, redis.OutOfMemoryError):
            raise StoreFull("The data store is full") from error
        if isinstance(error, redis.RedisError | RedisClusterException):
            raise Unavailable(f"The data store is not reachable: {type(error).__name__}") from error


_REDIS_ERRORS: Final = _RedisErrors()


def redis_errors() -> AbstractContextManager[None]:
    """Turn whatever Redis raises into `Unavailable` (503/20503)."""
    return _REDIS_ERRORS


def reason_of(error: BaseException) -> str:
    """Return why Redis could not be used, in its own words: for operators. Clients are told only that it could not."""
    cause = error.__cause__
    return f"{type(cause).__name__}: {str(cause)[:200]}" if isinstance(cause, redis.RedisError) else str(error)
