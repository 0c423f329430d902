"""From a `To` to where it is dialled."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from ipaddress import ip_address

import gevent
import pytest

from orchestrator.dialling import destinations as destinations_module
from orchestrator.dialling.destinations import Destinations
from orchestrator.errors import BadParameter
from orchestrator.freeswitch.dial_string import NOWHERE, Routes
from orchestrator.outgoing.names import no_name, parse_literal
from orchestrator.outgoing.networks import Address
from orchestrator.outgoing.sip_targets import SipTargets

ROUTES = Routes("sofia/gateway/carrier/{number}", "sofia/internal/{address}", "")
NAMES = {"pbx.example": "8.8.8.8", "inside.example": "10.0.0.5"}


def resolve(host: str) -> Sequence[Address]:
    literal = parse_literal(host)
    if literal is not None:
        return (literal,)
    if host == "slow.example":
        gevent.sleep(5)
    if host == "broken.example":
        raise socket.gaierror(socket.EAI_AGAIN, "no server answers")
    if host not in NAMES:
        raise no_name(host, "does not exist")
    return (ip_address(NAMES[host]),)


def dialling(sip: str = ROUTES.sip, hosts: Sequence[str] = ()) -> Destinations:
    return Destinations(Routes(ROUTES.number, sip, ""), SipTargets(resolve, lambda _: (), (), hosts))


def test_a_sip_host_is_dialled_at_its_address() -> None:
    """The name stays in the URI."""
    found = dialling().find("sip:bob@pbx.example;transport=tcp")

    assert (found.dialled, found.server) == (
        "sofia/internal/sip:bob@pbx.example;transport=tcp",
        "sip:8.8.8.8:5060;transport=tcp",
    )


@pytest.mark.parametrize("to", ["sip:a@10.0.0.5", "sip:127.0.0.1:6379;transport=tcp", "sip:a@[::1]", "sip:a@0.0.0.0"])
def test_an_address_that_may_not_be_called_is_refused(to: str) -> None:
    """What is so without asking anybody is said at once."""
    with pytest.raises(BadParameter, match="not allowed") as caught:
        dialling().find(to)

    assert caught.value.code == 21216


@pytest.mark.parametrize("host", ["inside.example", "nobody.example", "broken.example", "slow.example"])
def test_a_name_that_leads_nowhere_is_a_call_that_fails(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One answer for all of them, in time: whoever tries names learns nothing."""
    monkeypatch.setattr(destinations_module, "LOOKUP_SECONDS", 0.05)

    assert dialling().find(f"sip:bob@{host}").dialled == NOWHERE


def test_a_host_that_is_not_listed_is_refused() -> None:
    """Whatever route sip: has, and whatever DNS says of it."""
    for route in (ROUTES.sip, "sofia/gateway/sbc/{address}"):
        with pytest.raises(BadParameter) as caught:
            dialling(route, ["pbx.example"]).find("sip:bob@nobody.example")

        assert caught.value.code == 21216


@pytest.mark.parametrize("host", ["inside.example", "10.0.0.5", "nobody.example"])
def test_by_a_server_of_the_operators_any_host_is_called(host: str) -> None:
    """It is not the switch that connects to it."""
    found = dialling("sofia/gateway/sbc/{address}").find(f"sip:bob@{host}")

    assert (found.dialled, found.server) == (f"sofia/gateway/sbc/bob@{host}", "")
