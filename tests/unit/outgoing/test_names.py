"""Host names and literals as the OS reads them; hosts files."""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.outgoing.names import Unresolvable, is_localhost, parse_hosts, parse_literal

pieces = st.sampled_from(
    ["0", "1", "127", "0x7f", "0177", "0x7f000001", "2130706433", "256", "08", "0x", "a", "-1", ""]
)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "017700000001", "127.0x1"],
)  # fmt: skip
def test_every_spelling_of_loopback_is_loopback(host: str) -> None:
    """As inet_aton has it, and with it every getaddrinfo."""
    assert parse_literal(host) == IPv4Address("127.0.0.1")


@pytest.mark.parametrize(
    ("host", "address"),
    [("::1", "::1"), ("[::1]", "::1"), ("::ffff:127.0.0.1", "::ffff:127.0.0.1"), ("[fe80::1%eth0]", "fe80::1%eth0"),
     ("0:0:0:0:0:0:0:1", "::1")],
)  # fmt: skip
def test_ipv6_with_or_without_brackets(host: str, address: str) -> None:
    """A zone stays, so that may_connect can see it."""
    assert parse_literal(host) == ip_address(address)


@pytest.mark.parametrize(
    "host",
    ["256.1.1.1", "1.2.3.4.5", "127.0.0.1.", "08.0.0.1", "0x", "0xg.0x", "4294967296", "example.1", "example.0x1", "1.",
     "", ".", "a..b", ".a", "a b", "a\x00", "a\n", "127.0.0.1 x", "127.0.0.1\n", "a%b", "a/b", "a@b", "x" * 64,
     "a." * 127 + "ab", "[127.0.0.1]", "[::1", "::1]", "::g", "[::1]:80", "fe80::1%", "ex\u00e4mple",
     "\uff11\uff12\uff17.0.0.1", "127\u30020.0.1"],
)  # fmt: skip
def test_what_is_neither_literal_nor_name_is_refused(host: str) -> None:
    """Nothing that ends in a number is ever looked up."""
    with pytest.raises(Unresolvable):
        parse_literal(host)


@pytest.mark.parametrize(
    "host", ["example.com", "example.com.", "redis", "my_service", "1.example", "xn--mnchen-3ya.de", "0x7f.a"]
)
def test_a_name_is_a_name(host: str) -> None:
    """Also one of a single label, and with the underscore that Docker's names may have."""
    assert parse_literal(host) is None


@given(st.lists(pieces, min_size=1, max_size=5).map(".".join))
def test_what_getaddrinfo_takes_for_a_literal_is_that_literal_or_refused(host: str) -> None:
    """Never a name: AI_NUMERICHOST asks the OS without a lookup."""
    try:
        by_system = (
            {entry[4][0] for entry in socket.getaddrinfo(host, 80, flags=socket.AI_NUMERICHOST)} if host else set()
        )
    except (socket.gaierror, UnicodeError):
        by_system = set()
    try:
        literal = parse_literal(host)
    except Unresolvable:
        return

    assert (by_system == set()) if literal is None else ({str(literal)} == by_system)


def test_a_hosts_file() -> None:
    """Comments, aliases, several lines of one name; lines that are not so do no harm."""
    hosts = parse_hosts(
        "# 1.1.1.1 commented\n127.0.0.1\tlocalhost Box # 2.2.2.2\n::1 localhost\n127.0.0.1 localhost\n"
        "\nnonsense here\n10.0.0.1\n"
    )

    assert hosts == {
        "localhost": (IPv4Address("127.0.0.1"), IPv6Address("::1")),
        "box": (IPv4Address("127.0.0.1"),),
    }


def test_names_below_localhost() -> None:
    assert is_localhost("localhost")
    assert is_localhost("a.localhost")
    assert not is_localhost("notlocalhost")
    assert not is_localhost("localhost.example")
