"""Builds the connections to FreeSWITCH."""

from __future__ import annotations

from orchestrator.freeswitch.nodes import Nodes
from orchestrator.settings import Settings
from orchestrator.wiring.stores import build_registry, list_addresses


def build_nodes(settings: Settings) -> Nodes:
    """Build connections to every node, still to be started."""
    return Nodes(list_addresses(build_registry(settings)), settings.freeswitch_password)
