"""Leases: one at a time, and whoever comes meanwhile is not forgotten. What a sweep finds."""

from __future__ import annotations

import pytest
import redis

from orchestrator.sids import mint_sid
from orchestrator.store import keys
from orchestrator.store import lanes as lanes_module
from orchestrator.store.lanes import LEASE_MS, Lane, LaneStore, LeaseLost
from tests.harness.polling import eventually

NOW_MS = 1_000_000
KIND = "dialling"
DUE = keys.lanes_due(KIND)


@pytest.fixture
def store(client: redis.Redis) -> LaneStore:
    return LaneStore(client, KIND)


@pytest.fixture
def lane() -> Lane:
    return Lane(mint_sid("AC"), "fs1")


def test_a_lane_is_read_as_it_is_written(lane: Lane) -> None:
    assert Lane.parse(str(lane)) == lane


def test_one_at_a_time_and_who_comes_meanwhile_has_it_looked_at_once_more(store: LaneStore, lane: Lane) -> None:
    """However many come; then it is free."""
    assert store.take(lane, "one", NOW_MS)
    for owner in ("two", "three"):
        assert store.take(lane, owner, NOW_MS) is None
    assert not store.release(lane, "one", None), "somebody has come"
    assert store.take(lane, "two", NOW_MS) is None, "still the first one's"
    assert store.take(lane, "one", NOW_MS), "who looks again"
    assert store.release(lane, "one", None)
    assert store.take(lane, "two", NOW_MS)


@pytest.mark.parametrize("other", [Lane("CF", "b"), Lane("CE", "a")])
def test_another_lane_is_another_s(store: LaneStore, other: Lane) -> None:
    store.take(Lane("CF", "a"), "one", NOW_MS)

    assert store.take(other, "two", NOW_MS)


def test_another_kind_of_lane_is_another_s(store: LaneStore, client: redis.Redis, lane: Lane) -> None:
    """Also what is due of it."""
    other = LaneStore(client, "recordings")
    store.take(lane, "one", NOW_MS)

    assert other.take(lane, "two", NOW_MS)
    other.release(lane, "two", None)
    assert client.zscore(DUE, str(lane)) is not None


def test_who_lost_its_lease_is_told_and_takes_nothing_away(store: LaneStore, client: redis.Redis, lane: Lane) -> None:
    """It ran out while its worker was stopped; another has taken over."""
    store.take(lane, "one", NOW_MS)
    client.delete(store.lease(lane))
    store.take(lane, "two", NOW_MS)
    for ask in (store.check, store.is_woken):
        with pytest.raises(LeaseLost):
            ask(lane, "one")
    store.renew({"one": lane}, NOW_MS)
    assert store.release(lane, "one", NOW_MS), "nothing to look at: it is not its lane"

    assert client.get(store.lease(lane)) == "two"


def test_a_lease_ends_by_itself_and_a_sweep_finds_the_lane(
    store: LaneStore, client: redis.Redis, lane: Lane, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its worker has died: soon after its lease somebody looks again."""
    store.take(lane, "one", NOW_MS)
    assert 0 < client.pttl(store.lease(lane)) <= LEASE_MS
    assert store.list_due(NOW_MS + LEASE_MS + 1_000, 10) == [], "it is still leased"
    monkeypatch.setattr(lanes_module, "LEASE_MS", 20)
    store.renew({"one": lane}, NOW_MS)
    eventually(lambda: not client.exists(store.lease(lane)), "it has run out")

    assert store.list_due(NOW_MS + 3 * LEASE_MS, 10) == [lane]


def test_a_lease_that_is_renewed_goes_on(store: LaneStore, client: redis.Redis, lane: Lane) -> None:
    """By whoever keeps all of a process, or before something that two must not do; and a sweep looks later."""
    store.take(lane, "one", NOW_MS)
    client.pexpire(store.lease(lane), 1_000)
    store.renew({"one": lane}, NOW_MS + 1_000)
    assert client.pttl(store.lease(lane)) > 1_000
    client.pexpire(store.lease(lane), 1_000)
    store.check(lane, "one")
    assert client.pttl(store.lease(lane)) > 1_000
    assert client.zscore(DUE, str(lane)) == NOW_MS + 1_000 + LEASE_MS + 500


def test_renewing_puts_no_lane_on_the_list(store: LaneStore, client: redis.Redis, lane: Lane) -> None:
    """It has just been emptied, perhaps: what was taken off must not come back."""
    store.renew({"one": lane}, NOW_MS)

    assert client.zscore(DUE, str(lane)) is None


def test_who_waits_for_something_learns_once_that_the_lane_was_woken(store: LaneStore, lane: Lane) -> None:
    """Whoever renews it for them, or checks it, takes nothing of that away."""
    store.take(lane, "one", NOW_MS)
    assert not store.is_woken(lane, "one")
    store.take(lane, "two", NOW_MS)
    store.renew({"one": lane}, NOW_MS)
    store.check(lane, "one")
    assert store.is_woken(lane, "one")

    assert not store.is_woken(lane, "one")
    assert store.release(lane, "one", None)


def test_who_gives_a_lane_back_says_when_it_is_due(store: LaneStore, client: redis.Redis, lane: Lane) -> None:
    for due_ms in (NOW_MS + 7, None):
        store.take(lane, "one", NOW_MS)
        store.release(lane, "one", due_ms)
        assert client.zscore(DUE, str(lane)) == due_ms


def test_what_is_due_is_found_once_and_again_later(store: LaneStore, client: redis.Redis) -> None:
    """The oldest first, so many at a time; two sweeps do not both find it at once, and one that dies loses nothing."""
    lanes = [Lane(mint_sid("CF"), "conference") for _ in range(5)]
    for number, one in enumerate(lanes):
        client.zadd(DUE, {str(one): NOW_MS + number})

    assert store.list_due(NOW_MS + 3, 3) == lanes[:3]
    assert store.list_due(NOW_MS + 3, 3) == lanes[3:4]
    assert store.list_due(NOW_MS + 3, 3) == []
    assert set(store.list_due(NOW_MS + 3 + LEASE_MS, 10)) == set(lanes)


def test_a_lane_that_comes_due_anew_while_the_sweep_looks_keeps_its_moment(
    store: LaneStore, client: redis.Redis, lane: Lane, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody put it off, or wants it sooner, between the sweep's reading and its writing."""
    client.zadd(DUE, {str(lane): NOW_MS})

    def moved(_: object) -> set[Lane]:
        client.zadd(DUE, {str(lane): NOW_MS + 99})
        return {lane}

    monkeypatch.setattr(store, "list_empty", moved)
    store.list_due(NOW_MS, 10)

    assert client.zscore(DUE, str(lane)) == NOW_MS + 99
