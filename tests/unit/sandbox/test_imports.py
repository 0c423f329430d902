"""The sandbox's modules can be read one after the other: none of them names another that names it."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

from orchestrator import sandbox

PREFIX = f"{sandbox.__name__}."
MODULES = {path.stem: path for path in Path(sandbox.__file__).parent.glob("*.py")}


def imported_by(path: Path) -> set[str]:
    """The sandbox's modules that one imports, also where only annotations need them."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name.removeprefix(PREFIX).split(".")[0] for name in found if name.startswith(PREFIX)}


def test_imports_go_one_way() -> None:
    """A circle raises CycleError, which names its modules."""
    order = list(TopologicalSorter({name: imported_by(path) for name, path in MODULES.items()}).static_order())

    assert set(order) == MODULES.keys()
    assert order.index("session") < order.index("node") < order.index("api") < order.index("server")
