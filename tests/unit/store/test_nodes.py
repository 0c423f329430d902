"""What listeners tell of their nodes, and what they have to look at again."""

from __future__ import annotations

import time

import pytest
import redis

from orchestrator.errors import Unavailable
from orchestrator.sids import mint_sid
from orchestrator.store import keys
from orchestrator.store.connection import connect
from orchestrator.store.lanes import LeaseLost
from orchestrator.store.leases import LeaseStore
from orchestrator.store.nodes import LOOK_SECONDS, MOST_LOOKS, NodeStore

SID = mint_sid("CF")


@pytest.fixture
def nodes(client: redis.Redis) -> NodeStore:
    return NodeStore(client)


def test_a_node_is_unknown_when_its_listener_falls_silent(nodes: NodeStore, client: redis.Redis) -> None:
    """What it said last ends by itself."""
    nodes.save_node("fs1", connected="1")

    assert nodes.load_node("fs1") == {"connected": "1"}
    assert nodes.load_node("fs2") == {}
    assert 0 < client.ttl(keys.node("fs1")) <= keys.NODE_SECONDS


def test_a_node_has_been_away_for_as_long_as_its_listener_says(nodes: NodeStore) -> None:
    """One that is there has not, whatever was said before."""
    assert nodes.load_away_seconds("fs1") == 0
    nodes.save_node("fs1", connected="0", away_seconds="4.5")
    assert nodes.load_away_seconds("fs1") == 4.5
    nodes.save_node("fs1", connected="1")

    assert nodes.load_away_seconds("fs1") == 0


def test_a_conference_is_looked_at_again_in_a_moment(nodes: NodeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not at once, for whoever has changed it is still at it; once; and by the listener of its node."""
    nodes.look_again("fs1", SID)
    nodes.look_again("fs1", SID)
    assert nodes.take_looks("fs1") == []
    later = time.time() + LOOK_SECONDS
    monkeypatch.setattr("orchestrator.store.nodes.time.time", lambda: later)

    assert nodes.take_looks("fs2") == []
    assert nodes.take_looks("fs1") == [SID]
    assert nodes.take_looks("fs1") == []


def test_many_looks_are_taken_in_turns(nodes: NodeStore, client: redis.Redis) -> None:
    """A listener that was away does not stop for them."""
    client.zadd(keys.looks("fs1"), {f"CF{number}": number for number in range(MOST_LOOKS + 1)})

    assert len(nodes.take_looks("fs1")) == MOST_LOOKS
    assert nodes.take_looks("fs1") == [f"CF{MOST_LOOKS}"]


def test_a_listener_that_has_lost_its_node_neither_speaks_of_it_nor_takes_its_looks(
    nodes: NodeStore, client: redis.Redis
) -> None:
    """It was frozen after it had looked at its lease: what it sees is old, and what it takes it would not do. Both are
    counted."""
    leases = LeaseStore(client)
    first = leases.take("fs1", "one")
    assert first is not None
    nodes.save_node("fs1", first.epoch, connected="1", listener="one")
    leases.release(first)
    second = leases.take("fs1", "two")
    assert second is not None
    nodes.save_node("fs1", second.epoch, connected="1", listener="two")
    client.zadd(keys.looks("fs1"), {SID: 1})

    with pytest.raises(LeaseLost):
        nodes.save_node("fs1", first.epoch, connected="0", listener="one")
    with pytest.raises(LeaseLost):
        nodes.take_looks("fs1", first.epoch)
    assert nodes.load_node("fs1") == {"connected": "1", "listener": "two"}
    assert nodes.load_refused() == {"fs1": 2}
    assert nodes.take_looks("fs1", second.epoch) == [SID]


def test_with_redis_away_asking_is_unavailable() -> None:
    """503, not a crash."""
    away = NodeStore(connect("redis://127.0.0.1:1/0"))
    for act in (lambda: away.look_again("fs1", SID), lambda: away.take_looks("fs1")):
        with pytest.raises(Unavailable):
            act()
