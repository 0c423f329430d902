"""orchestrator nodes: see them, add and remove them, keep new conferences off them, say which are for a Region. No
process is started anew."""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from orchestrator.cli.printing import print_rows, refuse
from orchestrator.domain.commands import REGIONS
from orchestrator.setting_values import parse_node
from orchestrator.settings import Settings
from orchestrator.store.nodes import NodeStore
from orchestrator.store.registry import NodeRegistry, NodeRow
from orchestrator.wiring.stores import build_node_store, build_registry

GROUP = re.compile(r"[A-Za-z0-9_-]{0,32}", re.ASCII)
_NO_GROUP = "--group has to be up to 32 letters, digits and - _"
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
    if options.action == "list":
        print_rows(_COLUMNS, _rows(registry, store), options.json)
        return 0
    if options.action == "regions":
        print_rows(("region", "group", "nodes"), _regions(registry), options.json)
        return 0
    if options.action in ("add", "region"):
        return (_add if options.action == "add" else _map_region)(registry, options)
    row = next((row for row in registry.list_nodes() if row.name == options.name), None)
    if row is None:
        return refuse(f"there is no node {options.name}")
    return _ACTS[options.action](registry, store, row, options)


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


def _add(registry: NodeRegistry, options: argparse.Namespace) -> int:
    try:
        address = parse_node(options.node)
    except ValueError as error:
        return refuse(str(error))
    if GROUP.fullmatch(options.group) is None:
        return refuse(_NO_GROUP)
    registry.save(NodeRow(address.name, address.host, address.port, options.group))
    print(f"{address.name} {address.host}:{address.port} active")
    return 0


def _regions(registry: NodeRegistry) -> Iterator[dict[str, object]]:
    rows = registry.list_nodes()
    for region, group in sorted(registry.list_regions().items()):
        yield {"region": region, "group": group, "nodes": ",".join(row.name for row in rows if row.is_of(group))}


def _map_region(registry: NodeRegistry, options: argparse.Namespace) -> int:
    if options.group is not None and GROUP.fullmatch(options.group) is None:
        return refuse(_NO_GROUP)
    registry.map_region(options.region, options.group)
    nodes = "no nodes" if options.unmap else f"the nodes of {options.group}" if options.group else "any node"
    print(f"{options.region}: {nodes}")
    return 0


def _cordon(registry: NodeRegistry, store: NodeStore, row: NodeRow, options: argparse.Namespace) -> int:
    registry.save(replace(row, state="cordoned" if options.action == "cordon" else "active"))
    conferences, people = store.count_conferences().get(row.name, (0, 0))
    print(f"{row.name} {options.action}ed; {conferences} conference(s), {people} people")
    return 0


def _drain(registry: NodeRegistry, store: NodeStore, row: NodeRow, options: argparse.Namespace) -> int:
    """A process may place a conference for a second more, as it may have read the list just now."""
    registry.save(replace(row, state="cordoned"))
    time.sleep(1.5)
    if _wait_empty(store, row.name, options.seconds):
        print(f"{row.name} is empty")
        return 0
    return refuse(f"{row.name} still has conferences after {options.seconds:g} s; it stays cordoned")


def _remove(registry: NodeRegistry, store: NodeStore, row: NodeRow, options: argparse.Namespace) -> int:
    if options.lost:
        registry.save(replace(row, state="lost"))
        if not _wait_empty(store, row.name, LOST_SECONDS):
            return refuse(f"{row.name} still has conferences: does `orchestrator listen` run?")
    elif row.name in store.count_conferences():
        return refuse(f"{row.name} has conferences: drain it, or, if it will not come back, remove it with --lost")
    registry.remove(row)
    print(f"{row.name} removed")
    return 0


def _wait_empty(store: NodeStore, name: str, seconds: float) -> bool:
    """Say how much is left whenever that changes."""
    deadline, said = time.monotonic() + seconds, (0, 0)
    while True:
        left = store.count_conferences().get(name, (0, 0))
        if left == (0, 0):
            return True
        if left != said:
            print(f"{name}: {left[0]} conference(s), {left[1]} people", flush=True)
            said = left
        if time.monotonic() >= deadline:
            return False
        time.sleep(LOOK_SECONDS)


_Act = Callable[[NodeRegistry, NodeStore, NodeRow, argparse.Namespace], int]
_ACTS: dict[str, _Act] = {"cordon": _cordon, "uncordon": _cordon, "drain": _drain, "remove": _remove}
