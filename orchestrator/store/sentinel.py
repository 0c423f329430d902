"""Redis behind Sentinels (redis_urls.py).

Every new connection asks them which server is the primary now, so nobody has to be told of a failover.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import redis
from redis.sentinel import Sentinel

from orchestrator.store.redis_urls import Address, parse_sentinel_url

ASK_SECONDS: Final = 0.3
"""How long one Sentinel is waited for; then the next is asked."""


class PrimaryConnection(redis.Connection):
    """A connection to whichever server is the primary when it is made. One that is a replica by now is left."""

    def __init__(self, *, find_primary: Callable[[], Address], **options: Any) -> None:
        """`find_primary` asks the Sentinels; the rest is redis-py's."""
        self._find_primary = find_primary
        super().__init__(**options)  # type: ignore[no-untyped-call]  # redis-py's own, as below

    def _connect(self) -> Any:
        self.host, self.port = self._find_primary()
        return super()._connect()  # type: ignore[no-untyped-call]

    def read_response(self, *arguments: Any, **options: Any) -> Any:
        """As redis-py's SentinelManagedConnection, which works with a pool that does not wait."""
        try:
            return super().read_response(*arguments, **options)
        except redis.ReadOnlyError as error:
            self.disconnect()  # type: ignore[no-untyped-call]
            raise redis.ConnectionError("the primary has become a replica") from error


def options_of(url: str) -> dict[str, Any]:
    """Return the options that make a pool of connections to the primary."""
    found = parse_sentinel_url(url)
    waits = {"socket_timeout": ASK_SECONDS, "socket_connect_timeout": ASK_SECONDS}
    sentinel: Any = Sentinel(list(found.servers.addresses), sentinel_kwargs=waits)  # type: ignore[no-untyped-call]
    return {
        "connection_class": PrimaryConnection,
        "find_primary": lambda: sentinel.discover_master(found.service),
        "db": found.number,
        "username": found.servers.username,
        "password": found.servers.password,
    }
