"""On which node a new conference goes."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
import redis

from orchestrator.freeswitch.capacity import Capacity
from orchestrator.freeswitch.client import NodeUnavailable
from orchestrator.services.placement import Candidate, Placement, least_loaded
from orchestrator.store import registry as registry_module
from orchestrator.store.accounts import AccountStore
from orchestrator.store.conferences import ConferenceStore
from orchestrator.store.nodes import NodeStore, note_waiting
from orchestrator.store.quotas import QuotaStore, Room
from orchestrator.store.registry import NodeRegistry, NodeRow
from tests.unit.api.test_app import GOOD, Api, api
from tests.unit.fake_esl import settled
from tests.unit.records import ACCOUNT, NODE

__all__ = ["api"]  # a fixture


def said(sessions: int, most: int = 1_000, idle: int = 90) -> Capacity:
    return Capacity(sessions, most, 30, time.monotonic(), idle)


class Connected:
    """Nodes that are connected, with what each has said last."""

    def __init__(self, **nodes: Capacity | None) -> None:
        self.nodes = nodes

    def connected_names(self) -> list[str]:
        return list(self.nodes)

    def get(self, name: str) -> Any:
        return type("Node", (), {"capacity": self.nodes[name]})


def placement(client: redis.Redis, nodes: Connected, rows: Sequence[NodeRow] = ()) -> Placement:
    registry = NodeRegistry(client, rows or [NodeRow(name, "127.0.0.1", 1) for name in nodes.nodes])
    return Placement(nodes, registry, NodeStore(client))  # type: ignore[arg-type]  # what it asks of Nodes


@pytest.mark.parametrize(
    ("others", "chosen"),
    [
        ({"b": said(11)}, "a"),
        ({"b": said(9)}, "b"),
        ({"b": said(9, most=100)}, "a"),
        ({"b": said(9, idle=20)}, "a"),
        ({"b": said(9, idle=60)}, "b"),
        ({"a": said(10, idle=3), "b": said(9, idle=1)}, "b"),
        ({"b": None}, "a"),
    ],
    ids=[
        "sessions",
        "fewer",
        "of its limit",
        "a busy host",
        "a host that is a little busy",
        "two busy hosts",
        "nothing said yet",
    ],
)
def test_the_least_loaded_is_chosen(others: dict[str, Capacity | None], chosen: str) -> None:
    """By what is used up first. `a` has 10 of 1,000 sessions."""
    candidates = [Candidate(name, capacity) for name, capacity in {"a": said(10), **others}.items()]

    assert least_loaded(candidates).name == chosen


def test_calls_that_do_not_show_yet_count(client: redis.Redis) -> None:
    """Whoever has asked for them: so nodes fill evenly between two looks at them."""
    nodes = Connected(a=said(0), b=said(3), c=said(0))
    placed: Counter[str] = Counter()
    for number in range(30):
        name = placement(client, nodes).choose()
        QuotaStore(client).reserve_session(name, f"CA{number:032x}", Room(900, 1_000, 1_000))
        placed[name] += 1

    assert placed == {"a": 11, "b": 8, "c": 11}


def test_calls_that_wait_for_their_turn_count_too(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each new conference goes where it stays, however late its first call is dialled: of an account that dials one a
    second (as each does unless an operator says otherwise) twenty in a row spread evenly over two idle nodes."""
    monkeypatch.setattr(registry_module, "READ_SECONDS", 0.0)
    AccountStore(api.redis).save_limits(ACCOUNT, {"calls_per_second": 1})
    NodeRegistry(api.redis, ()).save(NodeRow("fs2", "127.0.0.1", api.switch.port))
    settled(lambda: set(api.nodes.connected_names()) == {NODE, "fs2"}, "both nodes are connected")
    for name in (NODE, "fs2"):
        api.nodes.get(name).capacity = said(0)
    asked = [
        api.request("POST", f"/Conferences/room{number}/Participants.json", data=GOOD).get_json()
        for number in range(20)
    ]
    waits = [int(one["queue_time"]) > 0 for one in asked]
    homes = Counter(ConferenceStore(api.redis).load_conference(ACCOUNT, one["conference_sid"]).node for one in asked)

    assert waits == [False] + [True] * 19
    assert set(homes.values()) <= {9, 10, 11}
    assert homes.total() == 20


def test_a_call_whose_turn_has_come_waits_no_more(client: redis.Redis) -> None:
    """Also if whoever was to dial it is dead: what waits is never more than what was asked for of late."""
    nodes = Connected(a=said(0), b=said(3))
    long_ago = int(time.time() * 1000) - 60_000
    for waits_ms in (59_000, 120_000):
        pipe = client.pipeline()
        for number in range(10):
            note_waiting(pipe, "a", f"CA{waits_ms + number:032x}", long_ago, waits_ms)
        pipe.execute()
        chosen = placement(client, nodes).choose()
        assert chosen == ("a" if waits_ms == 59_000 else "b")


def test_a_full_one_is_passed_over_unless_all_are(client: redis.Redis) -> None:
    """Then the create is refused where it is counted."""
    full = said(980)
    assert placement(client, Connected(a=full, b=said(990, most=2_000))).choose() == "b"
    assert placement(client, Connected(a=full, b=said(985))).choose() == "a"


def test_what_is_away_or_cordoned_or_of_another_group_is_not_chosen(client: redis.Redis) -> None:
    """Who is kept to a group is told if it has no node."""
    rows = [
        NodeRow("busy", "127.0.0.1", 1, "eu"),
        NodeRow("cordoned", "127.0.0.1", 1, "eu", "cordoned"),
        NodeRow("away", "127.0.0.1", 1, "eu"),
        NodeRow("us", "127.0.0.1", 1, "us"),
    ]
    made = placement(client, Connected(busy=said(900), cordoned=said(0), us=said(1)), rows)

    assert (made.choose("eu"), made.choose(), made.choose("us")) == ("busy", "us", "us")
    with pytest.raises(NodeUnavailable, match="group asia"):
        made.choose("asia")


def test_the_way_of_choosing_is_one_argument(client: redis.Redis) -> None:
    """Another takes its place without a change of anything else."""
    nodes = Connected(a=said(0), b=said(3))
    registry = NodeRegistry(client, [NodeRow(name, "127.0.0.1", 1) for name in nodes.nodes])

    def fullest(candidates: Sequence[Candidate]) -> Candidate:
        return max(candidates, key=lambda one: one.load)

    assert Placement(nodes, registry, NodeStore(client), fullest).choose() == "b"  # type: ignore[arg-type]  # as above


def test_a_node_that_its_listener_does_not_reach_gets_no_new_conference(client: redis.Redis) -> None:
    """We reach it; but whoever talks there is told as lost. Unless there is no other."""
    place = placement(client, Connected(a=said(1), b=said(500)))
    store = NodeStore(client)
    store.save_node("a", connected="0")
    store.save_node("b", connected="1")
    assert place.choose() == "b"
    store.save_node("b", connected="0")

    assert place.choose() == "a"
