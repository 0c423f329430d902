"""Who follows a node, as Redis has it."""

from __future__ import annotations

from typing import Any

from orchestrator.store import keys


def owner_of(client: Any, node: str) -> str:
    """The process that leased a node last, and has not given it back; empty if there is none."""
    owner, until_ms = client.hmget(keys.node_lease(node), "owner", "until_ms")
    return str(owner) if owner and until_ms != "0" else ""
