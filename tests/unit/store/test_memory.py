"""A Redis whose memory is used up: creates are refused before it is, and what exists can be read, changed and ended."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis

from orchestrator.domain.conference import ConferenceStatus, ParticipantStatus
from orchestrator.domain.events import CallEnded, MemberRemoved
from orchestrator.embedded_redis import EmbeddedRedis
from orchestrator.errors import StoreFull
from orchestrator.limits import DEFAULTS
from orchestrator.sids import mint_sid
from orchestrator.store import memory
from orchestrator.store.connection import connect
from orchestrator.store.memory import Memory
from orchestrator.store.quotas import Admission, QuotaStore
from tests.unit.listener.test_committer import NOW, World
from tests.unit.records import ACCOUNT, create

Fill = Callable[[float], None]


@pytest.fixture
def client(own_redis: EmbeddedRedis) -> Iterator[redis.Redis]:
    connected = connect(own_redis.start())
    yield connected
    connected.close()


@pytest.fixture
def fill(client: Any, monkeypatch: pytest.MonkeyPatch) -> Fill:
    """Lets Redis use this share of its memory; 1: all of it."""
    monkeypatch.setattr(memory, "READ_SECONDS", 0)

    def limit(share: float) -> None:
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", int(client.info("memory")["used_memory"] / min(share, 0.99)))
        if share >= 1:
            with contextlib.suppress(redis.OutOfMemoryError):
                for number in range(1_000_000):
                    client.set(f"junk:{number}", "x" * 100_000)
            with contextlib.suppress(redis.OutOfMemoryError):
                for number in range(1_000_000):
                    client.set(f"dust:{number}", "x")

    return limit


def admission() -> Admission:
    return Admission(ACCOUNT, mint_sid("CF"), mint_sid("CA"), 100, int(time.time() * 1000))


def test_creates_are_refused_while_there_is_a_reserve(client: redis.Redis, fill: Fill) -> None:
    """503 from nine tenths on; below that, and without any limit, they go on."""
    quotas = QuotaStore(client)
    for share, is_refused in ((0.5, False), (0.97, True)):
        fill(share)
        with (
            pytest.raises(StoreFull) if is_refused else contextlib.nullcontext(),
            quotas.admitted(admission(), DEFAULTS),
        ):
            pass
    client.config_set("maxmemory", 0)
    with quotas.admitted(admission(), DEFAULTS):
        pass
    assert Memory(client).policy() == ""


def test_a_full_store_can_be_read_and_what_lives_be_ended(client: redis.Redis, fill: Fill) -> None:
    """No memory at all: reads; a mute, a removal and an end are written down; the events of the end are committed, with
    their callbacks; and creates say why they are refused."""
    world = World(client)
    one, two = world.create(label="one"), world.create(label="two")
    world.join(one)
    world.join(two, 2)
    fill(1)
    with pytest.raises(redis.OutOfMemoryError):
        client.set("anything", "more")
    with pytest.raises(StoreFull):
        create(world.store, "another")

    sid = one.conference_sid
    assert {p.label for p in world.store.list_participants(ACCOUNT, sid)} == {"one", "two"}
    assert world.store.request_muted(ACCOUNT, sid, "one", True)[0].muted_as_asked
    assert world.store.request_removal(ACCOUNT, sid, "one").removal_requested
    world.store.request_end(ACCOUNT, sid)
    for participant in (one, two):
        world.apply(participant, MemberRemoved(NOW), CallEnded(NOW, "NORMAL_CLEARING"))

    assert world.load(one).status is ParticipantStatus.COMPLETE
    assert world.store.load_conference(ACCOUNT, sid).status is ConferenceStatus.COMPLETED
    assert world.kinds(sid)[-1] == "conference-end"
    assert world.store.find_name(ACCOUNT, "weekly") is None
