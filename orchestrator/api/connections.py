"""Which connections an API process keeps when there are too many: one with a request goes before one that is only open.

A connection *waits* while no whole request has come on it, and while its answer is sent: for as long as the client
takes. It costs little to end one, so when an address has as many connections as it may, or the process as many as it
can, the one that has waited longest makes room for the new one.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, MutableMapping
from ipaddress import ip_address
from typing import Any, Final

from orchestrator.outgoing.networks import Network, unmapped

PER_ADDRESS: Final = 1_000
"""Most connections of one address, or one IPv6 network of 64 bits. Proxies that the operator names have no bound."""

IN_ALL: Final = 8_000

_WAITING: Final = "orchestrator.connection"


class Connection:
    """A connection to a client; `hang_up` ends it."""

    __slots__ = ("address", "hang_up", "is_bounded")

    def __init__(self, address: str, hang_up: Callable[[], object], is_bounded: bool) -> None:
        self.address = address
        self.hang_up = hang_up
        self.is_bounded = is_bounded


class Connections:
    """Decides which connections of a process are kept, and which one ends when there are too many."""

    def __init__(self, trusted: Iterable[Network], per_address: int = PER_ADDRESS, in_all: int = IN_ALL) -> None:
        self._trusted = tuple(trusted)
        self._per_address = per_address
        self._in_all = in_all
        self._open: set[Connection] = set()
        self._count: Counter[str] = Counter()
        self._waiting: OrderedDict[Connection, None] = OrderedDict()
        self._waiting_of: dict[str, OrderedDict[Connection, None]] = {}

    def __len__(self) -> int:
        return len(self._open)

    def admit(self, address: str, hang_up: Callable[[], object]) -> Connection | None:
        """Keep a new connection, which waits; returns None if it has to end, as all others are at work."""
        name, is_bounded = _name(address), not is_trusted(address, self._trusted)
        if is_bounded and self._count[name] >= self._per_address and not self._make_room(self._waiting_of.get(name)):
            return None
        if len(self._open) >= self._in_all and not self._make_room(self._waiting):
            return None
        connection = Connection(name, hang_up, is_bounded)
        self._open.add(connection)
        self._count[name] += 1
        self.wait(connection)
        return connection

    def work(self, connection: Connection) -> None:
        """Note that a whole request has come: it is answered, whatever comes meanwhile."""
        self._waiting.pop(connection, None)
        of_address = self._waiting_of.get(connection.address)
        if of_address is not None:
            of_address.pop(connection, None)
            if not of_address:
                del self._waiting_of[connection.address]

    def wait(self, connection: Connection) -> None:
        """Note that the connection waits for its next request."""
        if connection.is_bounded and connection in self._open:
            self._waiting[connection] = None
            self._waiting_of.setdefault(connection.address, OrderedDict())[connection] = None

    def leave(self, connection: Connection) -> None:
        """Forget a connection that has ended, or is being ended."""
        if connection in self._open:
            self.work(connection)
            self._open.discard(connection)
            self._count[connection.address] -= 1
            if not self._count[connection.address]:
                del self._count[connection.address]

    def _make_room(self, waiting: OrderedDict[Connection, None] | None) -> bool:
        if not waiting:
            return False
        oldest = next(iter(waiting))
        self.leave(oldest)
        oldest.hang_up()
        return True


def let_wait(environ: MutableMapping[str, Any]) -> None:
    """Let a connection make room for others, as one that waits does, while its request is answered late on purpose."""
    wait = environ.get(_WAITING)
    if wait is not None:
        wait()


def mark(environ: MutableMapping[str, Any], wait: Callable[[], object]) -> None:
    """Give the application, in the request's environ, the way to have its connection wait."""
    environ[_WAITING] = wait


def is_trusted(address: str, trusted: Iterable[Network]) -> bool:
    """Return whether a peer is one of the operator's proxies, or a Unix socket, which only they can open."""
    if not address:
        return True
    found = unmapped(ip_address(address.partition("%")[0]))
    return any(found in network for network in trusted)


def tell_client(environ: MutableMapping[str, Any], trusted: Iterable[Network]) -> None:
    """Make REMOTE_ADDR the client's address, also behind a proxy of the operator's."""
    forwarded_for = environ.pop("HTTP_X_FORWARDED_FOR", "")
    environ["REMOTE_ADDR"] = client_address(environ.get("REMOTE_ADDR", ""), forwarded_for, trusted)


def client_address(peer: str, forwarded_for: str, trusted: Iterable[Network]) -> str:
    """Return the client's address: the last one in X-Forwarded-For that is not a proxy of the operator's, if the peer
    is one. What stands before it, anybody may have written."""
    if not forwarded_for:
        return peer
    address = peer
    for hop in reversed([part.strip() for part in forwarded_for.split(",")]):
        try:
            if not is_trusted(address, trusted):
                break
            address = str(ip_address(hop))
        except ValueError:
            break
    return address


def _name(address: str) -> str:
    """Return the name by which connections are counted: an IPv4 address, or the network of an IPv6 one, whose hosts may
    have any number of addresses."""
    if not address:
        return ""
    found = unmapped(ip_address(address.partition("%")[0]))
    return str(found) if found.version == 4 else found.exploded[:19]
