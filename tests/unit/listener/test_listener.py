"""The listener on a scripted event socket and a real Redis: what it misses, it makes up; what it drops, it says."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import gevent
import pytest
import redis
from structlog.testing import capture_logs

from orchestrator.domain.conference import Participant, ParticipantStatus
from orchestrator.freeswitch.addresses import NodeAddress
from orchestrator.freeswitch.client import NodeUnavailable
from orchestrator.freeswitch.commands import KillChannel
from orchestrator.freeswitch.snapshot import RawSnapshot, Snapshot
from orchestrator.freeswitch.whisper import Whisper
from orchestrator.listener import listener as listener_module
from orchestrator.listener.batch import parse_event, read_batch
from orchestrator.listener.committer import Committer
from orchestrator.listener.listener import Listener
from orchestrator.sids import mint_sid
from orchestrator.store import keys
from orchestrator.store.commits import CommitStore
from orchestrator.store.nodes import NodeStore
from tests.unit.fake_esl import PASSWORD, FakeEsl, Peer, answer, event, reply, settled
from tests.unit.freeswitch.test_capacity import STATUS
from tests.unit.listener.test_committer import World
from tests.unit.recorder import make_recorder
from tests.unit.records import NODE

Start = Callable[..., FakeEsl]


class Switch:
    """What the scripted switch holds; every connection is told the same."""

    def __init__(self) -> None:
        self.channels: list[dict[str, str]] = []
        self.conferences: list[dict[str, Any]] = []
        self.heard: list[str] = []
        self.peers: list[Peer] = []
        self.marked: set[str] = set()
        self.hangs = False
        self.hangs_at = ""
        self.slow_seconds = 0.0
        self.server: FakeEsl

    def script(self, peer: Peer) -> None:
        self._hang(peer)
        peer.welcome()
        while True:
            command = peer.hear()
            self.heard.append(command)
            self.hangs |= command == self.hangs_at
            self._hang(peer)
            if command.startswith("event json"):
                peer.say(reply("+OK event listener enabled json"))
                self.peers.append(peer)
            elif command == "api show channels as json":
                gevent.sleep(self.slow_seconds)
                peer.say(answer(json.dumps({"row_count": len(self.channels), "rows": self.channels})))
            elif command == "api conference json_list":
                peer.say(answer(json.dumps(self.conferences)))
            elif command == "api status":
                peer.say(answer(STATUS))
            elif command.startswith("api show channels like"):
                peer.say(answer('{"row_count":0}'))
            elif command.endswith(" json_list"):
                mine = [each for each in self.conferences if each["conference_name"] == command.split()[2]]
                members = [member for each in mine for member in each["members"]]
                found = json.dumps([{"conference_name": command.split()[2], "members": members}])
                peer.say(answer(found if mine else "-ERR Conference not found\n"))
            elif command.startswith("api uuid_getvar"):
                peer.say(answer("orchestrator-coach" if command.split()[2] in self.marked else "_undef_"))
            elif command.startswith("api originate {origination_uuid="):
                peer.say(answer("+OK " + command.partition("=")[2].partition(",")[0]))
            elif command.startswith("api uuid_exists"):
                known = {row["uuid"] for row in self.channels}
                peer.say(answer("true" if command.split()[-1] in known else "false"))
            else:
                peer.say(answer("+OK\n"))

    def _hang(self, peer: Peer) -> None:
        while self.hangs:
            peer.hear()

    def holds(self, participant: Participant, member_id: int, muted: bool = False) -> None:
        uuid = participant.switch.channel_uuid
        self.channels.append({"uuid": uuid, "direction": "outbound", "callstate": "ACTIVE", "name": "sofia/internal/x"})
        member = {"type": "caller", "id": member_id, "uuid": uuid, "flags": {"can_speak": not muted, "can_hear": True}}
        self.conferences.append({"conference_name": participant.conference_sid, "members": [member]})

    def fire(self, participant: Participant, name: str, action: str = "", **headers: str) -> None:
        uuid, sid = participant.switch.channel_uuid, participant.conference_sid
        body = {
            "Event-Name": name,
            "Event-Date-Timestamp": str(int(datetime.now(UTC).timestamp() * 1e6)),
            "Unique-ID": uuid,
            "Call-Direction": "outbound",
            "variable_orchestrator_conference_sid": sid,
        }
        if action:
            body |= {"Action": action, "Conference-Name": sid}
        self.peers[-1].say(event({**body, **headers}))

    def snapshots(self) -> int:
        return self.heard.count("api conference json_list")


@pytest.fixture
def switch() -> Switch:
    return Switch()


@pytest.fixture
def world(client: redis.Redis) -> World:
    return World(client, sleep=gevent.sleep)


@pytest.fixture
def follow(fake_esl: Start, switch: Switch, world: World) -> Iterator[Callable[[], Listener]]:
    """Starts a listener on the scripted switch."""
    running: list[tuple[Listener, Any]] = []
    server = switch.server = fake_esl(switch.script)

    def start(committer: Committer | None = None) -> Listener:
        address = NodeAddress(NODE, "127.0.0.1", server.port)
        make: Any = lambda _, send: committer or world.new_committer(send)  # noqa: E731 -- one expression
        made = Listener(
            address,
            PASSWORD,
            make,
            world.sounds.extend,
            make_recorder(world.client),
            NodeStore(world.client),
            "test",
            world.lease(),
        )
        running.append((made, gevent.spawn(made.run)))
        settled(lambda: switch.snapshots() >= 1, "the first snapshot")
        return made

    yield start
    for made, greenlet in running:
        made.stop()
        greenlet.join(timeout=3)


def test_events_become_state_and_callbacks(switch: Switch, world: World, follow: Callable[[], Listener]) -> None:
    """From the socket to Redis, in order."""
    one = world.create()
    follow()
    for name in ("CHANNEL_CREATE", "CHANNEL_PROGRESS", "CHANNEL_ANSWER"):
        switch.fire(one, name)
    switch.fire(one, "CUSTOM", "add-member", **{"Member-ID": "7", "Speak": "true"})
    settled(lambda: world.load(one).status is ParticipantStatus.CONNECTED, "it has joined")

    assert world.kinds(one.conference_sid, one.call_sid) == ["initiated", "ringing", "answered"]
    assert world.kinds(one.conference_sid) == ["participant-join"]


def test_what_happened_before_the_listener_came_is_made_up(
    switch: Switch, world: World, follow: Callable[[], Listener]
) -> None:
    """The subscription comes first, then the snapshot, so there is no gap between them; and who has become a member
    meanwhile hears what there is to hear: nothing, before the start."""
    one = world.create()
    switch.holds(one, 7)
    follow()
    settled(lambda: world.load(one).status is ParticipantStatus.CONNECTED, "the join is made up")

    subscribed = next(i for i, command in enumerate(switch.heard) if command.startswith("event json"))
    assert subscribed < switch.heard.index("api show channels as json")
    settled(lambda: f"api conference {one.conference_sid} deaf 7" in switch.heard, "it is deaf")


def test_what_was_missed_while_the_connection_was_away_is_made_up(
    switch: Switch, world: World, follow: Callable[[], Listener]
) -> None:
    """One join from an event, a drop, the end of it unseen: exactly one leave, one `completed`."""
    follow()
    one = world.create()
    switch.fire(one, "CHANNEL_CREATE")
    switch.fire(one, "CHANNEL_ANSWER")
    switch.fire(one, "CUSTOM", "add-member", **{"Member-ID": "7", "Speak": "true"})
    settled(lambda: world.load(one).is_present, "it has joined")
    switch.peers[-1].close()
    settled(lambda: world.load(one).ended_at is not None, "its end is made up")

    assert world.kinds(one.conference_sid) == ["participant-join", "participant-leave", "conference-end"]
    assert world.kinds(one.conference_sid, one.call_sid)[-1] == "completed"


def test_a_call_that_ended_unseen_is_found_whatever_is_looked_at_in_between(
    world: World, follow: Callable[[], Listener], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was too young for the first snapshot, and a refused order led to another: the second look comes all the
    same, and not at the next audit."""
    monkeypatch.setattr("orchestrator.freeswitch.snapshot.DIAL_GRACE", timedelta(seconds=0.4))
    monkeypatch.setattr(listener_module, "SECOND_LOOK_SECONDS", 0.5)
    one = world.create()
    follow()._resync.set()
    settled(lambda: world.load(one).ended_at is not None, "its end is made up")

    assert world.kinds(one.conference_sid, one.call_sid)[-1] == "completed"


