"""Names Sentinels: `redis+sentinel://[:password@]host:26379[,host:26379…]/service[/number]`.

Apart from `sentinel`, so that settings can be read before anything imports what opens sockets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlsplit

SCHEME: Final = "redis+sentinel"

Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class SentinelUrl:
    """The parts of such a URL. `number`: of the database."""

    sentinels: tuple[Address, ...]
    service: str
    number: int
    username: str | None
    password: str | None


def parse_sentinel_url(url: str) -> SentinelUrl:
    """Read a URL of Sentinels. Raises ValueError if it is none."""
    parts = urlsplit(url)
    service, _, number = parts.path.removeprefix("/").partition("/")
    hosts = parts.netloc.rpartition("@")[2]
    try:
        pairs = [host.rpartition(":") for host in hosts.split(",")]
        sentinels = tuple((host.strip("[]"), int(port)) for host, _, port in pairs)
        user, _, password = parts.netloc.rpartition("@")[0].partition(":")
        if parts.scheme != SCHEME or not service or not all(host and 0 < port < 65536 for host, port in sentinels):
            raise ValueError
        return SentinelUrl(sentinels, service, int(number or 0), unquote(user) or None, unquote(password) or None)
    except ValueError:
        raise ValueError(f"is not {SCHEME}://host:port,host:port/service/number") from None
