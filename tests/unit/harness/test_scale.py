"""How much a deployment takes: the formula on a case that was computed by hand, and the simulation beside it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.bench.scale import Costs, Load, ends_first, needs, simulate

LOAD = Load(people=3_600, conferences=360, minutes=60, callbacks=6, updates=2, kept_days=1)
COSTS = Costs(
    people_per_node=1_000, events_per_person=30, events_per_update=4, events_per_listener=10, callbacks_per_worker=4,
    requests_per_api=100, redis_ms_per_life=2.45, redis_ms_per_callback=0.5, redis_ms_per_update=0.3,
    redis_us_per_row_of_a_look=10, kilobytes_per_life=12.8, kilobytes_per_callback=2, gigabytes_per_redis=2,
)  # fmt: skip


def test_the_formula_computes_what_a_hand_does() -> None:
    """One person comes each second, has eight callbacks, five more than a life was measured with, and one more update:
    2.45 + 5 * 0.5 + 0.3 = 5.25 ms and 12.8 + 5 * 2 = 22.8 kB; 264 rows are looked at each second."""
    need = needs(LOAD, COSTS)

    assert (need.nodes, need.joins_per_second, need.events_per_second) == (4, 1, 38)
    assert (need.callbacks_per_second, need.requests_per_second) == (8, 3)
    assert (need.listeners, need.workers, need.apis) == (8, 4, 2)
    assert need.redis_cores == pytest.approx(0.00525 + 0.00264)
    assert need.redis_gigabytes == pytest.approx(86_400 * 22.8 / 1e6)
    assert need.redis_gigabytes_that_live == pytest.approx(3_600 * 22.8 / 1e6)
    assert (need.shards_by_cores, need.shards_by_memory) == (1, 2)


def test_what_ends_first_depends_on_the_load() -> None:
    """History fills memory; without any, a slow Redis is used up, or the listener of a node that says much."""
    forgetful = replace(LOAD, kept_days=0.001)

    assert ends_first(needs(LOAD, replace(COSTS, events_per_listener=1e6)), COSTS) == "Redis' memory"
    assert ends_first(needs(forgetful, COSTS), COSTS) == "the listener of one node"
    slow = replace(COSTS, redis_ms_per_life=3_000)
    assert ends_first(needs(forgetful, slow), slow) == "Redis' core"


def test_people_at_random_use_what_the_formula_says_on_the_whole() -> None:
    """And more in the busiest second; the same seed is the same minute."""
    load = replace(LOAD, people=100_000, conferences=10_000, minutes=30)
    costs = replace(COSTS, redis_us_per_row_of_a_look=0)
    peak = simulate(load, costs, 30, seed=3)

    assert peak == simulate(load, costs, 30, seed=3)
    assert peak.mean == pytest.approx(needs(load, costs).redis_cores, rel=0.1)
    assert peak.busiest > peak.mean
