"""Names several servers: `redis+sentinel://[:password@]host:26379[,host:26379…]/service[/number]` Sentinels of a Redis,
`redis+cluster://[:password@]host:6379[,host:6379…]` some of a Redis Cluster.

Apart from what uses them, so that settings can be read before anything imports what opens sockets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlsplit

SENTINEL: Final = "redis+sentinel"
CLUSTER: Final = "redis+cluster"

Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Servers:
    """What such a URL names, and how one gets in. `path` is without its first slash."""

    addresses: tuple[Address, ...]
    path: str
    username: str | None
    password: str | None


@dataclass(frozen=True, slots=True)
class SentinelUrl:
    """The Sentinels, and of what. `number`: of the database."""

    servers: Servers
    service: str
    number: int


def is_cluster(url: str) -> bool:
    """Whether a URL names a cluster."""
    return url.startswith(f"{CLUSTER}:")


def parse_sentinel_url(url: str) -> SentinelUrl:
    """Read a URL of Sentinels. Raises ValueError if it is none."""
    try:
        servers = _parse(url, SENTINEL)
        service, _, number = servers.path.partition("/")
        if not service:
            raise ValueError
        return SentinelUrl(servers, service, int(number or 0))
    except ValueError:
        raise ValueError(f"is not {SENTINEL}://host:port,host:port/service/number") from None


def parse_cluster_url(url: str) -> Servers:
    """Read a URL of a cluster. Raises ValueError if it is none; a cluster has one database, so no number."""
    try:
        servers = _parse(url, CLUSTER)
    except ValueError:
        servers = None
    if servers is None or servers.path:
        raise ValueError(f"is not {CLUSTER}://host:port,host:port")
    return servers


def _parse(url: str, scheme: str) -> Servers:
    parts = urlsplit(url)
    access, _, hosts = parts.netloc.rpartition("@")
    pairs = [host.rpartition(":") for host in hosts.split(",")]
    addresses = tuple((host.strip("[]"), int(port)) for host, _, port in pairs)
    user, _, password = access.partition(":")
    if parts.scheme != scheme or not all(host and 0 < port < 65536 for host, port in addresses):
        raise ValueError
    return Servers(addresses, parts.path.removeprefix("/"), unquote(user) or None, unquote(password) or None)
