"""Asks DNS one question: the addresses of a name, and for how long they hold."""

from __future__ import annotations

import io
import socket
import time
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

import dns.exception
import dns.name
import dns.rdatatype
import dns.resolver

from orchestrator.outgoing.names import Unresolvable, no_name
from orchestrator.outgoing.networks import Address

MAX_ADDRESSES: Final = 16
"""Most addresses of one name: more would only make the wait for a dead host longer."""

SECOND_FAMILY_SECONDS: Final = 2.0
"""How long a name that has IPv4 addresses waits for others: some name servers never answer AAAA questions."""


@dataclass(frozen=True, slots=True)
class Found:
    """What DNS said. Never empty."""

    addresses: tuple[Address, ...]
    ttl_seconds: float


def parse_resolv_conf(text: str) -> dns.resolver.Resolver | None:
    """Make a client of the name servers in resolv.conf; None if it names none."""
    client = dns.resolver.Resolver(configure=False)
    try:
        client.read_resolv_conf(io.StringIO(text))
    except (dns.exception.DNSException, ValueError):
        return None
    return client


def look_up(client: dns.resolver.Resolver, name: str, seconds: float) -> Found:
    """Ask for IPv4 and IPv6 addresses, IPv4 first: a machine without IPv6 is common, one without IPv4 is not.

    The answer holds for the shortest TTL in it, CNAMEs included. Raises Unresolvable.
    """
    started = time.monotonic()
    try:
        # search: the domains in resolv.conf, as Docker and Kubernetes need for short names.
        ipv4 = client.resolve(name, "A", raise_on_no_answer=False, lifetime=seconds, search=True)
    except dns.resolver.NXDOMAIN as error:
        raise no_name(name, "does not exist") from error
    except dns.exception.DNSException as error:
        raise _try_again(name, error) from error
    answers = [ipv4]
    left = seconds - (time.monotonic() - started)
    if ipv4.rrset is not None:
        left = min(left, SECOND_FAMILY_SECONDS)
    try:
        # The name that the search ended at: the two families must not be of two hosts.
        answers.append(client.resolve(ipv4.qname, "AAAA", raise_on_no_answer=False, lifetime=max(left, 0.01)))
    except dns.exception.DNSException as error:
        if ipv4.rrset is None:
            raise _try_again(name, error) from error
    filled = [answer for answer in answers if answer.rrset is not None]
    found = [ip_address(str(record.address)) for answer in filled for record in answer]
    if not found:
        raise no_name(name, "has no address")
    return Found(
        tuple(dict.fromkeys(found))[:MAX_ADDRESSES], min(answer.chaining_result.minimum_ttl for answer in filled)
    )


@dataclass(frozen=True, slots=True)
class Service:
    """A server that DNS names for a service (RFC 2782)."""

    host: str
    port: int


def look_up_services(client: dns.resolver.Resolver, name: str, seconds: float) -> tuple[Service, ...]:
    """Look up the servers of `_service._protocol.name`, the one to try first in front; none if DNS knows of none."""
    try:
        answer = client.resolve(name, "SRV", raise_on_no_answer=False, lifetime=seconds)
    except dns.resolver.NXDOMAIN:
        return ()
    except dns.exception.DNSException as error:
        raise _try_again(name, error) from error
    records = sorted(answer.rrset or (), key=lambda record: (record.priority, -record.weight))
    hosts = ((str(record.target).removesuffix(".").lower(), int(record.port)) for record in records)
    return tuple(Service(host, port) for host, port in hosts if host)[:MAX_ADDRESSES]


def _try_again(name: str, error: dns.exception.DNSException) -> Unresolvable:
    return Unresolvable(socket.EAI_AGAIN, f"{name!r}: {error}")
