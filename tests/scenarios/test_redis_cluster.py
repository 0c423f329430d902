"""Redis Cluster keeps the state, another Redis RQ's wake-ups: conferences live in it, also when a primary dies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from twilio.base.exceptions import TwilioRestException

from orchestrator.children import free_port
from orchestrator.embedded_redis import EmbeddedRedis
from orchestrator.store import keys
from tests.conftest import make_switch
from tests.harness.polling import eventually
from tests.harness.redis_cluster import REDIS_CLI, RedisCluster
from tests.harness.room import Room
from tests.harness.stack import Stack

ROOMS = 6
"""Their SIDs are chance: six of them are hardly ever in the slots of one primary."""

pytestmark = pytest.mark.skipif(REDIS_CLI is None, reason="redis-cli is not here")


@pytest.fixture
def clustered(switch_name: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    directory = tmp_path_factory.mktemp(switch_name)
    stack = Stack(make_switch(switch_name, directory / "switch"), directory / "stack", workers=2)
    stack.redis = RedisCluster(directory / "cluster")
    stack.queue_redis = EmbeddedRedis(directory / "queue", free_port())
    with stack:
        yield stack


def fill(stack: Stack, number: int) -> Room:
    room = Room(stack, f"clustered {number}")
    for digit, label in enumerate(("anna", "bert", "carl"), 1):
        room.add(label, digit)
    return room


def end(room: Room) -> None:
    """As an app does: again after a 503."""

    def is_asked() -> bool:
        try:
            room.end()
        except TwilioRestException as error:
            return bool(error.status == 404)
        return True

    eventually(is_asked, "the end is taken", seconds=30)


def life_of(stack: Stack, room: Room) -> list[str]:
    """What was told of it, without who spoke when."""
    stack.receiver.await_kind(room.conference_sid, "conference-end", seconds=60)
    return [kind for kind in stack.receiver.kinds(room.conference_sid) if "speech" not in kind]


LIFE: list[str] = [
    *("participant-join", "participant-join", "conference-start", "participant-join", "participant-mute"),
    *("participant-leave", "participant-leave", "participant-leave", "conference-end"),
]


def test_conferences_live_in_a_cluster(clustered: Stack) -> None:
    """Whole lanes, in order, wherever their slots are; and nothing is left of a name."""
    rooms = [fill(clustered, number) for number in range(ROOMS)]
    for room in rooms:
        room.update("bert", muted=True)
        room.await_event("participant-mute")
    listed = clustered.client().conferences.list(status="in-progress")
    for room in rooms:
        end(room)

    assert {one.sid for one in listed} == {room.conference_sid for room in rooms}
    assert [life_of(clustered, room) for room in rooms] == [LIFE] * ROOMS
    assert clustered.client().conferences.list(status="in-progress") == []


def test_a_primary_of_the_cluster_dies(clustered: Stack) -> None:
    """Its replica goes on: what was told is not told otherwise, and what comes then is told."""
    rooms = [fill(clustered, number) for number in range(ROOMS)]
    for room in rooms:
        room.await_event("participant-join", 3)
    cluster: Any = clustered.redis
    cluster.kill_9(keys.conference(rooms[0].conference_sid))

    def is_muted(room: Room) -> bool:
        try:
            return bool(room.update("bert", muted=True).muted)
        except TwilioRestException as error:
            if error.status != 503:
                raise
            return False

    for room in rooms:
        eventually(lambda room=room: is_muted(room), "the mute is taken", seconds=30)  # type: ignore[misc]
        room.await_event("participant-mute")
        end(room)

    assert [life_of(clustered, room) for room in rooms] == [LIFE] * ROOMS
