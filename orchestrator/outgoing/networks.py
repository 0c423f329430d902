"""Which addresses may be connected to: public ones, and private ones that the operator has listed. Pure.

The blocks are IANA's special-purpose registries, written out: `ipaddress.is_global` differs between Python releases.
https://www.iana.org/assignments/iana-ipv4-special-registry, https://www.iana.org/assignments/iana-ipv6-special-registry
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

NOT_PUBLIC_IPV4: Final = tuple(
    IPv4Network(block)
    for block in (
        "0.0.0.0/8",  # "this network"; Linux connects 0.0.0.0 to itself
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT
        "127.0.0.0/8",
        "169.254.0.0/16",  # link-local: the clouds' metadata services
        "172.16.0.0/12",
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation, like 198.51.100.0/24 and 203.0.113.0/24
        "192.88.99.0/24",  # 6to4 relays, withdrawn by RFC 7526
        "192.168.0.0/16",
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",  # multicast, reserved, broadcast
    )
)
PUBLIC_IPV6: Final = IPv6Network("2000::/3")
"""IANA has given out no other global unicast: outside are ::1, fc00::/7 (ULA), fe80::/10, fec0::/10, ff00::/8, …"""

NOT_PUBLIC_IPV6: Final = tuple(
    IPv6Network(block)
    for block in (
        "2001::/23",  # protocol assignments; Teredo (2001::/32) and ORCHID among them
        "2001:db8::/32",  # documentation, like 3fff::/20
        "3fff::/20",
    )
)
NAT64: Final = IPv6Network("64:ff9b::/96")
"""RFC 6052: what DNS64 answers for every IPv4 host. NAT64 prefixes of a site's own are in its own public space."""


def parse_networks(text: str) -> tuple[Network, ...]:
    """Read ALLOWED_PRIVATE_NETWORKS. Raises ValueError saying what is wrong with which part."""
    return tuple(_parse_network(part) for part in (part.strip() for part in text.split(",")) if part)


def _parse_network(part: str) -> Network:
    text, slash, prefix = part.partition("/")
    try:
        if "%" in part or (slash and not (prefix.isascii() and prefix.isdigit())):
            raise ValueError("a zone or a netmask")
        network, address = ip_network(part, strict=False), ip_address(text)
    except ValueError as error:
        raise ValueError(f"'{part}' is not a network such as 10.0.0.0/8 or fd00::/8") from error
    if address != network.network_address:
        raise ValueError(f"'{part}' has bits set behind its prefix; did you mean {network}?")
    ipv4 = unmapped(address)
    if isinstance(ipv4, IPv4Address) and network.version == 6 and network.prefixlen >= 96:
        return IPv4Network((int(ipv4), network.prefixlen - 96))  # addresses are compared unmapped as well
    return network


def unmapped(address: Address) -> Address:
    """Return the IPv4 address that the OS connects to for ::ffff:a.b.c.d, and every other address as it is."""
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def may_connect(address: Address, listed: Iterable[Network] = ()) -> bool:
    """Return whether an address is public, or in a listed network.

    A tunnel's address is as public as the IPv4 address in it. One with a zone (fe80::1%eth0) never is: the same number
    means another machine on each interface, so no list can mean it.
    """
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        return False
    address = unmapped(address)
    if isinstance(address, IPv4Address):
        return _is_in(address, listed) or not _is_in(address, NOT_PUBLIC_IPV4)
    if _is_in(address, listed):
        return True
    embedded = _embedded(address)
    if embedded is not None:
        return may_connect(embedded, listed)
    return address in PUBLIC_IPV6 and not _is_in(address, NOT_PUBLIC_IPV6)


def _embedded(address: IPv6Address) -> IPv4Address | None:
    return IPv4Address(int(address) & 0xFFFF_FFFF) if address in NAT64 else address.sixtofour


def _is_in(address: Address, networks: Iterable[Network]) -> bool:
    return any(address in network for network in networks)
