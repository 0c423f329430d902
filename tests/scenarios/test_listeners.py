"""Several listeners: one of them follows the node, another takes over, and whoever comes back too late does nothing."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from orchestrator.sids import channel_uuid_of
from orchestrator.store.connection import connect
from orchestrator.store.nodes import NodeStore
from tests.conftest import make_switch
from tests.harness.cables import cables_to_nodes
from tests.harness.freeswitch import FarEnd
from tests.harness.leases import owner_of
from tests.harness.polling import eventually
from tests.harness.sentinel import Guarded
from tests.harness.stack import Process, RealSwitch, Stack

TAKEN_OVER_SECONDS = 5.0
"""On an idle machine 3 s; here others are at work."""

CUT_OFF_SECONDS = 12.0
"""On an idle machine 7 s: until the node counts as away, until it is given up, and a try that was under way."""

FAILED_OVER_SECONDS = 15.0
SHARED_SECONDS = 20.0


@pytest.fixture
def pair(switch_name: str, tmp_path: Path) -> Iterator[Stack]:
    """A service with two listeners."""
    running = Stack(make_switch(switch_name, tmp_path / "switch"), tmp_path, listeners=2)
    with running:
        yield running


@pytest.fixture
def guarded(switch_name: str, tmp_path: Path) -> Iterator[Stack]:
    """A service with two listeners whose Redis has a replica and a Sentinel."""
    running = Stack(make_switch(switch_name, tmp_path / "switch"), tmp_path, listeners=2)
    running.redis = Guarded(tmp_path / "guarded")
    with running:
        yield running


@pytest.fixture
def two_nodes(switch_name: str, tmp_path: Path) -> Iterator[Stack]:
    """A service with one listener and two nodes, whose calls go to the same phones."""
    switch, other = (make_switch(switch_name, tmp_path / name) for name in ("switch", "other"))
    if isinstance(switch, RealSwitch) and isinstance(other, RealSwitch):
        other.far_end = switch.far_end
    with Stack(switch, tmp_path, other=other) as running:
        yield running


def follower(stack: Stack) -> Process | None:
    """The listener that follows the node."""
    owner = owner_of(connect(stack.environment["REDIS_URL"]), "fs1")
    return next((one for one in stack.listeners if f":{one.pid}:" in owner), None)


def assert_told_once(stack: Stack, sid: str, people: list[Any]) -> None:
    """One join and one leave for everybody, in order; the end is last."""
    received = stack.receiver.of(sid)
    assert [int(one.parameters["SequenceNumber"]) for one in received] == list(range(1, len(received) + 1))
    for kind in ("participant-join", "participant-leave"):
        assert Counter(one.parameters["CallSid"] for one in received if one.kind == kind) == Counter(
            one.call_sid for one in people
        ), kind
    assert received[-1].kind == "conference-end"


def test_a_listener_is_frozen_and_another_is_killed(pair: Stack) -> None:
    """Each time the other has the node within seconds, and tells what happened meanwhile. The frozen one comes back to
    the events that it had not read, and changes nothing: one join and one leave for everybody, in order."""
    stack = pair
    participants = stack.client().conferences("two listeners").participants
    people = [participants.create(to=FarEnd.ANSWERS, label=f"p{i}", **stack.call_settings()) for i in range(4)]
    sid = people[0].conference_sid
    stack.receiver.await_kind(sid, "participant-join", 4)
    frozen = follower(stack)
    assert frozen is not None
    other = next(one for one in stack.listeners if one is not frozen)
    frozen.freeze()
    stack.switch.api(f"uuid_kill {channel_uuid_of(people[0].call_sid)}")
    stack.receiver.await_kind(sid, "participant-leave", 1, TAKEN_OVER_SECONDS)
    assert follower(stack) is other
    stack.switch.api(f"uuid_kill {channel_uuid_of(people[1].call_sid)}")
    stack.receiver.await_kind(sid, "participant-leave", 2)
    frozen.thaw()
    eventually(lambda: '"lease_lost"' in frozen.log(), "it learns that the node is another's")

    other.kill_9()
    stack.switch.api(f"uuid_kill {channel_uuid_of(people[2].call_sid)}")
    stack.receiver.await_kind(sid, "participant-leave", 3, TAKEN_OVER_SECONDS)
    stack.client().conferences(sid).update(status="completed")
    stack.receiver.await_kind(sid, "conference-end")

    assert_told_once(stack, sid, people)


def test_a_listener_is_cut_off_from_the_node(pair: Stack) -> None:
    """It lives, and Redis hears of it, but it does not reach the node: another does, and has it within seconds. People
    talk on, and nobody is told that they have left. Whoever was cut off writes nothing when the way is whole again."""
    stack = pair
    cables = {listener.name: cables_to_nodes(stack, listener) for listener in stack.listeners}
    participants = stack.client().conferences("cut off").participants
    people = [participants.create(to=FarEnd.ANSWERS, label=f"p{i}", **stack.call_settings()) for i in range(2)]
    sid = people[0].conference_sid
    stack.receiver.await_kind(sid, "participant-join", 2)
    lonely = eventually(lambda: follower(stack), "it is followed")
    assert lonely is not None
    other = next(one for one in stack.listeners if one is not lonely)
    (cable,) = cables[lonely.name]
    cable.cut()
    stack.switch.api(f"uuid_kill {channel_uuid_of(people[0].call_sid)}")
    stack.receiver.await_kind(sid, "participant-leave", 1, CUT_OFF_SECONDS)
    assert follower(stack) is other
    people.append(participants.create(to=FarEnd.ANSWERS, label="late", **stack.call_settings()))
    stack.receiver.await_kind(sid, "participant-join", 3)
    cable.mend()
    stack.switch.api(f"uuid_kill {channel_uuid_of(people[1].call_sid)}")
    stack.receiver.await_kind(sid, "participant-leave", 2)
    stack.client().conferences(sid).update(status="completed")
    stack.receiver.await_kind(sid, "conference-end")

    assert_told_once(stack, sid, people)
    assert follower(stack) is other
    assert not NodeStore(connect(stack.environment["REDIS_URL"])).load_refused()


def test_a_listener_that_is_added_takes_its_share_while_people_come_and_go(two_nodes: Stack) -> None:
    """It has one of the two nodes within seconds, and nobody notices: a join and a leave for everybody, in order."""
    stack, store = two_nodes, connect(two_nodes.environment["REDIS_URL"])
    is_over = threading.Event()

    def come_and_go(number: int) -> list[list[Any]]:
        client, held = stack.client(), []
        while not is_over.is_set():
            participants = client.conferences(f"room {number}").participants
            people = [participants.create(to=FarEnd.ANSWERS, **stack.call_settings()) for _ in range(2)]
            held.append(people)
            stack.receiver.await_kind(people[0].conference_sid, "participant-join", 2)
            client.conferences(people[0].conference_sid).update(status="completed")
        return held

    def owners() -> set[str]:
        return {owner_of(store, node) for node in ("fs1", "fs2")}

    with ThreadPoolExecutor(4) as pool:
        rooms = [pool.submit(come_and_go, number) for number in range(4)]
        try:
            assert len(owners()) == 1
            added = stack.add_listener()
            eventually(lambda: any(f":{added.pid}:" in owner for owner in owners()), "it has its share", SHARED_SECONDS)
            before = len(stack.receiver.received)
            eventually(lambda: len(stack.receiver.received) > before + 50, "people come and go", 60)
        finally:
            is_over.set()
    for people in (people for room in rooms for people in room.result()):
        sid = people[0].conference_sid
        stack.receiver.await_kind(sid, "conference-end")
        assert_told_once(stack, sid, people)
    assert len(owners()) == 2


@pytest.mark.parametrize("how", ["killed", "silent"])
def test_the_primary_of_redis_dies(guarded: Stack, how: str) -> None:
    """Its replica takes over, and everybody finds it: what the switch did meanwhile is told, and people are called.
    Also if nobody says so: a host that has lost its power closes no connection."""
    stack = guarded
    assert isinstance(stack.redis, Guarded)
    participants = stack.client().conferences("failover").participants
    people = [participants.create(to=FarEnd.ANSWERS, label=f"p{i}", **stack.call_settings()) for i in range(3)]
    sid = people[0].conference_sid
    stack.receiver.await_kind(sid, "participant-join", 3)
    if how == "killed":
        stack.redis.kill_9()
    else:
        stack.redis.freeze()
    stack.switch.api(f"uuid_kill {channel_uuid_of(people[0].call_sid)}")
    stack.receiver.await_kind(sid, "participant-leave", 1, FAILED_OVER_SECONDS)
    late = participants.create(to=FarEnd.ANSWERS, label="late", **stack.call_settings())
    stack.receiver.await_kind(sid, "participant-join", 4)
    stack.client().conferences(sid).update(status="completed")
    stack.receiver.await_kind(sid, "conference-end")

    assert_told_once(stack, sid, [*people, late])
