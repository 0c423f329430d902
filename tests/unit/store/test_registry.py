"""Which nodes there are: FREESWITCH_NODES, and what operators have said since."""

from __future__ import annotations

from dataclasses import replace

import pytest
import redis

from orchestrator.store import registry as registry_module
from orchestrator.store.registry import NodeRegistry, NodeRow

ONE = NodeRow("fs1", "10.0.0.1", 8021)
TWO = NodeRow("fs2", "10.0.0.2", 8021)


@pytest.fixture(autouse=True)
def read_always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry_module, "READ_SECONDS", 0.0)


def test_the_setting_is_the_start(client: redis.Redis) -> None:
    assert NodeRegistry(client, [TWO, ONE]).list_nodes() == [ONE, TWO]


def test_what_one_process_writes_all_see(client: redis.Redis) -> None:
    """A node that is added, one that is cordoned, one that is removed though the setting names it."""
    writing, reading = NodeRegistry(client, [ONE]), NodeRegistry(client, [ONE])
    added = replace(TWO, group="eu")
    writing.save(added)
    writing.save(replace(ONE, state="cordoned"))
    assert reading.list_nodes() == [replace(ONE, state="cordoned"), added]
    writing.remove(ONE)
    assert reading.list_nodes() == [added]
    writing.remove(added)
    assert reading.list_nodes() == []
    writing.save(ONE)

    assert reading.list_nodes() == [ONE], "it is added again"


def test_a_node_that_only_another_process_names_is_removed_for_it_too(client: redis.Redis) -> None:
    """Operators type where FREESWITCH_NODES may be empty; whoever follows the node must not take it up again."""
    NodeRegistry(client, []).save(TWO)
    reading = NodeRegistry(client, [ONE, TWO])
    NodeRegistry(client, []).remove(TWO)

    assert reading.list_nodes() == [ONE]


def test_a_change_is_made_of_what_others_have_just_written(client: redis.Redis) -> None:
    """Two operators at once: who cordons a node does not undo that it is lost, nor that it is gone."""
    ours, others = NodeRegistry(client, [ONE]), NodeRegistry(client, [ONE])
    seen: list[str] = []

    def change(row: NodeRow) -> NodeRow:
        if not seen:
            others.save(replace(ONE, state="lost"))
        seen.append(row.state)
        return row if row.state == "lost" else replace(row, state="cordoned")

    assert ours.change("fs1", change) == replace(ONE, state="lost")
    assert seen == ["active", "lost"]
    others.remove(ONE)
    assert ours.change("fs1", change) is None
    assert ours.change("fs2", change) is None
    assert ours.list_nodes() == []


def test_an_address_that_the_setting_has_may_change_there(client: redis.Redis) -> None:
    """What an operator has said of the node otherwise stays."""
    NodeRegistry(client, [ONE]).save(replace(ONE, state="cordoned"))
    moved = replace(ONE, port=9021)

    assert NodeRegistry(client, [moved]).list_nodes() == [replace(moved, state="cordoned")]


def test_a_region_is_mapped_to_a_group_of_nodes(client: redis.Redis) -> None:
    """And no longer; also to '', any node."""
    writing, reading = NodeRegistry(client, []), NodeRegistry(client, [])
    assert reading.list_regions() == {}
    writing.map_region("de1", "eu")
    writing.map_region("us1", "")
    assert reading.list_regions() == {"de1": "eu", "us1": ""}
    writing.map_region("de1", None)

    assert reading.list_regions() == {"us1": ""}


def test_while_redis_is_away_the_nodes_are_those_of_before(client: redis.Redis) -> None:
    """Connections to them go on."""
    registry = NodeRegistry(client, [ONE])
    registry.save(TWO)
    assert registry.list_nodes() == [ONE, TWO]
    registry._redis = redis.Redis(port=1)

    assert registry.list_nodes() == [ONE, TWO]
    assert NodeRegistry(redis.Redis(port=1), [ONE]).list_nodes() == [ONE]
