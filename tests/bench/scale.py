"""How many processes, nodes and gigabytes a deployment takes: `python -m tests.bench.scale [--people 100000 …]`.

A closed formula: sums of what a day has times what each was measured to cost, on a 2-core machine that also ran
everything else. What a day looks like is a guess, to be replaced by one's own. Half of what was measured is planned
with. Beside it a simulation of a minute, in which people come and go at random: what the formula's means hide.
docs/scale.md says what follows.
"""

from __future__ import annotations

import argparse
import heapq
import random
from dataclasses import dataclass
from math import ceil

HEADROOM = 0.5
LOOK_SECONDS = 15.0
LIFE_CALLBACKS = 3.0
LIFE_UPDATES = 1.0


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
    """Mutes, holds … for each person; each has a callback, too."""
    kept_days: float = 7.0

    @property
    def joins_per_second(self) -> float:
        return self.people / (self.minutes * 60)

    @property
    def all_callbacks(self) -> float:
        """Of one person."""
        return self.callbacks + self.updates


@dataclass(frozen=True)
class Costs:
    """A life is one person's: created, called, joined, muted once, left, with three callbacks."""

    people_per_node: int = 1_000
    """Not measured: FreeSWITCH's default of max-sessions. Mixing and RTP decide it, on the host that it runs on."""
    events_per_person: float = 30.0
    events_per_update: float = 4.0
    events_per_listener: float = 6_900.0
    """tests/bench/nodes.py: of one node, read from its socket."""
    callbacks_per_worker: float = 1_539.0
    """README, "Figures"."""
    requests_per_api: float = 1_084.0
    """README, "Figures": mutes. A create counts as one."""
    redis_ms_per_life: float = 2.45
    redis_ms_per_callback: float = 0.68
    """A bound: a life less its mute, as if it were its three callbacks only. Measured 0.24 to 0.32 where 20 wait in
    each lane (`python -m tests.bench deliveries`); one that comes alone costs more."""
    redis_ms_per_update: float = 0.40
    """`python -m tests.bench mutes`: a mute and its event, without callback."""
    redis_us_per_row_of_a_look: float = 10.0
    """Not measured. A snapshot of a node, every 15 s, reads each of its conferences and people."""
    kilobytes_per_life: float = 12.8
    kilobytes_per_callback: float = 2.0
    """docs/limits.md."""
    gigabytes_per_redis: float = 64.0
    """Not measured: what one server is given. Half is planned with, for a rewrite of its file may double it."""

    def redis_ms(self, load: Load) -> float:
        """Return what a person's life with this load's callbacks and updates takes of Redis' core."""
        callbacks, updates = load.all_callbacks - LIFE_CALLBACKS, load.updates - LIFE_UPDATES
        return self.redis_ms_per_life + callbacks * self.redis_ms_per_callback + updates * self.redis_ms_per_update

    def kilobytes(self, load: Load) -> float:
        """Return what is kept of it."""
        return self.kilobytes_per_life + (load.all_callbacks - LIFE_CALLBACKS) * self.kilobytes_per_callback


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
    redis_gigabytes_that_live: float
    shards_by_cores: int
    shards_by_memory: int


def needs(load: Load, costs: Costs) -> Need:
    """Return what a load takes."""
    joins = load.joins_per_second
    events = joins * (costs.events_per_person + costs.events_per_update * load.updates)
    callbacks = joins * load.all_callbacks
    requests = joins * (1 + load.updates)
    looks = (load.conferences + load.people) / LOOK_SECONDS
    cores = joins * costs.redis_ms(load) / 1e3 + looks * costs.redis_us_per_row_of_a_look / 1e6
    gigabytes = joins * load.kept_days * 86_400 * costs.kilobytes(load) / 1e6
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
        redis_gigabytes=gigabytes,
        redis_gigabytes_that_live=load.people * costs.kilobytes(load) / 1e6,
        shards_by_cores=ceil(cores / HEADROOM),
        shards_by_memory=ceil(gigabytes / costs.gigabytes_per_redis / HEADROOM),
    )


def shares(need: Need, costs: Costs) -> dict[str, float]:
    """Return how much is used of each thing of which a deployment without shards has one; more than 1: too much."""
    return {
        "Redis' core": need.redis_cores / HEADROOM,
        "Redis' memory": need.redis_gigabytes / costs.gigabytes_per_redis / HEADROOM,
        "the listener of one node": need.events_per_second / need.nodes / costs.events_per_listener / HEADROOM,
    }


def ends_first(need: Need, costs: Costs) -> str:
    """Return what a growing load uses up first."""
    used = shares(need, costs)
    return max(used, key=lambda name: used[name])


@dataclass(frozen=True)
class Peak:
    """Of one Redis' core: the busiest second, all seconds, and how long somebody waited for it."""

    busiest: float
    mean: float
    longest_wait_ms: float


def simulate(load: Load, costs: Costs, seconds: int = 60, seed: int = 1) -> Peak:
    """Have people come, change something and go at random for a while; one Redis does it all in turn.

    Half of a life's work is done when somebody comes and half when they go, and every node is looked at as a whole.
    """
    chance = random.Random(seed)  # noqa: S311 - chance, not secrets
    stay, nodes = load.minutes * 60, ceil(load.people / costs.people_per_node)
    update = costs.redis_ms_per_update + costs.redis_ms_per_callback
    half = (costs.redis_ms(load) - load.updates * update) / 2
    rows = (load.conferences + load.people) / nodes
    takes = {"come": half, "go": half, "update": update, "look": rows * costs.redis_us_per_row_of_a_look / 1e3}
    coming = [(chance.expovariate(load.joins_per_second), "come")]
    coming += [(chance.uniform(0, LOOK_SECONDS), "look") for _ in range(nodes)]
    coming += [(chance.expovariate(1 / stay), "go") for _ in range(load.people)]
    if load.updates:
        coming.append((chance.expovariate(load.joins_per_second * load.updates), "update"))
    heapq.heapify(coming)
    asked = [0.0] * seconds
    free_at = longest = 0.0
    while coming[0][0] < seconds:
        at, what = heapq.heappop(coming)
        if what == "come":
            heapq.heappush(coming, (at + chance.expovariate(load.joins_per_second), "come"))
            heapq.heappush(coming, (at + chance.expovariate(1 / stay), "go"))
        elif what == "update":
            heapq.heappush(coming, (at + chance.expovariate(load.joins_per_second * load.updates), "update"))
        elif what == "look":
            heapq.heappush(coming, (at + LOOK_SECONDS, "look"))
        longest = max(longest, free_at - at)
        free_at = max(at, free_at) + takes[what] / 1e3
        asked[int(at)] += takes[what] / 1e3
    return Peak(max(asked), sum(asked) / seconds, longest * 1e3)


def main() -> None:
    """Print a line for each number."""
    parser = argparse.ArgumentParser()
    for name, default in vars(Load()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(default), default=default)
    load, costs = Load(**vars(parser.parse_args())), Costs()
    need, peak = needs(load, costs), simulate(load, costs)
    for name, value in vars(need).items():
        print(f"{name:<26} {value:>12,.2f}")
    for name, share in shares(need, costs).items():
        print(f"{name:<26} {share:>12.0%} of what is planned with")
    print(f"ends first: {ends_first(need, costs)}")
    print(
        f"Redis' core by the formula {need.redis_cores:.0%}; in a minute of a simulation {peak.mean:.0%}, "
        f"in its busiest second {peak.busiest:.0%}; longest wait {peak.longest_wait_ms:.0f} ms"
    )


if __name__ == "__main__":
    main()
