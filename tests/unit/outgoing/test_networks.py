"""Which addresses may be connected to, with Python's own tables as a second opinion."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator.outgoing.networks import (
    NOT_PUBLIC_IPV4,
    NOT_PUBLIC_IPV6,
    Address,
    Network,
    may_connect,
    parse_networks,
    unmapped,
)

REFUSED = """
0.0.0.0 0.1.2.3 10.0.0.1 100.64.0.1 100.127.255.255 127.0.0.1 127.255.255.255 169.254.169.254 172.16.0.1 172.31.255.255
192.0.0.1 192.0.0.192 192.0.2.1 192.88.99.1 192.168.0.1 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 224.0.0.1
239.255.255.255 240.0.0.1 255.255.255.255
:: ::1 ::7f00:1 ::ffff:127.0.0.1 ::ffff:169.254.169.254 ::ffff:0:127.0.0.1 64:ff9b::10.0.0.1 64:ff9b::a9fe:a9fe
64:ff9b:1::1 100::1 2001::1 2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:2::1 2001:10::1 2001:20::1 2001:db8::1
2002:7f00:1::1 2002:a00:1::1 2002:a9fe:a9fe::1 3fff::1 4000::1 5f00::1 fc00::1 fd00:ec2::254 fe80::1 fe80::1%eth0
2606:4700::1111%eth0 fec0::1 ff02::1
""".split()  # noqa: SIM905  # a list with that many quotes could not be read
PUBLIC = """
1.1.1.1 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0 169.253.255.255 172.15.255.255
172.32.0.0 192.167.255.255 198.17.255.255 198.20.0.0 223.255.255.255
2606:4700::1111 2a00:1450:4001::1 2001:4860:4860::8888 ::ffff:1.1.1.1 64:ff9b::1.1.1.1 2002:101:101::1
""".split()  # noqa: SIM905  # likewise

ipv4 = st.ip_addresses(v=4) | st.sampled_from(NOT_PUBLIC_IPV4).flatmap(
    lambda block: st.ip_addresses(network=block, v=4)
)
ipv6 = st.ip_addresses(v=6) | st.sampled_from(
    [
        *NOT_PUBLIC_IPV6,
        *map(IPv6Network, ("2000::/3", "2002::/16", "64:ff9b::/96", "::ffff:0:0/96", "::/96", "fc00::/6")),
    ]
).flatmap(lambda block: st.ip_addresses(network=block, v=6))
networks = st.builds(
    lambda address, prefix: ip_network((address, min(prefix, address.max_prefixlen)), strict=False),
    st.ip_addresses(),
    st.integers(0, 128),
)


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_not_public_is_refused(text: str) -> None:
    """Whichever way it is written, and also inside a tunnel's address."""
    assert not may_connect(ip_address(text))


@pytest.mark.parametrize("text", PUBLIC)
def test_what_is_public_is_allowed(text: str) -> None:
    """Up to the edge of every block."""
    assert may_connect(ip_address(text))


@given(ipv4)
def test_ipv4_agrees_with_python(address: IPv4Address) -> None:
    """Python's tables of the same registry let nothing through less, and refuse nothing more but withdrawn relays."""
    by_python = address.is_global and not (address.is_multicast or address.is_reserved)
    relays = address in IPv4Network("192.88.99.0/24") or address in IPv4Network("192.0.0.0/24")

    assert may_connect(address) == (by_python and not relays)


@given(ipv6)
def test_allowed_ipv6_is_public_by_python_as_well(address: IPv6Address) -> None:
    """One that carries an IPv4 address is as public as that."""
    if not may_connect(address):
        return
    carried = address.ipv4_mapped or address.sixtofour
    if address in IPv6Network("64:ff9b::/96"):
        carried = IPv4Address(address.packed[-4:])

    assert address.teredo is None
    if carried is not None:
        assert may_connect(carried)
    else:
        assert address.is_global
        assert not any((address.is_multicast, address.is_reserved, address.is_site_local, address.is_link_local))


