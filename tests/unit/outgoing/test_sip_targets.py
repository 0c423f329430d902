"""Calls to `sip:` go to public and listed addresses of allowed hosts, looked up once."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from ipaddress import ip_address, ip_network

import pytest

from orchestrator.outgoing.lookup import Service
from orchestrator.outgoing.names import no_name, parse_literal
from orchestrator.outgoing.networks import Address
from orchestrator.outgoing.sip_targets import SipTargets, Target, TargetRefused

NAMES = {
    "pbx.example": ["203.0.113.9", "8.8.8.8"],  # the first is documentation's, and not public
    "inside.example": ["10.0.0.5"],
    "sip1.example": ["8.8.4.4"],
    "six.example": ["2001:4860:4860::8888"],
}
SERVICES = {
    "_sip._udp.served.example": [Service("sip1.example", 5070)],
    "_sip._tcp.streamed.example": [Service("sip1.example", 5080)],
    "_sips._tcp.served.example": [Service("sip1.example", 5090)],
    "_sip._udp.bait.example": [Service("inside.example", 6379)],
}


def resolve(host: str) -> Sequence[Address]:
    literal = parse_literal(host)
    if literal is not None:
        return (literal,)
    if host not in NAMES:
        raise no_name(host, "does not exist")
    return [ip_address(text) for text in NAMES[host]]


def targets(hosts: Sequence[str] = (), listed: str = "") -> SipTargets:
    networks = [ip_network(listed)] if listed else []
    return SipTargets(resolve, lambda name: SERVICES.get(name, ()), networks, hosts)


@pytest.mark.parametrize(
    ("host", "port", "transport", "found"),
    [
        ("pbx.example", 5062, None, ("8.8.8.8", 5062, "udp")),
        ("pbx.example", None, None, ("8.8.8.8", 5060, "udp")),
        ("pbx.example", None, "tls", ("8.8.8.8", 5061, "tls")),
        ("served.example", None, None, ("8.8.4.4", 5070, "udp")),
        ("streamed.example", None, None, ("8.8.4.4", 5080, "tcp")),
        ("served.example", None, "tls", ("8.8.4.4", 5090, "tls")),
        ("8.8.8.8", None, "tcp", ("8.8.8.8", 5060, "tcp")),
        ("six.example", None, None, ("2001:4860:4860::8888", 5060, "udp")),
        ("[2001:4860:4860::8888]", 5060, None, ("2001:4860:4860::8888", 5060, "udp")),
    ],
)
def test_where_a_call_goes(host: str, port: int | None, transport: str | None, found: tuple[str, int, str]) -> None:
    """SRV if no port is named, then the first address that is allowed."""
    address, number, how = found

    assert targets().find(host, port, transport) == Target(ip_address(address), number, how)


@pytest.mark.parametrize(
    "host",
    ["inside.example", "bait.example", "127.0.0.1", "10.1.2.3", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254",
     "[fd00::1]", "localhost.example"],
)  # fmt: skip
def test_where_no_call_goes(host: str) -> None:
    """Private addresses, by whatever name; and names that there are not, which a client is told the same way."""
    with pytest.raises((TargetRefused, socket.gaierror)):
        targets().find(host, None, None)


def test_listed_networks_are_called() -> None:
    """ALLOWED_PRIVATE_NETWORKS holds for calls as for URLs."""
    assert targets(listed="10.0.0.0/8").find("bait.example", None, None) == Target(ip_address("10.0.0.5"), 6379, "udp")


@pytest.mark.parametrize(
    ("host", "is_listed"),
    [
        ("pbx.example", True), ("pbx.example.", True), ("a.sip.example", True), ("a.b.sip.example", True),
        ("[2001:db8::1]", True), ("sip.example", False), ("asip.example", False), ("pbx.example.org", False),
        ("8.8.8.8", False),
    ],
)  # fmt: skip
def test_a_list_of_hosts_is_all_that_may_be_called(host: str, is_listed: bool) -> None:
    """A name is itself alone, `*.` all that is below a name."""
    listed = targets(["pbx.example", "*.sip.example", "2001:db8::1"])
    if is_listed:
        listed.check_host(host)
        return

    with pytest.raises(TargetRefused, match="SIP_HOSTS"):
        listed.check_host(host)


def test_a_host_is_asked_for_once() -> None:
    """What is connected to is what was checked."""
    asked = []

    def rebinding(host: str) -> Sequence[Address]:
        asked.append(host)
        return [ip_address("8.8.8.8" if len(asked) == 1 else "127.0.0.1")]

    found = SipTargets(rebinding, lambda _: (), []).find("pbx.example", 5060, None)

    assert (found.address, asked) == (ip_address("8.8.8.8"), ["pbx.example"])
