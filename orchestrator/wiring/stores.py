"""Builds what reads and writes Redis alone: all that a person's command needs, with few imports."""

from __future__ import annotations

from collections.abc import Callable

from orchestrator.freeswitch.addresses import NodeAddress
from orchestrator.settings import Settings
from orchestrator.store.account_removal import AccountRemoval
from orchestrator.store.accounts import AccountStore
from orchestrator.store.backlog import Backlog
from orchestrator.store.connection import connect
from orchestrator.store.history import History
from orchestrator.store.memory import Memory
from orchestrator.store.nodes import NodeStore
from orchestrator.store.processes import ProcessStore
from orchestrator.store.registry import NodeRegistry, NodeRow


def build_accounts(settings: Settings) -> AccountStore:
    """Build the store of accounts, with their keys, limits and trunks."""
    return AccountStore(connect(settings.redis_url))


def build_account_removal(settings: Settings) -> AccountRemoval:
    """Build what deletes an account."""
    return AccountRemoval(connect(settings.redis_url))


def build_history(settings: Settings) -> History:
    """Build the reader of conferences and calls, also after their end."""
    return History(connect(settings.redis_url))


def build_memory(settings: Settings) -> Memory:
    """Build the reader of Redis' memory."""
    return Memory(connect(settings.redis_url))


def build_node_store(settings: Settings) -> NodeStore:
    """Build the store of what the listeners last said of their nodes."""
    return NodeStore(connect(settings.redis_url))


def build_processes(settings: Settings) -> ProcessStore:
    """Build the store of which processes live."""
    return ProcessStore(connect(settings.redis_url))


def build_backlog(settings: Settings) -> Backlog:
    """Build the reader of what waits."""
    return Backlog(connect(settings.redis_url))


def build_registry(settings: Settings) -> NodeRegistry:
    """Build the list of nodes."""
    start = [NodeRow(node.name, node.host, node.port) for node in settings.freeswitch_nodes]
    return NodeRegistry(connect(settings.redis_url, max_connections=4), start)


def list_addresses(registry: NodeRegistry) -> Callable[[], list[NodeAddress]]:
    """List where the nodes are by now."""
    return lambda: [NodeAddress(row.name, row.host, row.port) for row in registry.list_nodes()]
