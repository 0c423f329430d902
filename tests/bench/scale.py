"""How many processes, nodes and gigabytes a deployment takes: `python -m tests.bench.scale [--people 100000 …]`.

Costs are measured, unless they say otherwise (README, "Figures"; tests/bench/nodes.py), on a 2-core machine that also
ran everything else; what a day looks like is a guess, to be replaced by one's own. Half of what was measured is planned
with. docs/scale.md says what follows.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from math import ceil

HEADROOM = 0.5


@dataclass(frozen=True)
class Load:
    """What a deployment has to do. `kept_days`: CALL_RETENTION_DAYS and RETENTION_DAYS."""

    people: int = 100_000
    conferences: int = 10_000
    minutes: float = 30.0
    """How long somebody is in a conference."""
    callbacks: float = 6.0
    """For each person: join, leave, and four of the call."""
    updates: float = 2.0
    """Mutes, holds … for each person, and their callbacks."""
    kept_days: float = 7.0


@dataclass(frozen=True)
class Costs:
    """A life is one person's: created, called, joined, muted once, left, with three callbacks."""

    people_per_node: int = 1_000
    """Not measured: FreeSWITCH's default of max-sessions. Mixing and RTP decide it, on the host that it runs on."""
    events_per_person: float = 30.0
    events_per_listener: float = 7_000.0
    callbacks_per_worker: float = 1_700.0
    requests_per_api: float = 1_300.0
    redis_ms_per_life: float = 2.45
    redis_us_per_row_of_a_look: float = 10.0
    """Not measured. A snapshot of a node, every 15 s, reads each of its conferences and people."""
    kilobytes_per_life: float = 12.8


@dataclass(frozen=True)
class Need:
    """What it takes."""

    nodes: int
    joins_per_second: float
    events_per_second: float
    callbacks_per_second: float
    requests_per_second: float
    listeners: int
    workers: int
    apis: int
    redis_cores: float
    redis_gigabytes: float


def needs(load: Load, costs: Costs) -> Need:
    """Return what a load takes."""
    joins = load.people / (load.minutes * 60)
    events = joins * (costs.events_per_person + 4 * load.updates)
    callbacks = joins * (load.callbacks + load.updates)
    requests = joins * (1 + load.updates)
    looks = (load.conferences + load.people) / 15
    cores = joins * costs.redis_ms_per_life / 1e3 + looks * costs.redis_us_per_row_of_a_look / 1e6
    lives_kept = joins * load.kept_days * 86_400
    return Need(
        nodes=ceil(load.people / costs.people_per_node),
        joins_per_second=joins,
        events_per_second=events,
        callbacks_per_second=callbacks,
        requests_per_second=requests,
        listeners=max(2, ceil(events / costs.events_per_listener / HEADROOM)),
        workers=max(2, ceil(callbacks / costs.callbacks_per_worker / HEADROOM)),
        apis=max(2, ceil(requests / costs.requests_per_api / HEADROOM)),
        redis_cores=cores,
        redis_gigabytes=lives_kept * costs.kilobytes_per_life / 1e6,
    )


def main() -> None:
    """Print a line for each number."""
    parser = argparse.ArgumentParser()
    for name, default in vars(Load()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(default), default=default)
    need = needs(Load(**vars(parser.parse_args())), Costs())
    for name, value in vars(need).items():
        print(f"{name:<22} {value:>12,.1f}")


if __name__ == "__main__":
    main()
