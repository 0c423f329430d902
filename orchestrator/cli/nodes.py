"""orchestrator nodes: see them, add and remove them, keep new conferences off them, say which are for a Region. No
process is started anew."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator

from orchestrator.cli.printing import print_rows, refuse
from orchestrator.domain.commands import REGIONS
from orchestrator.services.node_operations import NodeOperations
from orchestrator.settings import Settings
from orchestrator.store.nodes import NodeStore
from orchestrator.store.registry import NodeRegistry
from orchestrator.wiring.stores import build_node_store, build_registry

FLAGS = {"Group": "--group", "Node": "NAME=HOST:PORT"}
LOOK_SECONDS = 0.5
LOST_SECONDS = 30.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True)
    listing = actions.add_parser("list", help="how they are, who follows them, and what they have")
    listing.add_argument("--json", action="store_true", help="a line of JSON each")
    add = actions.add_parser("add", help="connect to a node, or change where it is; processes do so within seconds")
    add.add_argument("node", metavar="NAME=HOST:PORT")
    add.add_argument("--group", default="", help="accounts can be kept to a group of nodes (account limits --nodes)")
    for action, text in (
        ("cordon", "have it get no new conferences; those that it has go on, and people are still added to them"),
        ("uncordon", "have it get new ones again"),
    ):
        actions.add_parser(action, help=text).add_argument("name")
    regions = actions.add_parser("regions", help="which nodes conferences go to that are created with a Region")
    regions.add_argument("--json", action="store_true", help="a line of JSON each")
    region = actions.add_parser("region", help="map a Region to a group of nodes; creates with another are refused")
    region.add_argument("region", choices=REGIONS)
    mapped = region.add_mutually_exclusive_group(required=True)
    mapped.add_argument("--group", help="'': any node")
    mapped.add_argument("--unmap", action="store_true", help="refuse creates with it again")
    drain = actions.add_parser("drain", help="cordon it, and wait until it has no conference any more")
    drain.add_argument("name")
    drain.add_argument("--seconds", type=float, default=3600.0, help="how long at most (default 3600)")
    remove = actions.add_parser("remove", help="forget it; refused while it has conferences")
    remove.add_argument("name")
    remove.add_argument("--lost", action="store_true", help="end what it has first: it will not come back")


def run(settings: Settings, options: argparse.Namespace) -> int:
    registry, store = build_registry(settings), build_node_store(settings)
    nodes = NodeOperations(registry, store)
    match options.action:
        case "list":
            print_rows(_COLUMNS, _rows(registry, store), options.json)
        case "add":
            row = nodes.add_node(options.node, options.group)
            print(f"{row.name} {row.host}:{row.port} active")
        case "cordon" | "uncordon":
            _cordon(nodes, options)
        case "drain":
            return _drain(nodes, options)
        case "remove":
            return _remove(nodes, options)
        case "region":
            _map_region(nodes, options)
        case "regions":
            print_rows(("region", "group", "nodes"), _regions(nodes), options.json)
    return 0


_COLUMNS = (
    "name", "address", "group", "state", "connected", "listener", "sessions", "most_sessions", "idle_percent",
    "conferences", "people", "refused",
)  # fmt: skip


def _rows(registry: NodeRegistry, store: NodeStore) -> Iterator[dict[str, object]]:
    counted, refused = store.count_conferences(), store.load_refused()
    for row in registry.list_nodes():
        seen = store.load_node(row.name)
        conferences, people = counted.get(row.name, (0, 0))
        yield {
            "name": row.name,
            "address": f"{row.host}:{row.port}",
            "group": row.group,
            "state": row.state,
            "connected": {"1": "yes", "0": "no"}.get(seen.get("connected", ""), "nobody follows it"),
            **{name: seen.get(name, "") for name in ("listener", "sessions", "most_sessions", "idle_percent")},
            "conferences": conferences,
            "people": people,
            "refused": refused.get(row.name, 0),
        }


def _regions(nodes: NodeOperations) -> Iterator[dict[str, object]]:
    for row in nodes.list_regions():
        yield {"region": row.region, "group": row.group, "nodes": ",".join(row.nodes)}


def _map_region(nodes: NodeOperations, options: argparse.Namespace) -> None:
    nodes.map_region(options.region, options.group)
    where = "no nodes" if options.unmap else f"the nodes of {options.group}" if options.group else "any node"
    print(f"{options.region}: {where}")


def _cordon(nodes: NodeOperations, options: argparse.Namespace) -> None:
    nodes.set_state(options.name, "cordoned" if options.action == "cordon" else "active")
    conferences, people = nodes.count_left(options.name)
    print(f"{options.name} {options.action}ed; {conferences} conference(s), {people} people")


def _drain(nodes: NodeOperations, options: argparse.Namespace) -> int:
    """A process may place a conference for a second more, as it may have read the list just now."""
    nodes.set_state(options.name, "cordoned")
    time.sleep(1.5)
    if _wait_empty(nodes, options.name, options.seconds):
        print(f"{options.name} is empty")
        return 0
    return refuse(f"{options.name} still has conferences after {options.seconds:g} s; it stays cordoned")


def _remove(nodes: NodeOperations, options: argparse.Namespace) -> int:
    if options.lost:
        nodes.set_state(options.name, "lost")
        if not _wait_empty(nodes, options.name, LOST_SECONDS):
            return refuse(f"{options.name} still has conferences: does `orchestrator listen` run?")
    nodes.remove_node(options.name)
    print(f"{options.name} removed")
    return 0


def _wait_empty(nodes: NodeOperations, name: str, seconds: float) -> bool:
    """Say how much is left whenever that changes."""
    deadline, said = time.monotonic() + seconds, (0, 0)
    while True:
        left = nodes.count_left(name)
        if left == (0, 0):
            return True
        if left != said:
            print(f"{name}: {left[0]} conference(s), {left[1]} people", flush=True)
            said = left
        if time.monotonic() >= deadline:
            return False
        time.sleep(LOOK_SECONDS)
