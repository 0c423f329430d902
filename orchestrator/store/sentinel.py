"""Redis behind Sentinels (redis_urls.py).

Every new connection asks them which server is the primary now, and one that is there asks again after a second: a
primary that was frozen, or cut off, takes writes until it is told that it is none any more, and then forgets them.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import Any, Final

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import MasterNotFoundError, Sentinel

from orchestrator.store.redis_urls import Address, SentinelUrl, parse_sentinel_url

ASK_SECONDS: Final = 0.3
"""How long one Sentinel is waited for; then the next is asked."""


CERTAIN_SECONDS: Final = 1.0
"""How long a process goes by what the Sentinels have said."""

AWAY_SECONDS: Final = 5.0
"""How long it goes on with the primary that it knows when none of them has answered."""


class Primary:
    """Which server the Sentinels name, for all connections of a pool."""

    def __init__(self, servers: SentinelUrl) -> None:
        once = {
            "socket_timeout": ASK_SECONDS,
            "socket_connect_timeout": ASK_SECONDS,
            "retry": Retry(NoBackoff(), 0),  # the next one is asked; redis-py would try ten times, for eight seconds
        }
        addresses = list(servers.servers.addresses)
        self._sentinel: Any = Sentinel(addresses, sentinel_kwargs=once)  # type: ignore[no-untyped-call]  # redis-py's
        self._service = servers.service
        self._asking = threading.Lock()
        self._asked = 0
        self._named: Address | None = None
        self._failure = ""
        self._ask_at = 0.0

    def find(self) -> Address:
        """Ask the Sentinels for the primary. Raises redis-py's MasterNotFoundError.

        One at a time: redis-py changes the list of Sentinels while it goes through it. Whoever waited has the answer
        that came meanwhile.
        """
        asked = self._asked
        with self._asking:
            if asked == self._asked:
                self._ask()
            if self._named is None or self._failure:
                raise MasterNotFoundError(self._failure)
            return self._named

    def _ask(self) -> None:
        try:
            self._named, self._failure = self._sentinel.discover_master(self._service), ""
        except redis.RedisError as error:
            self._failure = str(error)
        self._ask_at = time.monotonic() + (AWAY_SECONDS if self._failure else CERTAIN_SECONDS)
        self._asked += 1

    def is_another(self, than: Address) -> bool:
        """Return whether they name another server than this. While they are away, they name none."""
        if time.monotonic() >= self._ask_at and not self._asking.locked():
            with suppress(MasterNotFoundError):
                self.find()
        return self._named not in (None, than)


class PrimaryConnection(redis.Connection):
    """A connection to the primary. One to a server that is none any more is left."""

    def __init__(self, *, primary: Primary, **options: Any) -> None:
        """`primary`: of the pool; the rest is redis-py's."""
        self._primary = primary
        super().__init__(**options)  # type: ignore[no-untyped-call]  # redis-py's own, as below

    def connect(self) -> None:
        """Connect if that is not done; redis-py's pool calls it whenever it hands a connection out."""
        if self._sock is not None and self._primary.is_another((self.host, self.port)):
            self.disconnect()
        super().connect()  # type: ignore[no-untyped-call]

    def _connect(self) -> Any:
        self.host, self.port = self._primary.find()
        return super()._connect()  # type: ignore[no-untyped-call]

    def read_response(self, *arguments: Any, **options: Any) -> Any:
        """As redis-py's SentinelManagedConnection, which works with a pool that does not wait."""
        try:
            return super().read_response(*arguments, **options)
        except redis.ResponseError as error:
            if not isinstance(error, redis.ReadOnlyError) and not str(error).startswith("NOREPLICAS"):
                raise
            self.disconnect()  # type: ignore[no-untyped-call]
            raise redis.ConnectionError("this primary is a replica by now, or has too few replicas") from error


def options_of(url: str) -> dict[str, Any]:
    """Return the options that make a pool of connections to the primary."""
    found = parse_sentinel_url(url)
    return {
        "connection_class": PrimaryConnection,
        "primary": Primary(found),
        "db": found.number,
        "username": found.servers.username,
        "password": found.servers.password,
    }
