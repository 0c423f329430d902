"""How commands speak to a person at a terminal."""

from __future__ import annotations

import sys
from collections.abc import Mapping

import orjson


def print_json(body: Mapping[str, object]) -> None:
    """As JSON: nothing that a receiver has sent can write to the terminal."""
    print(orjson.dumps(body, option=orjson.OPT_INDENT_2).decode())


def refuse(text: str) -> int:
    """Say in one line why nothing was done; returns the exit status."""
    print(f"orchestrator: {text}", file=sys.stderr)
    return 1
