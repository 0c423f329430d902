"""Leases of nodes: one process at a time, and every later one has a larger epoch."""

from __future__ import annotations

import time

import pytest
import redis

from orchestrator.errors import Unavailable
from orchestrator.store import keys
from orchestrator.store import leases as leases_module
from orchestrator.store.lanes import LeaseLost
from orchestrator.store.leases import Lease, LeaseStore
from tests.harness.leases import owner_of
from tests.harness.polling import eventually


@pytest.fixture
def store(client: redis.Redis) -> LeaseStore:
    return LeaseStore(client)


def taken(store: LeaseStore, process: str = "one") -> Lease:
    lease = store.take("fs1", process)
    assert lease is not None
    return lease


def test_one_process_at_a_time_has_a_node(store: LeaseStore, client: redis.Redis) -> None:
    """Whoever gives it back, another may have it at once, in a later epoch."""
    first = taken(store)
    assert store.take("fs1", "two") is None
    assert store.take("fs2", "two") is not None, "another node is another's"
    assert owner_of(client, "fs1") == "one"
    store.release(first)
    assert owner_of(client, "fs1") == ""
    second = taken(store, "two")

    assert second.epoch > first.epoch
    with pytest.raises(LeaseLost):
        first.check()
    second.check()


def test_a_lease_that_is_not_renewed_is_another_s(store: LeaseStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the first one learns it as soon as it does not trust its own clock any more."""
    monkeypatch.setattr(leases_module, "LEASE_MS", 30)
    first = taken(store)
    second = eventually(lambda: store.take("fs1", "two"), "it has run out")
    assert second is not None
    first.check()  # by its clock it may be sure for some time: what it writes is refused by the epoch
    first.trusted_until = time.monotonic()

    with pytest.raises(LeaseLost):
        first.check()
    store.renew([first, second])
    assert (first.is_lost, second.is_lost) == (True, False)


def test_who_relies_on_a_lease_does_so_for_less_time_than_it_lasts(store: LeaseStore) -> None:
    """By far: a clock that goes a little wrong, and a command on its way to the switch, are in between."""
    assert taken(store).trusted_until - time.monotonic() < leases_module.LEASE_MS / 1000 - 0.4


def test_a_lease_that_ran_out_while_nobody_took_it_is_still_ours(store: LeaseStore, client: redis.Redis) -> None:
    """Redis was away for long: the events that were read meanwhile need not be dropped."""
    lease = taken(store)
    client.hset(keys.node_lease("fs1"), "until_ms", "1")
    lease.trusted_until = 0.0
    lease.check()

    assert lease.trusted_until > time.monotonic()
    assert store.take("fs1", "two") is None


def test_nobody_is_sure_of_a_lease_while_redis_is_away() -> None:
    """Neither to have it nor to have lost it."""
    away = redis.Redis(port=1)
    lease = Lease(LeaseStore(away), "fs1", 7, trusted_until=0.0)

    with pytest.raises(Unavailable):
        lease.check()
    assert not lease.is_lost


def test_an_epoch_grows_also_when_redis_has_forgotten_the_last(store: LeaseStore, client: redis.Redis) -> None:
    """A failover to a replica that had not heard of it."""
    first = taken(store)
    client.delete(keys.node_lease("fs1"))
    time.sleep(0.002)

    assert taken(store, "two").epoch > first.epoch
    store.renew([first])
    assert first.is_lost


def test_listeners_that_live_know_of_each_other(store: LeaseStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until they leave, or fall silent."""
    assert store.attend("one") == ["one"]
    assert sorted(store.attend("two")) == ["one", "two"]
    store.leave("one")
    assert store.attend("two") == ["two"]
    monkeypatch.setattr(leases_module, "LEASE_MS", 10)
    store.attend("three")
    monkeypatch.undo()

    eventually(lambda: store.attend("two") == ["two"], "three is dead")


def test_who_does_not_reach_a_node_says_so_for_some_time(store: LeaseStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then it may try again; and what one that is dead has said counts no more."""
    for node, process in (("fs1", "one"), ("fs1", "two"), ("fs2", "dead")):
        store.note_cut_off(node, process)

    assert store.load_cut_off(["one", "two", "three"]) == {"fs1": {"one", "two"}}
    later = int(time.time()) + leases_module.CUT_OFF_SECONDS + 1
    monkeypatch.setattr(store, "_now", lambda: later)

    assert store.load_cut_off(["one", "two", "three"]) == {}
