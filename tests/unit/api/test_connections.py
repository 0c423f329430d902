"""Which connections are kept when there are too many, and who is believed about who asks."""

from __future__ import annotations

from functools import partial

import pytest

from orchestrator.api.connections import Connection, Connections, client_address, let_wait, mark
from orchestrator.outgoing.networks import parse_networks

PROXIES = parse_networks("10.0.0.0/24,fd00::/64")


class Door:
    """Connections by name, and which have been hung up."""

    def __init__(self, per_address: int = 3, in_all: int = 10) -> None:
        self.connections = Connections(PROXIES, per_address, in_all)
        self.ended: list[str] = []

    def open(self, name: str, address: str = "192.0.2.1") -> Connection | None:
        return self.connections.admit(address, partial(self.ended.append, name))

    def work(self, name: str, address: str = "192.0.2.1") -> Connection:
        connection = self.open(name, address)
        assert connection is not None
        self.connections.work(connection)
        return connection


def test_who_has_waited_longest_makes_room() -> None:
    """Of the same address; another one's connections are left alone."""
    door = Door()
    door.open("other", "192.0.2.2")
    for name in "abcde":
        assert door.open(name) is not None

    assert door.ended == ["a", "b"]
    assert len(door.connections) == 4


def test_whoever_is_answered_is_never_hung_up() -> None:
    """If all of an address are, the new one has to go; one that has been answered waits again."""
    door = Door()
    busy = [door.work(name) for name in "abc"]
    assert door.open("d") is None
    door.connections.wait(busy[1])

    assert door.open("e") is not None
    assert door.ended == ["b"]


def test_what_has_left_counts_no_longer() -> None:
    """Also one that was hung up, and leaves afterwards; a connection leaves once."""
    door = Door()
    first = door.open("a")
    for name in "bcd":
        door.open(name)
    assert first is not None
    door.connections.leave(first)
    door.connections.leave(first)
    door.connections.wait(first)

    assert len(door.connections) == 3
    door.open("e")
    assert door.ended == ["a", "b"]


def test_all_together_have_a_bound() -> None:
    """Whatever address they come from, the one that has waited longest of all makes room."""
    door = Door(in_all=5)
    for number in range(8):
        door.open(str(number), f"192.0.2.{number}")

    assert door.ended == ["0", "1", "2"]
    assert len(door.connections) == 5


def test_a_proxy_of_the_operator_has_no_bound_of_its_own() -> None:
    """Nor are its connections ended for others: behind each may be anybody."""
    door = Door()
    for number in range(7):
        assert door.open(f"proxy {number}", "10.0.0.9") is not None
        assert door.open(f"socket {number}", "") is not None if number < 3 else True

    assert door.ended == []


def test_addresses_of_one_ipv6_network_are_one() -> None:
    """A host has as many as it likes; an IPv4 address in IPv6 clothes is the IPv4 address."""
    door = Door()
    for number in range(4):
        door.open(f"six {number}", f"2001:db8::{number}:1")
    assert door.ended == ["six 0"]
    for number, address in enumerate(("192.0.2.1", "::ffff:192.0.2.1", "192.0.2.1", "::ffff:192.0.2.1")):
        door.open(f"four {number}", address)
    assert door.ended == ["six 0", "four 0"]


def test_whoever_is_answered_late_on_purpose_makes_room() -> None:
    """Guesses at tokens do not keep their address' places while they are slowed."""
    door = Door()
    guessing = [door.work(name) for name in "abc"]
    environ: dict[str, object] = {}
    mark(environ, partial(door.connections.wait, guessing[0]))
    let_wait(environ)
    let_wait({})

    assert door.open("right") is not None
    assert door.ended == ["a"]


@pytest.mark.parametrize(
    ("peer", "header", "client"),
    [
        ("192.0.2.1", "", "192.0.2.1"),
        ("192.0.2.1", "198.51.100.7", "192.0.2.1"),
        ("10.0.0.9", "198.51.100.7", "198.51.100.7"),
        ("10.0.0.9", "1.1.1.1, 198.51.100.7", "198.51.100.7"),
        ("10.0.0.9", "1.1.1.1, 198.51.100.7, 10.0.0.8", "198.51.100.7"),
        ("10.0.0.9", "", "10.0.0.9"),
        ("10.0.0.9", "nonsense", "10.0.0.9"),
        ("10.0.0.9", "198.51.100.7, <script>", "10.0.0.9"),
        ("fd00::5", "2001:db8::1", "2001:db8::1"),
        ("::ffff:10.0.0.9", "198.51.100.7", "198.51.100.7"),
        ("", "198.51.100.7", "198.51.100.7"),
    ],
)
def test_only_a_proxy_of_the_operator_is_believed(peer: str, header: str, client: str) -> None:
    """Of what it says only what the first proxy has seen itself: what stands before it, anybody may have written."""
    assert client_address(peer, header, PROXIES) == client