@given(ipv4, st.lists(networks, max_size=3))
def test_every_way_to_carry_an_ipv4_address_is_judged_like_it(address: IPv4Address, listed: list[Network]) -> None:
    """Mapped, NAT64 and 6to4; only a listed IPv6 network makes a difference, and none for the mapped one."""
    plain = may_connect(address, listed)
    only_ipv4 = [network for network in listed if network.version == 4]

    assert may_connect(IPv6Address(0xFFFF_0000_0000 | int(address)), listed) == plain
    assert may_connect(IPv6Address((0x64FF9B << 96) | int(address)), only_ipv4) == plain
    assert may_connect(IPv6Address((0x2002 << 112) | (int(address) << 80) | 1), only_ipv4) == plain


@given(ipv4 | ipv6, st.lists(networks, max_size=3))
def test_a_list_only_adds(address: Address, listed: list[Network]) -> None:
    """What is listed is allowed, what is neither public nor listed is not."""
    in_list = any(unmapped(address) in network for network in listed)

    assert may_connect(address, listed) or not (in_list or may_connect(address))
    if may_connect(address, listed) and not in_list and unmapped(address).version == 4:
        assert may_connect(address)


@given(ipv6, st.from_regex(r"[a-z]{1,8}[0-9]", fullmatch=True))
@example(IPv6Address("::ffff:1.1.1.1"), "eth0")
def test_an_address_with_a_zone_is_never_allowed(address: IPv6Address, zone: str) -> None:
    """Not if everything is listed, nor if it is a public IPv4 address underneath."""
    scoped = IPv6Address(f"{address}%{zone}")

    assert not may_connect(scoped, parse_networks("::/0,0.0.0.0/0"))


@given(st.lists(networks, max_size=4), st.sampled_from([",", " , ", ",,", ",\n"]))
@example([IPv6Network("::ffff:10.0.0.0/104"), IPv6Network("::/80")], ",")
def test_a_list_is_read_as_it_was_written(listed: list[Network], comma: str) -> None:
    """Spaces and empty parts do not count. Mapped networks are the IPv4 ones that they stand for."""
    parsed = parse_networks(comma.join(map(str, listed)))

    assert len(parsed) == len(listed)
    for network, read in zip(listed, parsed, strict=True):
        assert read == network or (network.version, read.version) == (6, 4)
        for address in (network[0], network[-1]):
            assert may_connect(address, parsed) or unmapped(address).version != read.version


def test_ipv4_is_not_listed_by_an_ipv6_network_around_it() -> None:
    """Who lists ::/0 speaks of IPv6; the mapped block or a part of it is IPv4."""
    assert not may_connect(ip_address("::ffff:10.0.0.1"), parse_networks("::/0"))
    assert may_connect(ip_address("10.0.0.1"), parse_networks("::ffff:10.0.0.0/104"))


def test_a_single_address_is_a_network_of_one() -> None:
    assert parse_networks("10.0.0.5, ::1") == (IPv4Network("10.0.0.5/32"), IPv6Network("::1/128"))
    assert parse_networks("") == parse_networks(" , ") == ()


@pytest.mark.parametrize(
    "part",
    ["10.0.0.0/33", "10.0.0/8", "1", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/255.0.0.0", "10.0.0.0/0.255.255.255",
     "localhost", "fe80::%eth0/64", "fe80::%eth0", "fd00::/129", "10.0.0.0/8/8", "10.0.0.0-10.0.0.9", "10.0.0.0/٨"],
)  # fmt: skip
def test_a_part_that_is_no_network_is_quoted(part: str) -> None:
    """Among others that are right."""
    with pytest.raises(ValueError, match="is not a network such as") as caught:
        parse_networks(f"192.168.0.0/16,{part}")

    assert f"'{part}'" in str(caught.value)


def test_bits_behind_the_prefix_are_a_mistake() -> None:
    """Either the address or the prefix is not what was meant; guessing would open too much."""
    with pytest.raises(
        ValueError, match=r"'10\.0\.0\.1/8' has bits set behind its prefix; did you mean 10\.0\.0\.0/8\?"
    ):
        parse_networks("10.0.0.1/8")
