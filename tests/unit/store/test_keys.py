"""Every key that the code writes is in the schema, has the type it says, and has an end or an owner."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from typing import Any

import pytest
import redis

from orchestrator.domain.conference import CallbackSettings, Participant, RecordingSettings
from orchestrator.domain.events import CallEnded, CallRang, MemberRemoved, ParticipantMuted, ParticipantUnmuted
from orchestrator.domain.recording_events import DeleteRequested, Processed, SourceEnded
from orchestrator.jobs.wakeups import CALLBACKS, Wakeups, make_queue
from orchestrator.lanes.engine import Engine
from orchestrator.limits import DEFAULTS
from orchestrator.recordings.beginning import of_call
from orchestrator.reporter import Reporter
from orchestrator.sids import mint_sid
from orchestrator.store import keys, schema
from orchestrator.store.accounts import Account, AccountStore
from orchestrator.store.audit import AuditStore, Deed
from orchestrator.store.dials import DialStore
from orchestrator.store.lanes import Lane, LaneStore, LeaseLost
from orchestrator.store.leases import LeaseStore
from orchestrator.store.media import MediaStore
from orchestrator.store.nodes import NodeStore, note_waiting
from orchestrator.store.outbox import OutboxStore, Tried
from orchestrator.store.playback import PlaybackStore
from orchestrator.store.processes import ProcessStore
from orchestrator.store.quotas import Admission, QuotaStore, Room
from orchestrator.store.recordings import RecordingStore, lane_of
from orchestrator.store.registry import NodeRegistry, NodeRow
from tests.unit.callbacks.bench import make_drainer, make_engine
from tests.unit.callbacks.web import TOKEN, Answer, Web
from tests.unit.listener.test_committer import NOW, World
from tests.unit.outbox import port_of
from tests.unit.recorder import make_recorder
from tests.unit.records import ACCOUNT, EVENTS, NODE, PROGRESS

_PARTS = {
    r"\{AC\}": r"\{AC[0-9a-f]{32}\}",
    r"\{CF\}": r"\{CF[0-9a-f]{32}\}",
    r"\{CA\}": r"\{CA[0-9a-f]{32}\}",
    r"\{RE\}": r"\{RE[0-9a-f]{32}\}",
    r"\{SID\}": r"\{(?:AC|CA|CF)[0-9a-f]{32}\}",
    ":recording:RE": ":recording:RE[0-9a-f]{32}",
    ":token": ":[0-9a-f-]{36}",
    ":clip:ID": ":clip:[0-9a-f]{32}",
    ":note:AC:HASH": ":note:AC[0-9a-f]{32}:[0-9a-f]{64}",
    ":account:AC": ":account:AC[0-9a-f]{32}",
    "KIND": "(?:callbacks|dialling|playback|recordings)",
    r"\{name\}": r"\{[A-Za-z0-9_-]{1,32}\}",
    r"\{host:pid:random\}": r"\{[A-Za-z0-9._-]+:\d+:[0-9a-f]{4}\}",
    ":participant:CA": ":participant:CA[0-9a-f]{32}",
    ":lane": ":(?:conference|(?:CA|RE)[0-9a-f]{32})",
}


def _pattern(key: schema.Key) -> re.Pattern[str]:
    text = re.escape(key.pattern)
    for plain, shape in _PARTS.items():
        if plain != ":lane" or key.pattern.startswith(("outbox:", "playback:", "lane:")):
            text = text.replace(plain, shape)
    return re.compile(text)


PATTERNS = [(_pattern(key), key) for key in schema.KEYS]
BY_TTL = {
    "conference:{CF}:participant:CA",
    "conference:{CF}:callbacks",
    "account:{AC}:callbacks",
    "account:{AC}:dead",
    "conference:{CF}",
    "callback:{CF}:token",
    "call:{CA}",
    "node:{name}",
    "node:{name}:looks",
    "node:{name}:detector",
    "listeners",
    "listeners:cut_off",
    "node:{name}:dialled",
    "node:{name}:waiting",
    "process:{host:pid:random}",
    "account:{AC}:kept",
    "account:{AC}:tallies",
    "playback:{CF}:lane",
    "playback:{CF}:lane:announcements",
    "lane:{SID}:KIND:lane",
    "conference:{CF}:recording:RE",
    "recording:{RE}",
    "media:{media}:clip:ID",
    "media:{media}:note:AC:HASH",
}
"""Rows whose lifetime is a TTL, at the latest when what they tell of is over; the other rows name an owner."""


FOR_SECONDS = {
    "process:{host:pid:random}",
    "listeners",
    "node:{name}",
    "node:{name}:detector",
    "node:{name}:dialled",
    "lane:{SID}:KIND:lane",
}
"""Those of them that a slow machine may not see any more at the end."""

RQS = ("rq:", "callbacks:ready", "callbacks:woken", "playback:ready", "playback:woken")


def _row(name: str) -> schema.Key:
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


def _drain_all(client: redis.Redis, engine: Engine) -> None:
    outbox = OutboxStore(client)
    outbox.save_forgotten(0)
    for lane in outbox.list_due(int(time.time() * 1000) + 100_000, 100):
        engine.run(lane)


def _sound(client: redis.Redis, lane: Lane) -> None:
    """A lane that is looked at, plays something, and has an announcement waiting."""
    sounds = PlaybackStore(client)
    for _ in range(2):
        sounds.add_announcement(lane, "https://app.example/a", "POST")
    sounds.take(lane, "me", 0, "0123456789abcdef")
    sounds.save(lane, "me", "state", taken=1)


def _operate(client: redis.Redis) -> None:
    """What processes say of themselves, and operators did."""
    Reporter(ProcessStore(client), "work").once()
    AuditStore(client).add(Deed.now("127.0.0.1", "mute", "CA", "muted"))


def _media(client: redis.Redis, seen: set[str]) -> None:
    """A clip and a note, and a clip that had to make room; beside them calls that wait."""
    _wait(client, seen)
    media = MediaStore(client, 4 * 2 * 1_224)
    media.save(bytes(200), ACCOUNT)
    media.save(bytes(200), ACCOUNT)
    media.save_note(ACCOUNT, "0" * 64, b"{}")


def _count(client: redis.Redis, participant: Participant) -> None:
    """What the API does around a create."""
    quotas = QuotaStore(client)
    with quotas.admitted(Admission(ACCOUNT, participant.conference_sid, participant.call_sid, 100, 0), DEFAULTS):
        assert quotas.reserve_session("fs1", participant.call_sid, Room(free_sessions=9, age_ms=1, per_second=9))


def _wait(client: redis.Redis, seen: set[str]) -> None:
    """One call a second, and a few of them: the others wait for their slot, and are dialled at it."""
    dials = DialStore(client)
    for _ in range(5):
        dials.reserve(ACCOUNT, mint_sid("CF"), mint_sid("CA"), "sealed", 1)
    pipe = client.pipeline()
    note_waiting(pipe, NODE, mint_sid("CA"), int(time.time() * 1000), 1_000)
    pipe.execute()
    dials.save_next(ACCOUNT, time.time() * 1000)
    _check(client, seen)
    while (waiting := dials.head(ACCOUNT)) is not None:
        assert dials.claim(waiting)[0] == 1
        _check(client, seen)
        dials.finish(waiting, None)


def _record(client: redis.Redis, participant: Participant, url: str) -> None:
    """A recording from its start to its end, told of, and deleted."""
    recorder, store = make_recorder(client), RecordingStore(client)
    recording = of_call(participant, RecordingSettings(callbacks=CallbackSettings(url, events=("completed",))))
    lane = lane_of(recording)
    recorder.begin(recording, lambda _: "+OK")
    for event in (SourceEnded(NOW, is_closed=True), Processed(NOW, 1000, ((".wav", 16_044),))):
        recorder.apply(lane, event, lambda _: "+OK")
    assert store.kept_bytes(ACCOUNT) == 16_044


def _delete(client: redis.Redis, participant: Participant) -> None:
    store = RecordingStore(client)
    (recording,) = store.list_of(participant.call_sid)
    make_recorder(client).apply(lane_of(recording), DeleteRequested(NOW), lambda _: "+OK")
    LaneStore(client, "recordings").release(lane_of(recording), "me", None)
    assert store.kept_bytes(ACCOUNT) == 0


def _attend(client: redis.Redis, participant: Participant) -> None:
    """A listener that shall look at a conference, and does not reach its node."""
    NodeStore(client).look_again("fs1", participant.conference_sid)
    LeaseStore(client).attend("test")
    LeaseStore(client).note_cut_off("fs1", "test")


def _fence(world: World, participant: Participant) -> None:
    """A commit of a listener whose lease is another's by now."""
    first = world.lease()
    world.committer = world.new_committer(lease=first)
    second = world.lease()
    world.new_committer(lease=second).fence()
    first.trusted_until = float("inf")
    with pytest.raises(LeaseLost):
        world.apply(participant, ParticipantUnmuted(NOW))
    world.committer = world.new_committer(lease=second)