def test_an_unknown_leg_with_our_variable_is_killed(
    switch: Switch, world: World, follow: Callable[[], Listener]
) -> None:
    """The order reaches the switch."""
    one = world.create()
    world.client.delete(*world.client.keys("conference:*"))  # its record is lost
    follow()
    switch.fire(one, "CHANNEL_CREATE")

    settled(lambda: f"api uuid_kill {one.switch.channel_uuid}" in switch.heard, "the leg is ended")


def test_unreadable_events_are_said_and_skipped(switch: Switch, world: World, follow: Callable[[], Listener]) -> None:
    """No JSON, no timestamp, no member id: each costs itself and nothing else."""
    one = world.create()
    follow()
    peer = switch.peers[-1]
    with capture_logs() as logs:
        peer.say(b"Content-Length: 3\nContent-Type: text/event-json\n\n{x}")
        peer.say(b"Content-Length: 2\nContent-Type: text/event-json\n\n[]")
        peer.say(b"Content-Length: 4\nContent-Type: text/event-json\n\nnull")
        switch.fire(one, "CHANNEL_ANSWER", **{"Event-Date-Timestamp": "x"})
        switch.fire(one, "CUSTOM", "add-member", **{"Member-ID": "x"})
        switch.fire(one, "CHANNEL_CREATE")
        settled(lambda: world.load(one).status is ParticipantStatus.CONNECTING, "the good one is applied")

    assert [row["event"] for row in logs].count("event_unreadable") == 5


