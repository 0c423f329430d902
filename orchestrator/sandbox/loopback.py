"""mod_loopback: a call from the switch to itself, whose second leg runs the dialled dialplan (mod_loopback.c).

What one leg hears the other one says. Nothing sounds here, but the legs come and go as the real ones do.
"""

from __future__ import annotations

import uuid

from orchestrator.sandbox.caller_profile import CallerProfile
from orchestrator.sandbox.channel import Channel
from orchestrator.sandbox.node import Node
from orchestrator.sandbox.not_simulated import NotSimulated
from orchestrator.sandbox.phones import Answer
from orchestrator.sandbox.session import Session

MODULE = "mod_loopback"
LOOPBACK = "loopback"
NULL = "null"
ENDPOINTS = frozenset({LOOPBACK, NULL})
"""Those of mod_loopback."""
# char name[128] in channel_on_init.
_LONGEST_NAME = 127


def dial(node: Node, channel_uuid: str, variables: dict[str, str], address: str) -> Session:
    """`<extension>/<context>/<dialplan>`; returns the first leg, which is answered when the second one answers.

    The second leg inherits the first one's variables (`__loopback_vars__`). Without a dialplan it is `xml`, of which
    nothing is known here.
    """
    extension, *rest = address.split("/", 2)
    if extension.lower().startswith("app=") or len(rest) < 2:
        raise NotSimulated(f"{LOOPBACK}/{address}")
    first = _leg(node, channel_uuid, "outbound", f"{LOOPBACK}/{extension}-a", extension, variables)
    second = _leg(node, str(uuid.uuid4()), "inbound", f"{LOOPBACK}/{extension}-b", extension, variables)
    first.partner, second.partner = second, first
    for leg in (first, second):
        node.add_session(leg)
        leg.start()
    second.transfer(extension, rest[1])
    return first


def dial_nobody(node: Node, channel_uuid: str, variables: dict[str, str], address: str) -> Session:
    """`null/<address>`: a leg without a far end, answered at once, which says nothing.

    null_channel_outgoing_channel.
    """
    leg = _leg(node, channel_uuid, "outbound", f"{NULL}/{address}", address, variables)
    leg.script, leg.phone_is_quiet = (Answer(),), True
    node.add_session(leg)
    leg.start()
    return leg


def is_in_use(node: Node) -> bool:
    """Whether there is a leg of the module's; as long as there is one, it is not unloaded."""
    return any(session.channel.name.partition("/")[0] in ENDPOINTS for session in node.sessions.values())


def _leg(
    node: Node, channel_uuid: str, direction: str, name: str, extension: str, variables: dict[str, str]
) -> Session:
    profile = CallerProfile(caller_name="", caller_number="0000000000", destination=extension, callee_number=extension)
    own = {"uuid": channel_uuid, "call_uuid": channel_uuid, "direction": direction}
    channel = Channel(node, channel_uuid, name[:_LONGEST_NAME], profile, variables | own, direction=direction)
    return Session(node, channel, ())
