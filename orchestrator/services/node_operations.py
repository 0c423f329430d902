"""What an operator does about nodes, by the command line, the operators' API and the console's page alike."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, cast

from orchestrator.domain.commands import REGIONS
from orchestrator.errors import BadParameter, Conflict, NotFound
from orchestrator.setting_values import parse_node
from orchestrator.store.nodes import NodeStore
from orchestrator.store.registry import NodeRegistry, NodeRow, State

STATES: Final = ("active", "cordoned", "lost")
"""What an operator makes of a node: a drain is `cordoned`, and a wait until it is empty."""

_GROUP: Final = re.compile(r"[A-Za-z0-9_-]{0,32}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Region:
    """A Region that is mapped: to which group of nodes ('': any), and which these are."""

    region: str
    group: str
    nodes: Sequence[str]


class NodeOperations:
    """Changes nodes. Changes are known everywhere within a second or two."""

    def __init__(self, registry: NodeRegistry, store: NodeStore) -> None:
        self._registry = registry
        self._store = store

    def load_node(self, name: str) -> NodeRow:
        """Load a node as it is now. Raises NotFound."""
        self._registry.forget()
        return self._found(name, next((row for row in self._registry.list_nodes() if row.name == name), None))

    @staticmethod
    def _found(name: str, row: NodeRow | None) -> NodeRow:
        if row is None:
            raise NotFound(f"The node {name} was not found")
        return row

    def count_left(self, name: str) -> tuple[int, int]:
        """Count the conferences that a node has, and the people in them."""
        return self._store.count_conferences().get(name, (0, 0))

    def add_node(self, text: str, group: str) -> NodeRow:
        """Add a node, `name=host:port`, or change where it is; it is active. Raises BadParameter."""
        try:
            address = parse_node(text)
        except ValueError as error:
            raise BadParameter(f"Node: {error}") from error
        row = NodeRow(address.name, address.host, address.port, check_group("Group", group))
        self._registry.save(row)
        return row

    def set_state(self, name: str, state: str) -> NodeRow:
        """Cordon a node, have it get new conferences again, or end what it has, as it is lost. Raises NotFound,
        BadParameter, Conflict."""
        if state not in STATES:
            raise BadParameter(f"State: takes {', '.join(STATES)}")

        def change(row: NodeRow) -> NodeRow:
            if row.state == "lost" != state:
                raise Conflict(
                    f"The node {name} is lost, and what it has is being ended; if it is there after all, "
                    f"add it again: `orchestrator nodes add {name}=HOST:PORT`, or POST /v1/Nodes"
                )
            return replace(row, state=cast(State, state))

        return self._found(name, self._registry.change(name, change))

    def remove_node(self, name: str) -> None:
        """Forget a node. Raises NotFound, Conflict while it has conferences."""
        row = self.load_node(name)
        if self.count_left(name) != (0, 0):
            raise Conflict(
                f"The node {name} has conferences: drain it, or, if it will not come back, remove it as lost (--lost, "
                "State=lost)"
            )
        self._registry.remove(row)

    def list_regions(self) -> list[Region]:
        """List the Regions that are mapped, by name."""
        rows = self._registry.list_nodes()
        regions: Mapping[str, str] = self._registry.list_regions()
        return [
            Region(region, group, [row.name for row in rows if row.is_of(group)])
            for region, group in sorted(regions.items())
        ]

    def map_region(self, region: str, group: str | None) -> None:
        """Have conferences of a Region go to a group of nodes ('': to any); None: creates with it are refused. Raises
        BadParameter."""
        if region not in REGIONS:
            raise BadParameter(f"Region: takes {', '.join(REGIONS)}")
        self._registry.map_region(region, None if group is None else check_group("Group", group))


def check_group(parameter: str, group: str) -> str:
    """Return the name of a group of nodes, if it is one. Raises BadParameter."""
    if _GROUP.fullmatch(group) is None:
        raise BadParameter(f"{parameter}: has to be up to 32 letters, digits and - _")
    return group