def test_an_event_with_bytes_that_are_no_utf8_counts(world: World) -> None:
    """A far end's display name may hold anything."""
    body = b'{"Event-Name":"CHANNEL_CREATE","Caller-Caller-ID-Name":"\xff\xfe"}'

    assert parse_event(body)["Event-Name"] == "CHANNEL_CREATE"


def test_a_batch_ends_at_a_snapshot() -> None:
    """What it says holds for that moment: events behind it belong to the next batch."""
    batch = read_batch([RawSnapshot(datetime.now(UTC), '{"row_count":0}', "[]")])

    assert (batch.events, batch.sounds) == ([], [])
    assert isinstance(batch.last, Snapshot)


def test_a_full_queue_says_so_and_resynchronises(
    switch: Switch, world: World, follow: Callable[..., Listener], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While Redis is away events are dropped beyond a bound, which is said once; as soon as there is room a snapshot
    makes up for them. And a node is not asked for snapshots as fast as it can give them meanwhile."""
    monkeypatch.setattr(listener_module, "QUEUE_LENGTH", 3)
    gate, blocked = gevent.event.Event(), gevent.event.Event()
    made = [world.create(f"name {number}") for number in range(20)]

    class Gated(CommitStore):
        def commit(self, changes: Any, epoch: int | None = None) -> Any:
            blocked.set()
            gate.wait()
            return super().commit(changes, epoch)

    committer = Committer(
        Gated(world.client),
        make_recorder(world.client),
        world.committer._serialize,
        world.woken.extend,
        world.sounds.extend,
        gevent.sleep,
        world.send,
    )
    with capture_logs() as logs:
        listener = follow(committer)
        for number, participant in enumerate(made, 1):
            switch.holds(participant, number)
            switch.fire(participant, "CHANNEL_CREATE")
            blocked.wait(5)
        settled(lambda: listener._dropped > 0, "events are dropped")
        before = switch.snapshots()
        gevent.sleep(0.5)  # what is measured is a rate: there is nothing to wait for
        asked = switch.snapshots() - before
        gate.set()
        settled(lambda: all(world.load(p).is_present for p in made), "everything is made up")

    assert "events_dropped" in [row["event"] for row in logs]
    assert [row["event"] for row in logs].count("events_dropped") <= 3
    assert asked <= 10, f"{asked} snapshots in half a second"


def test_operators_see_that_a_node_is_followed(switch: Switch, world: World, follow: Callable[[], Listener]) -> None:
    """The node's hash, with its end."""
    follow()
    seen = settled(lambda: NodeStore(world.client).load_node(NODE), "the node's hash")

    assert seen["connected"] == "1"
    assert seen["listener"] == "test"


def test_a_node_that_hangs_is_away_within_three_seconds(
    switch: Switch, world: World, follow: Callable[[], Listener]
) -> None:
    """It keeps its socket, and answers nothing. Operators see it, and how loaded it was before; and others may try."""
    listener = follow()
    seen = settled(lambda: NodeStore(world.client).load_node(NODE), "the node's hash")
    assert {"sessions": "4", "most_sessions": "100", "idle_percent": "99"}.items() <= seen.items()
    switch.hangs = True
    hung_at = time.monotonic()
    settled(lambda: NodeStore(world.client).load_node(NODE).get("connected") == "0", "it is away")

    assert time.monotonic() - hung_at < 3.0
    settled(listener.is_cut_off, "another may be let in")
    settled(lambda: NodeStore(world.client).load_away_seconds(NODE) > 1, "who would know for how long it is away")


@pytest.mark.parametrize("command", ["api show channels as json", "api conference json_list"])
def test_a_node_that_hangs_while_it_is_asked_what_it_holds_is_away_within_three_seconds(
    switch: Switch, world: World, follow: Callable[[], Listener], command: str
) -> None:
    """However long a large node may take for that answer: it lets others in all the while."""
    listener = follow()
    settled(lambda: NodeStore(world.client).load_node(NODE), "the node's hash")
    switch.hangs_at = command
    listener._resync.set()
    settled(lambda: switch.hangs, "it hangs")
    hung_at = time.monotonic()
    settled(lambda: NodeStore(world.client).load_node(NODE).get("connected") == "0", "it is away")

    assert time.monotonic() - hung_at < 3.0
    assert "lets nobody in" in NodeStore(world.client).load_node(NODE)["problem"]


def test_a_node_may_take_its_time_for_what_it_holds(
    switch: Switch, world: World, follow: Callable[[], Listener], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As long as it lets others in, its connection stays."""
    monkeypatch.setattr("orchestrator.freeswitch.snapshot.KNOCK_SECONDS", 0.1)
    one = world.create()
    listener = follow()
    switch.slow_seconds = 0.5
    switch.holds(one, 1)
    listener._resync.set()
    settled(lambda: world.load(one).is_present, "it is made up")

    assert len(switch.peers) == 1


def test_a_node_that_is_gone_loses_its_calls_and_its_names_are_free(
    switch: Switch, world: World, follow: Callable[[], Listener], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not come back: one leave for each join, the end, and somebody may be called elsewhere."""
    monkeypatch.setattr("orchestrator.listener.absence.DOWN_SECONDS", 0.3)
    one, ringing = world.create("name"), world.create("name")
    switch.holds(one, 1)
    switch.channels.append({"uuid": ringing.switch.channel_uuid, "direction": "outbound", "callstate": "RINGING",
                            "name": "sofia/internal/x"})  # fmt: skip
    follow()
    settled(lambda: world.load(one).is_present and world.load(ringing).status is ParticipantStatus.RINGING, "known")
    switch.server.stop()
    settled(lambda: world.load(ringing).ended_at is not None, "its calls have ended")

    assert sorted(world.kinds(one.conference_sid)) == [
        "conference-end", "participant-join", "participant-leave", "participant-leave"
    ]  # fmt: skip
    assert world.kinds(one.conference_sid)[-1] == "conference-end"
    assert world.store.find_name(one.account_sid, "name") is None


def test_a_node_that_refuses_us_loses_nothing(
    switch: Switch, world: World, follow: Callable[[], Listener], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its password was changed before ours: people talk there all the while, and nobody is told that they have left."""
    monkeypatch.setattr("orchestrator.listener.absence.SILENT_SECONDS", 0.2)
    one = world.create("name")
    switch.holds(one, 1)
    follow()
    settled(lambda: world.load(one).is_present, "it has joined")
    tries = 0

    def refuse(peer: Peer) -> None:
        nonlocal tries
        tries += 1
        peer.say("Content-Type: auth/request\n\n")
        peer.hear()
        peer.say(reply("-ERR invalid"))

    switch.server.script = refuse
    switch.server.peers[-1].close()
    settled(lambda: tries >= 5, "it was tried again, for longer than a node may be silent")

    assert world.load(one).is_present
    assert "refuses" in NodeStore(world.client).load_node(NODE)["problem"]


def test_a_node_that_is_away_for_a_moment_loses_nothing(
    switch: Switch, world: World, follow: Callable[[], Listener]
) -> None:
    """Its connections broke, and for a second it could not be reached."""
    one = world.create("name")
    switch.holds(one, 1)
    follow()
    settled(lambda: world.load(one).is_present, "it has joined")
    switch.server.stop()
    gevent.sleep(1.0)  # nothing may happen: there is nothing to wait for
    looks = switch.snapshots()
    switch.server.start()
    settled(lambda: switch.snapshots() > looks, "it is back")

    assert world.load(one).is_present
    assert world.kinds(one.conference_sid) == ["participant-join"]


def test_stopping_finishes_what_was_read(switch: Switch, world: World, fake_esl: Start) -> None:
    """SIGTERM: nothing that has come is thrown away."""
    one = world.create()
    server = fake_esl(switch.script)
    address = NodeAddress(NODE, "127.0.0.1", server.port)
    listener = Listener(
        address,
        PASSWORD,
        lambda _, send: world.new_committer(send),
        world.sounds.extend,
        make_recorder(world.client),
        NodeStore(world.client),
        "x",
        world.lease(),
    )
    running = gevent.spawn(listener.run)
    settled(lambda: switch.peers and switch.snapshots(), "it follows")
    switch.fire(one, "CHANNEL_CREATE")
    settled(lambda: listener._queue.qsize() or world.load(one).status is ParticipantStatus.CONNECTING, "it is read")
    listener.stop()
    running.get(timeout=5)

    assert world.load(one).status is ParticipantStatus.CONNECTING


def test_who_has_lost_the_node_tells_the_switch_nothing_and_ends(
    switch: Switch, world: World, follow: Callable[[], Listener]
) -> None:
    """What it had read is dropped: whoever has the node now learns it from the switch."""
    one = world.create()
    listener = follow()
    settled(lambda: NodeStore(world.client).load_node(NODE), "it follows")
    world.client.delete(keys.node(NODE))
    world.lease()
    listener._lease.trusted_until = 0.0
    with capture_logs() as logs:
        world.client.delete(*world.client.keys("conference:*"))  # a leg that is a stray by now: it would be ended
        switch.fire(one, "CHANNEL_CREATE")
        settled(lambda: listener._socket is None, "it ends")

    assert f"api uuid_kill {one.switch.channel_uuid}" not in switch.heard
    assert "lease_lost" in [row["event"] for row in logs]
    assert not world.client.exists(keys.node(NODE)), "nor does it say that it follows the node"
    assert len(switch.peers) == 1, "nor does it come back"


def test_a_command_that_has_waited_until_the_lease_is_in_doubt_is_not_sent(
    switch: Switch, follow: Callable[[], Listener]
) -> None:
    """The lease was looked at before; then the process was frozen, say, while another command was being written."""
    listener = follow()
    connection = settled(lambda: listener._socket, "it follows")
    assert connection is not None
    connection._writing.acquire()
    late = gevent.spawn(listener._send, KillChannel("late"))
    gevent.sleep(0)
    listener._lease.trusted_until = 0.0
    connection._writing.release()
    late.join(timeout=5)

    assert isinstance(late.exception, NodeUnavailable)
    assert "api uuid_kill late" not in switch.heard


def test_what_follows_is_done_by_the_listener(switch: Switch, world: World, follow: Callable[[], Listener]) -> None:
    """A coach who joins is out of the mix, and the coached hears a whisper."""
    one, two, coach = world.create(), world.create(), world.create()
    for number, each in enumerate((one, two), 1):
        switch.holds(each, number)
    follow()
    settled(lambda: world.load(two).is_present, "two are there")
    world.modify(coach, coaching=True, call_sid_to_coach=one.call_sid)
    switch.holds(coach, 3)
    switch.fire(coach, "CHANNEL_CREATE")
    switch.fire(coach, "CHANNEL_ANSWER")
    switch.fire(coach, "CUSTOM", "add-member", **{"Member-ID": "3", "Speak": "true"})
    muted = f"api conference {one.conference_sid} mute 3"
    pair = Whisper(one.conference_sid, coach.call_sid, one.call_sid)

    made = settled(lambda: [text for text in switch.heard if pair.channel_uuid in text and "originate" in text], "made")
    assert switch.heard.index(muted) < switch.heard.index(made[0])


def test_a_conference_is_looked_at_again_when_somebody_has_said_so(
    switch: Switch, world: World, follow: Callable[[], Listener]
) -> None:
    """An API process committed that the coaching ends, and died before it had told the switch."""
    one, two, coach = world.create(), world.create(), world.create()
    for number, each in enumerate((one, two, coach), 1):
        world.join(each, number)
        switch.holds(each, number, muted=each is coach)
    switch.marked.add(coach.switch.channel_uuid)
    follow()
    switch.heard.clear()
    world.client.zadd(keys.looks(NODE), {one.conference_sid: 1})

    settled(lambda: f"api conference {one.conference_sid} unmute 3" in switch.heard, "the coach is in the mix again")
    assert "participant-mute" not in world.kinds(one.conference_sid)


def test_a_conference_to_be_looked_at_may_be_over(switch: Switch, world: World, follow: Callable[[], Listener]) -> None:
    """The connection goes on."""
    follow()
    world.client.zadd(keys.looks(NODE), {mint_sid("CF"): 1})
    settled(lambda: any("json_list" in text and "CF" in text for text in switch.heard), "it is looked at")
    one = world.create()
    switch.fire(one, "CHANNEL_CREATE")

    settled(lambda: world.load(one).status is ParticipantStatus.CONNECTING, "events are applied")
    assert len(switch.peers) == 1


def test_a_sound_that_has_ended_is_told_to_the_workers(
    switch: Switch, world: World, follow: Callable[[], Listener]
) -> None:
    """By its lane and its play."""
    one = world.create()
    follow()
    tag = f"{one.call_sid}.0123456789abcdef"
    switch.fire(one, "CUSTOM", "play-file-member-done", orchestrator_play=tag)
    settled(lambda: world.sounds, "it is told")

    assert [str(each) for each in world.sounds] == [f"{one.conference_sid}:{one.call_sid}:0123456789abcdef"]


def test_a_batch_has_events_and_ended_sounds_apart() -> None:
    """And ends with a snapshot, if there is one."""
    ended = {"Event-Name": "CUSTOM", "Action": "play-file-done", "Conference-Name": "CF" + "1" * 32,
             "orchestrator_play": "conference.0123456789abcdef"}  # fmt: skip
    batch = read_batch([json.dumps(ended).encode()])

    assert (batch.events, batch.last) == ([], None)
    assert [each.lane for each in batch.sounds] == ["conference"]
