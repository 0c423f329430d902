"""How listeners share nodes: all of them, each by one, evenly, whoever comes and goes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import chain

import gevent
import pytest
import redis
from gevent.event import Event
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import Unavailable
from orchestrator.freeswitch.addresses import NodeAddress
from orchestrator.listener import share as share_module
from orchestrator.listener.share import Share, share_of
from orchestrator.store import keys
from orchestrator.store import leases as leases_module
from orchestrator.store.leases import Lease, LeaseStore
from tests.unit.fake_esl import settled

NODES = [NodeAddress(f"fs{number}", "127.0.0.1", 8021) for number in range(5)]


class Follower:
    """Does nothing but that; and takes its time to end."""

    def __init__(self, address: NodeAddress, lease: Lease) -> None:
        self.address = address
        self.lease = lease
        self.stopped = Event()
        self.may_end = Event()
        self.may_end.set()
        self.defect: Exception | None = None
        self.is_lost = False
        self.unreached: set[str] = set()

    def run(self) -> None:
        self.stopped.wait()
        self.may_end.wait()
        if self.defect is not None:
            raise self.defect

    def stop(self) -> None:
        self.stopped.set()

    def lose(self) -> None:
        self.is_lost = True

    def is_cut_off(self) -> bool:
        return self.address.name in self.unreached


class Process:
    """A listener process, which may be frozen, or find Redis away."""

    def __init__(self, client: redis.Redis, name: str, nodes: list[NodeAddress]) -> None:
        self.followers: list[Follower] = []
        self.lost: set[str] = set()
        self.unreached: set[str] = set()
        self.is_frozen = self.is_away = False
        self.share = Share(LeaseStore(client), lambda: nodes, self.lost.__contains__, self._make, name)
        self._once = self.share.once
        self.share.once = self._once_unless_frozen  # type: ignore[method-assign]
        self.running = gevent.spawn(self.share.run)

    def _make(self, address: NodeAddress, lease: Lease) -> Follower:
        self.followers.append(Follower(address, lease))
        self.followers[-1].unreached = self.unreached
        return self.followers[-1]

    def _once_unless_frozen(self) -> bool:
        if self.is_away:
            raise Unavailable("away")
        return False if self.is_frozen else self._once()

    @property
    def nodes(self) -> set[str]:
        """What it follows now."""
        return {one.address.name for one in self.followers if not one.stopped.is_set()}


Start = Callable[[str], Process]


@pytest.fixture
def nodes() -> list[NodeAddress]:
    return list(NODES)


@pytest.fixture
def start(client: redis.Redis, nodes: list[NodeAddress]) -> Iterator[Start]:
    made: list[Process] = []

    def new(name: str) -> Process:
        made.append(Process(client, name, nodes))
        return made[-1]

    yield new
    for process in made:
        process.share.stop()
        process.running.join(timeout=3)


def spread(*processes: Process) -> list[int]:
    """How many each follows, if every node is followed by one of them."""
    followed = sorted(chain.from_iterable(process.nodes for process in processes))
    assert followed == [address.name for address in NODES], followed
    return sorted(len(process.nodes) for process in processes)


@given(st.integers(0, 40), st.integers(1, 12))
def test_shares_are_even_and_are_all_together(nodes: int, listeners: int) -> None:
    names = [f"host:{number}" for number in range(listeners)]
    shares = [share_of(nodes, names, name) for name in names]

    assert sum(shares) == nodes
    assert max(shares) - min(shares) <= 1


def test_one_follows_all_until_others_come(start: Start) -> None:
    """Each further one takes its share; nobody follows what another follows."""
    one = start("one")
    settled(lambda: spread(one) == [5], "it has all")
    two = start("two")
    settled(lambda: spread(one, two) == [2, 3], "two share them")
    three = start("three")

    settled(lambda: spread(one, two, three) == [1, 2, 2], "three share them")


def test_a_node_is_handed_over_when_its_last_event_is_committed(start: Start, client: redis.Redis) -> None:
    """Not before, and then at once: it waits for no lease to run out."""
    one = start("one")
    settled(lambda: len(one.nodes) == 5, "it has all")
    for follower in one.followers:
        follower.may_end.clear()
    two = start("two")
    settled(lambda: len(one.nodes) == 3, "it ends two")
    gevent.sleep(2 * share_module.LOOK_SECONDS)  # nothing may happen: there is nothing to wait for
    assert two.nodes == set()
    began_at = time.monotonic()
    for follower in one.followers:
        follower.may_end.set()

    settled(lambda: len(two.nodes) == 2, "two has them")
    assert time.monotonic() - began_at < leases_module.LEASE_MS / 1000 / 2
    assert not client.exists(keys.COMMITS_REFUSED)


def test_whoever_stops_gives_its_nodes_back_at_once(start: Start) -> None:
    """SIGTERM: the other does not wait for a lease to run out."""
    one, two = start("one"), start("two")
    settled(lambda: spread(one, two) == [2, 3], "they share them")
    began_at = time.monotonic()
    one.share.stop()

    settled(lambda: spread(two) == [5], "two has all")
    assert time.monotonic() - began_at < leases_module.LEASE_MS / 1000 / 2
    one.running.get(timeout=2)


def test_a_frozen_one_loses_its_nodes_within_three_seconds(start: Start) -> None:
    """And takes its share again when it is back: what it had followed it follows no longer."""
    one, two = start("one"), start("two")
    settled(lambda: spread(one, two) == [2, 3], "they share them")
    before = list(one.followers)
    one.is_frozen = True
    began_at = time.monotonic()
    settled(lambda: len(two.nodes) == 5, "two has all")
    assert time.monotonic() - began_at < 3.0
    one.is_frozen = False

    settled(lambda: all(follower.stopped.is_set() for follower in before), "what it had is lost")
    settled(lambda: spread(one, two) == [2, 3], "they share them again")


def test_nodes_come_and_go(start: Start, nodes: list[NodeAddress]) -> None:
    """Without a restart."""
    gone = nodes.pop()
    one = start("one")
    settled(lambda: len(one.nodes) == 4, "it has all")
    nodes.append(gone)
    settled(lambda: spread(one) == [5], "it has the new one, too")
    nodes.remove(gone)

    settled(lambda: gone.name not in one.nodes, "it follows it no longer")


def test_whoever_follows_a_node_learns_that_it_is_given_up(start: Start) -> None:
    """By an operator; the others go on."""
    one = start("one")
    settled(lambda: len(one.nodes) == 5, "it has all")
    one.lost.add("fs3")
    settled(lambda: any(follower.is_lost for follower in one.followers), "it is told")

    assert [follower.address.name for follower in one.followers if follower.is_lost] == ["fs3"]


def test_a_defect_ends_the_process(start: Start) -> None:
    """Its supervisor starts a new one; nothing goes on half."""
    one = start("one")
    settled(lambda: len(one.nodes) == 5, "it has all")
    one.followers[0].defect = ZeroDivisionError()
    one.followers[0].stop()

    with pytest.raises(ZeroDivisionError):
        one.running.get(timeout=3)


def test_whoever_had_a_node_while_redis_was_away_keeps_it(start: Start, client: redis.Redis) -> None:
    """Its events have been read, and are not dropped because another came back to Redis a moment earlier."""
    one, two = start("one"), start("two")
    settled(lambda: spread(one, two) == [2, 3], "they share them")
    one.is_away = two.is_away = True
    gevent.sleep(2 * share_module.LOOK_SECONDS)
    for address in NODES:  # all leases have run out, and all listeners count as dead
        client.hset(keys.node_lease(address.name), "until_ms", "1")
    client.delete(keys.LISTENERS)
    before = one.nodes
    two.is_away = False
    settled(lambda: client.zscore(keys.LISTENERS, "two"), "two is back")
    gevent.sleep(0.2)  # nothing may happen: there is nothing to wait for
    one.is_away = False
    settled(lambda: client.zscore(keys.LISTENERS, "one"), "one is back")

    assert spread(one, two) == [2, 3]
    assert one.nodes == before


def test_a_node_that_its_listener_does_not_reach_is_another_s(start: Start) -> None:
    """Who keeps it, and gives one of its others for it if that is too many."""
    one, two = start("one"), start("two")
    settled(lambda: spread(one, two) == [2, 3], "they share them")
    cut = min(one.nodes)
    one.unreached.add(cut)
    settled(lambda: cut in two.nodes and len(one.nodes) == 3 and spread(one, two) == [2, 3], "the other has it")
    before = one.nodes, two.nodes
    gevent.sleep(3 * share_module.LOOK_SECONDS)  # nothing may happen: there is nothing to wait for

    assert (one.nodes, two.nodes) == before


def test_whoever_reaches_no_node_tries_no_more_than_its_share(start: Start) -> None:
    """Others share them all; nodes that are followed well are not taken from them in turn."""
    one, two, three = start("one"), start("two"), start("three")
    settled(lambda: spread(one, two, three) == [1, 2, 2], "they share them")
    tried = len(one.nodes)
    one.unreached.update(address.name for address in NODES)
    before = len(one.followers)
    settled(lambda: not one.nodes and spread(two, three) == [2, 3], "the others have them")
    gevent.sleep(3 * share_module.LOOK_SECONDS)  # nothing may happen: there is nothing to wait for

    assert len(one.followers) == before, f"it has tried {tried} nodes, and others after them"
    assert spread(two, three) == [2, 3]


def test_whoever_has_failed_takes_a_node_that_is_nobody_s_else(start: Start) -> None:
    """The one that followed it is dead: a node that comes back is not left alone until somebody may try again."""
    one, two = start("one"), start("two")
    settled(lambda: spread(one, two) == [2, 3], "they share them")
    cut = min(one.nodes)
    one.unreached.add(cut)
    settled(lambda: cut in two.nodes, "the other has it")
    two.share.stop()

    settled(lambda: spread(one) == [5], "it has all")


def test_a_node_that_nobody_reaches_goes_round_once(start: Start) -> None:
    """Each has tried it then, and the last one goes on trying; should they all try anew, it goes round again."""
    processes = [start(name) for name in ("one", "two", "three")]
    settled(lambda: spread(*processes) == [1, 2, 2], "they share them")
    for process in processes:
        process.unreached.add("fs3")

    def tries() -> int:
        return sum(one.address.name == "fs3" for process in processes for one in process.followers)

    before = tries()
    settled(lambda: tries() == before + 2, "the others have tried")
    gevent.sleep(3 * share_module.LOOK_SECONDS)  # nothing may happen: there is nothing to wait for

    assert tries() == before + 2
    assert sorted(chain.from_iterable(process.nodes for process in processes)) == [address.name for address in NODES]


def test_a_node_is_left_for_some_time_only(start: Start, client: redis.Redis) -> None:
    """Then nodes are spread evenly again, and whoever was cut off tries anew."""
    one = start("one")
    settled(lambda: len(one.nodes) == 5, "it has all")
    one.unreached.update(address.name for address in NODES)
    settled(lambda: client.zcard(keys.CUT_OFF) == 5, "it says so")
    assert len(one.nodes) == 5, "nobody else could try"
    two = start("two")
    settled(lambda: spread(two) == [5] and not one.nodes, "another can")
    one.unreached.clear()
    client.delete(keys.CUT_OFF)

    settled(lambda: spread(one, two) == [2, 3], "they share them")
