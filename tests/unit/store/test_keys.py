"""Every key that the code writes is in the schema, has the type it says, and has an end or an owner."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from typing import Any

import pytest
import redis

from orchestrator.callbacks.drain import Drainer
from orchestrator.callbacks.wakeups import Wakeups, make_queue
from orchestrator.domain.events import CallEnded, CallRang, MemberRemoved, ParticipantMuted
from orchestrator.store import keys
from orchestrator.store.accounts import Account, AccountStore
from orchestrator.store.nodes import NodeStore
from orchestrator.store.outbox import Lane, OutboxStore, Tried
from tests.unit.callbacks.bench import make_drainer
from tests.unit.callbacks.web import TOKEN, Answer, Web
from tests.unit.lanes import port_of
from tests.unit.records import ACCOUNT, EVENTS, PROGRESS
from tests.unit.test_applier import NOW, World

_PARTS = {
    r"\{AC\}": r"\{AC[0-9a-f]{32}\}",
    r"\{CF\}": r"\{CF[0-9a-f]{32}\}",
    r"\{CA\}": r"\{CA[0-9a-f]{32}\}",
    ":token": ":[0-9a-f-]{36}",
    r"\{name\}": r"\{[A-Za-z0-9_-]{1,32}\}",
    ":participant:CA": ":participant:CA[0-9a-f]{32}",
    ":lane": ":(?:conference|CA[0-9a-f]{32})",
}


def _pattern(key: keys.Key) -> re.Pattern[str]:
    text = re.escape(key.pattern)
    for plain, shape in _PARTS.items():
        if plain != ":lane" or key.pattern.startswith("outbox:"):
            text = text.replace(plain, shape)
    return re.compile(text)


PATTERNS = [(_pattern(key), key) for key in keys.KEYS]
BY_TTL = {
    "conference:{CF}:participant:CA",
    "conference:{CF}:callbacks",
    "account:{AC}:callbacks",
    "account:{AC}:dead",
    "conference:{CF}",
    "callback:{CF}:token",
    "call:{CA}",
    "node:{name}",
}
"""Rows whose lifetime is a TTL, at the latest when what they tell of is over; the other rows name an owner."""


RQS = ("rq:", "callbacks:ready", "callbacks:woken")


def _row(name: str) -> keys.Key:
    found = [key for pattern, key in PATTERNS if pattern.fullmatch(name)]
    assert len(found) == 1, f"{name} is in {len(found)} rows of KEYS"
    return found[0]


def _check(client: Any, seen: set[str]) -> None:
    for name in client.scan_iter():
        if name.startswith(RQS):
            continue  # RQ's Redis, which may be another one
        row = _row(name)
        assert client.type(name) == row.type, name
        seen.add(row.pattern)


def _drain_all(client: redis.Redis, drainer: Drainer) -> None:
    outbox = OutboxStore(client)
    outbox.save_forgotten(0)
    for lane in outbox.list_due(int(time.time() * 1000) + 100_000, 100):
        drainer.drain(lane)


@pytest.fixture
def web() -> Any:
    made = Web()
    made.start()
    yield made
    made.stop()


def test_a_full_life_writes_only_what_the_schema_says_and_leaves_only_what_ends(client: redis.Redis, web: Web) -> None:
    """Create, ring, join, mute, a retry, a refusal, leave, end, deliver: after every step each key is a row of KEYS; at
    the end what is left has a TTL or is one that belongs to somebody who stays."""
    seen: set[str] = set()
    world = World(client)
    AccountStore(client).save_account(Account(ACCOUNT, TOKEN, "active"))
    NodeStore(client).save_node("fs1", connected="1")
    wakeups = Wakeups(make_queue(redis.Redis.from_url(f"redis://127.0.0.1:{port_of(client)}/0")))
    drainer = make_drainer(client, wakeups)
    settings: dict[str, Any] = {
        "progress_callbacks": replace(PROGRESS, url=web.url()),
        "conference_callbacks": replace(EVENTS, url=web.url()),
    }
    one, two = world.create(label="host", **settings), world.create(**settings)
    _check(client, seen)
    world.apply(one, CallRang(NOW))
    world.join(one)
    world.join(two, 2)
    world.apply(one, ParticipantMuted(NOW))
    _check(client, seen)
    # A lane that is being delivered, and one that waits for another try.
    lanes = (Lane(one.conference_sid, "conference"), Lane(one.conference_sid, one.call_sid))
    outbox = OutboxStore(client)
    for lane in lanes:
        assert outbox.load_head(lane, "me", 0).verdict == "ok"
    outbox.save_retry(lanes[1], "me", Tried(outbox.load_head(lanes[1], "me", 0).token), 1)
    _check(client, seen)
    outbox.release(lanes[0], "me")
    web.answer = lambda _: Answer(500)
    drainer.drain(lanes[0])
    _check(client, seen)
    client.delete(keys.retry(one.conference_sid, "conference"))
    refused = len(web.asked) + 1
    web.answer = lambda _: Answer(404 if len(web.asked) == refused else 200)
    for participant in (one, two):
        world.apply(participant, MemberRemoved(NOW), CallEnded(NOW, "NORMAL_CLEARING"))
    _drain_all(client, drainer)
    _drain_all(client, drainer)
    _check(client, seen)

    assert seen == {key.pattern for key in keys.KEYS}, "the life has written every row"
    OutboxStore(client).list_due(2**50, 100)  # the sweep's last look
    OutboxStore(client).save_forgotten(int(time.time() * 1000))
    left = {name: client.ttl(name) for name in client.scan_iter() if not str(name).startswith(RQS)}
    stays = {
        "accounts", keys.account(ACCOUNT), keys.account_conferences(ACCOUNT), keys.DROPPED,
    }  # fmt: skip
    assert {name for name, ttl in left.items() if ttl == -1} == stays
    assert {_row(name).pattern for name, ttl in left.items() if ttl >= 0} == BY_TTL
    assert client.hlen(keys.DROPPED) == 1


@pytest.mark.parametrize("key", keys.KEYS, ids=lambda key: key.pattern)
def test_every_row_says_how_its_keys_end(key: keys.Key) -> None:
    """A TTL, or somebody who removes it; and all keys of a conference carry its hash tag."""
    assert key.lifetime
    assert key.holds
    assert key.type in {"set", "hash", "zset", "list", "string"}
    assert key.pattern.count("{") <= 1
