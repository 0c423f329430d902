"""Finds where a SIP URI leads: the address that calls to it are sent to, if calls may be sent there.

A host is resolved once, and the switch is told the address that was checked: asked a second time, DNS may say something
else. RFC 3263 without NAPTR: SRV if no port is named, then A and AAAA.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from orchestrator.outgoing.lookup import Service
from orchestrator.outgoing.names import is_literal
from orchestrator.outgoing.networks import Address, Network, may_connect, unmapped

Resolve = Callable[[str], Sequence[Address]]
FindServices = Callable[[str], Sequence[Service]]

DEFAULT_PORTS: Final = {"udp": 5060, "tcp": 5060, "tls": 5061}
SERVICES: Final = {"udp": "_sip._udp", "tcp": "_sip._tcp", "tls": "_sips._tcp"}
UNSAID: Final = ("udp", "tcp")
"""The transports of a URI that names none, in the order in which they are looked for."""


class TargetRefused(Exception):
    """Calls may not be sent there: the host is not listed, or none of its addresses is allowed."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where packets of a call go."""

    address: Address
    port: int
    transport: str


class SipTargets:
    """The operator's rules for `sip:` addresses. `hosts`: names, and `*.name` for all below; none: every host."""

    def __init__(
        self, resolve: Resolve, find_services: FindServices, listed: Sequence[Network], hosts: Sequence[str] = ()
    ) -> None:
        self._resolve = resolve
        self._find_services = find_services
        self._listed = tuple(listed)
        self._hosts = tuple(hosts)

    def check_host(self, host: str) -> None:
        """Refuse a host that the operator's list does not have, if there is one. Raises TargetRefused."""
        name = host.strip("[]").removesuffix(".")
        if self._hosts and not any(
            name.endswith(each[1:]) if each.startswith("*.") else name == each for each in self._hosts
        ):
            raise TargetRefused(f"{host} is not in SIP_HOSTS")

    def check_address(self, literal: str) -> None:
        """Refuse an address to which calls may not be sent. Raises TargetRefused."""
        if not any(may_connect(address, self._listed) for address in self._resolve(literal)):
            raise TargetRefused(f"{literal} is neither public nor in ALLOWED_PRIVATE_NETWORKS")

    def find(self, host: str, port: int | None, transport: str | None) -> Target:
        """Find the first allowed address of a host. Raises TargetRefused, socket.gaierror."""
        self.check_host(host)
        for name, number, how in self._servers(host, port, transport):
            for address in self._resolve(name):
                if may_connect(address, self._listed):
                    return Target(unmapped(address), number, how)
        raise TargetRefused(f"{host} is neither public nor in ALLOWED_PRIVATE_NETWORKS")

    def _servers(self, host: str, port: int | None, transport: str | None) -> list[tuple[str, int, str]]:
        if port is None and not is_literal(host):
            for each in (transport,) if transport else UNSAID:
                found = self._find_services(f"{SERVICES[each]}.{host}")
                if found:
                    return [(service.host, service.port, each) for service in found]
        how = transport or UNSAID[0]
        return [(host, port or DEFAULT_PORTS[how], how)]