@pytest.fixture
def web() -> Any:
    made = Web()
    made.start()
    yield made
    made.stop()


def _speak_of_nodes(registry: NodeRegistry) -> None:
    """What an operator says of them."""
    registry.save(NodeRow("fs2", "127.0.0.1", 8021, state="cordoned"))
    registry.map_region("ie1", "dublin")


def test_a_full_life_writes_only_what_the_schema_says_and_leaves_only_what_ends(client: redis.Redis, web: Web) -> None:
    """Create, ring, join, mute, a retry, a refusal, leave, end, deliver: after every step each key is a row of KEYS; at
    the end what is left has a TTL or is one that belongs to somebody who stays."""
    seen: set[str] = set()
    world = World(client)
    AccountStore(client).save_account(Account(ACCOUNT, TOKEN, "active"))
    NodeStore(client).save_node("fs1", connected="1")
    _operate(client)
    NodeStore(client).save_detector("fs1", calls="0")
    _speak_of_nodes(NodeRegistry(client, ()))
    wakeups = Wakeups(make_queue(CALLBACKS, redis.Redis.from_url(f"redis://127.0.0.1:{port_of(client)}/0")), CALLBACKS)
    engine = make_engine(make_drainer(client), wakeups)
    settings: dict[str, Any] = {
        "progress_callbacks": replace(PROGRESS, url=web.url()),
        "conference_callbacks": replace(EVENTS, url=web.url()),
    }
    one, two = world.create(label="host", **settings), world.create(**settings)
    for participant in (one, two):
        _count(client, participant)
    _check(client, seen)
    world.apply(one, CallRang(NOW))
    world.join(one)
    world.join(two, 2)
    world.apply(one, ParticipantMuted(NOW))
    _sound(client, Lane(one.conference_sid, one.call_sid))
    _record(client, one, web.url())
    _check(client, seen)
    # A lane that is being delivered, and one that waits for another try.
    lanes = (Lane(one.conference_sid, "conference"), Lane(one.conference_sid, one.call_sid))
    outbox = OutboxStore(client)
    for lane in lanes:
        assert outbox.load_head(lane, "me", 0).verdict == "ok"
    outbox.save_retry(lanes[1], "me", Tried(outbox.load_head(lanes[1], "me", 0).token), 1)
    _check(client, seen)
    outbox.release(lanes[0], "me", None)
    web.answer = lambda _: Answer(500)
    engine.run(lanes[0])
    _check(client, seen)
    client.delete(keys.retry(one.conference_sid, "conference"))
    refused = len(web.asked) + 1
    web.answer = lambda _: Answer(404 if len(web.asked) == refused else 200)
    _fence(world, one)
    for participant in (one, two):
        world.apply(participant, MemberRemoved(NOW), CallEnded(NOW, "NORMAL_CLEARING"))
    _drain_all(client, engine)
    _drain_all(client, engine)
    _check(client, seen)
    _delete(client, one)
    _media(client, seen)
    _attend(client, one)
    _check(client, seen)

    assert seen == {key.pattern for key in schema.KEYS}, "the life has written every row"
    OutboxStore(client).list_due(2**50, 100)  # the sweep's last look
    OutboxStore(client).save_forgotten(int(time.time() * 1000))
    left = {name: client.ttl(name) for name in client.scan_iter() if not str(name).startswith(RQS)}
    stays = {
        "accounts", keys.PROCESSES, keys.AUDIT, keys.account(ACCOUNT), keys.account_conferences(ACCOUNT), keys.DROPPED,
        keys.COMMITS_REFUSED, keys.NODES, keys.REGIONS, keys.node_lease(NODE), keys.node_conferences(NODE),
        keys.lanes_due("playback"), keys.MEDIA_ENDS, keys.MEDIA_OWNERS, keys.MEDIA_BYTES, keys.MEDIA_DROPPED,
        f"{keys.MEDIA}account:{ACCOUNT}", keys.account_recording_bytes(ACCOUNT),
        *(keys.recordings_of(sid) for sid in (ACCOUNT, one.call_sid)),
    }  # fmt: skip
    assert {name for name, ttl in left.items() if ttl == -1} == stays
    assert {_row(name).pattern for name, ttl in left.items() if ttl >= 0} | FOR_SECONDS == BY_TTL
    assert client.hlen(keys.DROPPED) == 1


@pytest.mark.parametrize("key", schema.KEYS, ids=lambda key: key.pattern)
def test_every_row_says_how_its_keys_end(key: schema.Key) -> None:
    """A TTL, or somebody who removes it; and all keys of a conference carry its hash tag."""
    assert key.lifetime
    assert key.holds
    assert key.type in {"set", "hash", "zset", "list", "string"}
    assert key.pattern.count("{") <= 1
