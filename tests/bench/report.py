"""One line for each figure: what was measured, its floor or peer, the ratio, the goal."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """`value` in `unit`; `floor` is what it is held against, `goal` a text, `is_met` None where there is no goal."""

    what: str
    value: float
    unit: str
    floor: float | None = None
    floor_is: str = ""
    goal: str = ""
    is_met: bool | None = None


def show(rows: list[Row]) -> int:
    """Print the rows; returns how many goals were missed."""
    for row in rows:
        text = f"{row.what:<58} {row.value:>10,.1f} {row.unit}"
        if row.floor is not None:
            text += f"   {row.value / row.floor:.2f} x {row.floor_is} ({row.floor:,.0f})"
        if row.goal:
            text += f"   goal {row.goal}: {'met' if row.is_met else 'MISSED'}"
        print(text, flush=True)
    return sum(row.is_met is False for row in rows)


def percentile(values: list[float], share: float) -> float:
    """The value that `share` of all values do not exceed."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]
