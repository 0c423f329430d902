"""How commands speak to a person at a terminal, or to another program: nothing from outside can write to either."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence

import orjson


def print_json(body: Mapping[str, object]) -> None:
    """Print an object as JSON."""
    print(orjson.dumps(body, option=orjson.OPT_INDENT_2).decode())


def print_rows(headings: Sequence[str], rows: Iterable[Mapping[str, object]], as_json: bool) -> None:
    """Print each row as it comes: as a line of JSON with all its fields, or those of `headings` in columns, of which
    the first two hundred rows decide how wide they are."""
    if as_json:
        for row in rows:
            print(orjson.dumps(row, default=str).decode())
        return
    waiting: list[Sequence[str]] = [headings]
    widths: list[int] | None = None
    for row in rows:
        cells = [plain(row.get(name)) for name in headings]
        if widths is None:
            waiting.append(cells)
            if len(waiting) <= 200:
                continue
            widths = _print_first(waiting)
            continue
        _print_row(cells, widths)
    if widths is None and len(waiting) > 1:
        _print_first(waiting)


def plain(value: object) -> str:
    """Return a value as one line: what could move a terminal's cursor is shown as it is written in a program."""
    if value in (None, ""):
        return "-"
    text = str(value)
    return text if text.isprintable() else repr(text)[1:-1]


def _print_first(rows: Sequence[Sequence[str]]) -> list[int]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        _print_row(row, widths)
    return widths


def _print_row(cells: Sequence[str], widths: Sequence[int]) -> None:
    print("  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip())


def refuse(text: str) -> int:
    """Say in one line why nothing was done; returns the exit status."""
    print(f"orchestrator: {text}", file=sys.stderr)
    return 1
