"""What `orchestrator check` makes of a node's answers."""

from __future__ import annotations

from typing import cast

import pytest

from orchestrator.check import routes_of
from orchestrator.freeswitch.addresses import NodeAddress
from orchestrator.freeswitch.commands import SwitchCommand
from orchestrator.freeswitch.nodes import Node
from orchestrator.settings import Settings


class Gateways:
    """Answers as mod_sofia does about gateways and profiles."""

    address = NodeAddress("fs1", "127.0.0.1", 8021)

    def __init__(self, answer: str) -> None:
        self._answer = answer
        self.asked: list[str] = []

    def send(self, command: SwitchCommand) -> str:
        self.asked.append(command.render())
        return self._answer


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("Name    \tcarrier\nStatus  \tUP (ping)\n", (True, "node fs1 has the gateway carrier of OUTBOUND_ROUTE")),
        ("Name    \tcarrier\nStatus  \tDOWN\n", (False, "node fs1: gateway carrier of OUTBOUND_ROUTE is down")),
        ("Invalid Gateway!\n", (False, "node fs1 has no gateway carrier, which OUTBOUND_ROUTE names")),
    ],
)
def test_a_route_needs_its_gateway(answer: str, expected: tuple[bool, str]) -> None:
    """That is there, and up; whoever names neither a gateway nor a profile is not asked about."""
    node = Gateways(answer)
    settings = Settings(outbound_route="sofia/gateway/carrier/{number}", sip_route="", client_route="user/{name}")

    assert list(routes_of(settings, cast(Node, node))) == [expected]
    assert node.asked == ["sofia status gateway carrier"]
