"""Resolves a host name to its addresses: by literals, the hosts file, and DNS with a cache that keeps to the TTL."""

from __future__ import annotations

import socket
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Generic, TypeVar

import dns.resolver

from orchestrator.outgoing.lookup import Service, look_up, look_up_services, parse_resolv_conf
from orchestrator.outgoing.names import LOOPBACK, Unresolvable, is_localhost, parse_hosts, parse_literal
from orchestrator.outgoing.networks import Address

LOOKUP_SECONDS: Final = 5.0
NEGATIVE_SECONDS: Final = 5.0
"""How long a failure is remembered: a dead name server is not asked by every request (RFC 9520), and a name that
has just been made works soon."""

MAX_TTL_SECONDS: Final = 3600.0
MAX_ENTRIES: Final = 1000
REREAD_SECONDS: Final = 1.0

T = TypeVar("T")


class Reread(Generic[T]):
    """Reads what a file says now; it is read again when it has changed, and looked at once a second at most."""

    def __init__(self, path: Path, parse: Callable[[str], T], clock: Callable[[], float]) -> None:
        self._path = path
        self._parse = parse
        self._clock = clock
        self._next_at = clock()
        self._stamp: tuple[int, int, int] | None = None
        self._value = parse("")
        self()  # now, so that no other thread meets the empty value while this one reads

    def __call__(self) -> T:
        """Return what the file says now."""
        if self._clock() >= self._next_at:
            self._next_at = self._clock() + REREAD_SECONDS
            try:
                status = self._path.stat()
                stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
                if stamp != self._stamp:
                    self._value = self._parse(self._path.read_text(errors="replace"))
                    self._stamp = stamp
            except OSError:  # no such file: as if it were empty
                self._value, self._stamp = self._parse(""), None
        return self._value


@dataclass(frozen=True, slots=True)
class _Lookup:
    """Holds what a lookup found: addresses, or why there are none."""

    addresses: tuple[Address, ...]
    expires_at: float
    failure: tuple[int, str] = (0, "")

    def take(self) -> tuple[Address, ...]:
        if not self.addresses:
            raise Unresolvable(*self.failure)
        return self.addresses


@dataclass(slots=True)
class _Question:
    """Holds a question that is asked now. `lookup` stays None if the one who asked was killed over it."""

    done: threading.Event = field(default_factory=threading.Event)
    lookup: _Lookup | None = None


class Resolver:
    """Resolves hosts to addresses, for any number of threads, or greenlets if gevent has patched the standard library.

    It says what a host means, not whether it may be connected to: that is for who connects, with these addresses and
    no second question. Of the OS's sources there are the hosts file and DNS; mDNS and the like are not asked.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        *,
        dns_client: Callable[[], dns.resolver.Resolver | None] | None = None,
        hosts_file: Path = Path("/etc/hosts"),
        lookup_seconds: float = LOOKUP_SECONDS,
        max_entries: int = MAX_ENTRIES,
    ) -> None:
        self._clock = clock
        self._dns_client = dns_client or Reread(Path("/etc/resolv.conf"), parse_resolv_conf, clock)
        self._hosts: Callable[[], Mapping[str, tuple[Address, ...]]] = Reread(hosts_file, parse_hosts, clock)
        self._lookup_seconds = lookup_seconds
        self._max_entries = max_entries
        self._lock = threading.Lock()
        self._lookups: OrderedDict[str, _Lookup] = OrderedDict()
        self._questions: dict[str, _Question] = {}

    def resolve(self, host: str) -> tuple[Address, ...]:
        """Return a host's addresses in the order to try them, at least one. Raises Unresolvable."""
        host = host.lower()
        literal = parse_literal(host)
        if literal is not None:
            return (literal,)
        name = host.removesuffix(".")
        known = self._hosts().get(name)
        if known is not None:
            return known
        if is_localhost(name):
            return LOOPBACK
        while True:
            with self._lock:
                lookup = self._fresh(host)
                if lookup is not None:
                    return lookup.take()
                question = self._questions.get(host)
                if question is None:
                    mine = self._questions[host] = _Question()
                    break
            if not question.done.wait(self._lookup_seconds + 1):
                raise Unresolvable(socket.EAI_AGAIN, f"{host!r}: no answer in {self._lookup_seconds:g} s")
            if question.lookup is not None:
                return question.lookup.take()
        return self._answer(host, mine)

    def services(self, name: str) -> tuple[Service, ...]:
        """Return the servers of a service, `_sip._udp.example.com`; none if DNS knows of none. Raises Unresolvable."""
        client = self._dns_client()
        return () if client is None else look_up_services(client, name, self._lookup_seconds)

    def _answer(self, name: str, question: _Question) -> tuple[Address, ...]:
        try:
            question.lookup = self._ask(name)
        finally:  # also when a deadline ends the one who asks: another of those who wait asks then
            with self._lock:
                del self._questions[name]
                if question.lookup is not None:
                    self._keep(name, question.lookup)
            question.done.set()
        return question.lookup.take()

    def _ask(self, name: str) -> _Lookup:
        client = self._dns_client()
        try:
            if client is None:
                raise Unresolvable(socket.EAI_AGAIN, f"{name!r}: /etc/resolv.conf names no server")
            found = look_up(client, name, self._lookup_seconds)
        except Unresolvable as error:
            return _Lookup((), self._clock() + NEGATIVE_SECONDS, (error.errno or socket.EAI_FAIL, str(error.strerror)))
        return _Lookup(found.addresses, self._clock() + min(found.ttl_seconds, MAX_TTL_SECONDS))

    def _fresh(self, name: str) -> _Lookup | None:
        lookup = self._lookups.get(name)
        if lookup is None:
            return None
        if self._clock() >= lookup.expires_at:
            del self._lookups[name]
            return None
        self._lookups.move_to_end(name)
        return lookup

    def _keep(self, name: str, lookup: _Lookup) -> None:
        self._lookups[name] = lookup
        self._lookups.move_to_end(name)
        while len(self._lookups) > self._max_entries:
            self._lookups.popitem(last=False)
