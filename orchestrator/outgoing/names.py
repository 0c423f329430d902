"""Reads host names and address literals as the operating system does, and its hosts file. No network."""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from orchestrator.outgoing.networks import Address

_NAME: Final = re.compile(r"(?=.{1,254}\Z)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?", re.ASCII)
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
LOOPBACK: Final = (IPv4Address("127.0.0.1"), IPv6Address("::1"))


class Unresolvable(socket.gaierror):
    """A host has no address, or none could be had in time. A gaierror, as the OS's own resolver raises."""


def no_name(host: str, why: str) -> Unresolvable:
    """Make the failure that asking again will not change soon."""
    return Unresolvable(socket.EAI_NONAME, f"{host!r} {why}")


def parse_literal(host: str) -> Address | None:
    """Read the address that a host in lower case spells; None for a name. Raises Unresolvable for neither.

    IPv4 is read by inet_aton, as getaddrinfo reads it: 127.1, 0x7f000001, 2130706433 and 0177.0.0.1 are 127.0.0.1.
    What ends in a number is never looked up (https://url.spec.whatwg.org/#ends-in-a-number-checker), so that nothing
    that another parser would take for an address gets one from DNS.
    """
    if ":" in host:
        try:
            return IPv6Address(host[1:-1] if host.startswith("[") and host.endswith("]") else host)
        except ValueError as error:
            raise no_name(host, "is no IPv6 address") from error
    if _NAME.fullmatch(host) is None:
        raise no_name(host, "is no host name")
    try:
        return IPv4Address(socket.inet_aton(host))
    except OSError:
        if _NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]):
            raise no_name(host, "is no IPv4 address") from None
        return None


def is_literal(host: str) -> bool:
    """Return whether a host is never looked up: it is an address, or neither an address nor a name."""
    try:
        return parse_literal(host) is not None
    except Unresolvable:
        return True


def parse_hosts(text: str) -> Mapping[str, tuple[Address, ...]]:
    """Read a hosts file, see hosts(5): an address and its names on each line. A line that is not so is passed over."""
    hosts: dict[str, dict[Address, None]] = {}
    for line in text.splitlines():
        words = line.partition("#")[0].lower().split()
        try:
            address = ip_address(words[0])
        except (IndexError, ValueError):
            continue
        for name in words[1:]:
            hosts.setdefault(name, {})[address] = None
    return {name: tuple(addresses) for name, addresses in hosts.items()}


def is_localhost(name: str) -> bool:
    """Return whether a name must never be asked of DNS (RFC 6761, section 6.3)."""
    return name == "localhost" or name.endswith(".localhost")
