"""Events in, state and outbox out, on a real Redis that breaks when it hurts most."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import redis
from structlog.testing import capture_logs

from orchestrator import logs
from orchestrator.callbacks.entry import Entry
from orchestrator.dialects.twilio.callbacks import serialize_callback
from orchestrator.domain.conference import ConferenceStatus, Participant, ParticipantStatus, RecordingSettings
from orchestrator.domain.events import (
    CallAnswered,
    CallEnded,
    CallInitiated,
    CallRang,
    Event,
    Happened,
    MemberAdded,
    MemberRemoved,
    ParticipantHeld,
    ParticipantModified,
    ParticipantMuted,
    ParticipantUnheld,
    ParticipantUnmuted,
    SpeechStarted,
)
from orchestrator.domain.recording_events import SourceEnded
from orchestrator.embedded_redis import EmbeddedRedis
from orchestrator.freeswitch.client import CommandRefused
from orchestrator.freeswitch.coach_mark import COACH_MARK, ReadCoachMark, UnmuteUnlessCoach
from orchestrator.freeswitch.commands import (
    ChannelExists,
    DeafenMember,
    HangUpMembers,
    KillChannel,
    ListConference,
    MuteMember,
    SwitchCommand,
)
from orchestrator.freeswitch.events import translate_event
from orchestrator.freeswitch.snapshot import Member, Snapshot
from orchestrator.freeswitch.whisper import StartWhisper
from orchestrator.listener.coaching import Send
from orchestrator.listener.committer import Committer
from orchestrator.listener.reconciler import Reconciler
from orchestrator.sids import call_sid_of, channel_uuid_of, mint_sid, recorder_uuid_of, recording_sid_for
from orchestrator.store import keys
from orchestrator.store.accounts import Account, AccountStore
from orchestrator.store.commits import CommitStore
from orchestrator.store.conferences import ConferenceStore
from orchestrator.store.connection import connect
from orchestrator.store.lanes import Lane, LeaseLost
from orchestrator.store.leases import Lease, LeaseStore
from orchestrator.store.recordings import lane_of
from orchestrator.store.scripts import read_script
from tests.unit.domain.test_recording import begun
from tests.unit.lossy_proxy import LossyProxy
from tests.unit.outbox import waiting
from tests.unit.recorder import make_recorder
from tests.unit.records import ACCOUNT, EVENTS, NODE, PROGRESS, create, new_participant

TAPES = Path(__file__).parents[2] / "tapes"
NOW = datetime.now(UTC)


def never_sleeps(_: float) -> None:
    raise AssertionError("Redis is there: nothing to wait for")


@dataclass
class World:
    """A committer, the API's store beside it, and what came of them."""

    client: redis.Redis
    sleep: Callable[[float], object] = never_sleeps
    woken: list[object] = field(default_factory=list)
    sounds: list[object] = field(default_factory=list)
    commits_client: redis.Redis | None = None
    sent: list[SwitchCommand] = field(default_factory=list)
    alive: set[str] = field(default_factory=set)
    """Channel UUIDs of calls, by the last snapshot."""
    members: dict[str, Member] = field(default_factory=dict)
    """Those of all conferences, by the last snapshot."""
    pairs: dict[str, str] = field(default_factory=dict)
    """Those of whispers, and their coaches."""
    marked: set[str] = field(default_factory=set)
    """Those of coaches."""
    refuse: Callable[[SwitchCommand], Exception | None] = lambda _: None
    doubled: int = 0
    """So many pairs are made under another UUID than that which was asked for."""

    def __post_init__(self) -> None:
        self.store = ConferenceStore(self.client)
        self.committer = self.new_committer()

    def lease(self) -> Lease:
        """A lease of the node, from whoever has it now."""
        leases = LeaseStore(self.client)
        self.client.hset(keys.node_lease(NODE), "until_ms", "0")
        made = leases.take(NODE, "test")
        assert made is not None
        return made

    def new_committer(self, send: Send | None = None, lease: Lease | None = None) -> Committer:
        """As after a restart of the listener; or the API's, which sends by itself and has no lease."""
        commits = CommitStore(self.commits_client or self.client)
        return Committer(
            commits,
            make_recorder(self.client),
            serialize_callback,
            self.woken.extend,
            self.sounds.extend,
            self._sleep,
            send or self.send,
            lease,
        )

    def send(self, command: SwitchCommand) -> str:
        """The switch: it has the pairs that it was told to make."""
        error = self.refuse(command)
        if error is not None:
            raise error
        match command:
            case ChannelExists(channel_uuid=channel):
                return "true" if channel in self.alive | self.pairs.keys() else "false"
            case ReadCoachMark(channel_uuid=channel):
                return COACH_MARK if channel in self.marked else "_undef_"
            case ListConference(conference_sid=sid):
                return listed({call: one for call, one in self.members.items() if one.conference_sid == sid})
            case KillChannel(channel_uuid=channel):
                self.pairs.pop(channel, None)
            case StartWhisper(whisper=whisper):
                if self.doubled:
                    self.doubled -= 1
                    return f"+OK {uuid.uuid4()}"
                self.pairs[whisper.channel_uuid] = whisper.coach
                self.sent.append(command)
                return f"+OK {whisper.channel_uuid}"
        self.sent.append(command)
        return "+OK"

    def told(self, act: Callable[[], object]) -> list[Any]:
        """What the switch is told meanwhile."""
        before = len(self.sent)
        act()
        return self.sent[before:]

    def _sleep(self, seconds: float) -> None:
        self.sleep(seconds)

    def create(self, name: str = "weekly", **values: Any) -> Participant:
        settings = {"progress_callbacks": PROGRESS, "conference_callbacks": EVENTS}
        return create(self.store, name, **{**settings, **values})

    def apply(self, participant: Participant, *events: Event) -> list[Any]:
        return self.told(lambda: self.committer.commit_events([happened(participant, event) for event in events]))

    def join(self, participant: Participant, member_id: int = 1, muted: bool = False) -> list[Any]:
        """Dialled, answered, a member."""
        return self.apply(participant, CallInitiated(NOW), CallAnswered(NOW), MemberAdded(NOW, member_id, muted))

    def modify(self, participant: Participant, **changes: Any) -> None:
        """What a client changes, as the API does it: a committer of its own, without the listener's cache."""
        self.new_committer().commit_events([happened(participant, ParticipantModified(NOW, **changes))])

    def snapshot(self, snapshot: Snapshot, by_now: Snapshot | None = None) -> list[Any]:
        """What the node held, and what it holds when it is asked: the same, if nothing else is said."""
        self.alive = {channel_uuid_of(call_sid) for call_sid in snapshot.channels}
        self.members = (by_now or snapshot).members
        snapshot.whispers.update(self.pairs)
        return self.told(lambda: self.reconcile(snapshot))

    def reconcile(self, snapshot: Snapshot, node: str = NODE) -> None:
        for _ in Reconciler(self.committer, self.send).reconcile(snapshot, node):
            pass  # nothing comes meanwhile

    def load(self, participant: Participant) -> Participant:
        """Also one that has left."""
        _, found = CommitStore(self.client).load([(participant.conference_sid, participant.call_sid)], [])
        return found[participant.call_sid]

    def entries(self, conference_sid: str, lane: str = "conference") -> list[Entry]:
        tokens = waiting(self.client, Lane(conference_sid, lane))
        texts = [self.client.hget(keys.callback(conference_sid, token), "entry") for token in tokens]
        return [Entry.load(str(text)) for text in texts]

    def kinds(self, conference_sid: str, lane: str = "conference") -> list[str]:
        return [entry.kind for entry in self.entries(conference_sid, lane)]


@pytest.fixture
def world(client: redis.Redis) -> World:
    return World(client)


def happened(participant: Participant, event: Event) -> Happened:
    return Happened(participant.call_sid, participant.conference_sid, event)


def listed(members: Mapping[str, Member]) -> str:
    """As `conference … json_list` answers."""
    rows = [
        {
            "type": "caller",
            "id": one.member_id,
            "uuid": channel_uuid_of(call_sid),
            "flags": {"can_speak": not one.muted, "can_hear": not one.deaf, "hold": one.hold},
        }
        for call_sid, one in members.items()
    ]
    sid = next((one.conference_sid for one in members.values()), "")
    return json.dumps([{"conference_name": sid, "members": rows}])


def held(
    *participants: Participant,
    members: Sequence[Participant] = (),
    muted: Sequence[Participant] = (),
    deaf: Sequence[Participant] = (),
) -> Snapshot:
    """A node with these calls answered, and those of them in `members` in their conferences. Taken in a while, when
    nobody is too young any more."""
    snapshot = Snapshot(NOW + timedelta(seconds=60))
    snapshot.channels.update((p.call_sid, "ACTIVE") for p in participants)
    for number, p in enumerate(members, 1):
        snapshot.members[p.call_sid] = Member(p.conference_sid, number, muted=p in muted, deaf=p in deaf, hold=False)
    return snapshot


# ------------------------------------------------------------ events -> state and outbox


def test_a_life_leads_to_its_state_and_its_callbacks(world: World) -> None:
    """Two join, one is muted, both leave: every callback once, in order, numbered without a gap."""
    one, two = world.create(label="host"), world.create()
    sid = one.conference_sid
    world.join(one)
    assert world.load(one).status is ParticipantStatus.CONNECTED
    world.join(two, 2)
    world.apply(one, ParticipantMuted(NOW))
    assert world.store.load_conference(ACCOUNT, sid).status is ConferenceStatus.IN_PROGRESS
    for participant in (one, two):
        world.apply(participant, MemberRemoved(NOW), CallEnded(NOW, "NORMAL_CLEARING"))

    assert world.kinds(sid) == [
        "participant-join", "participant-join", "conference-start", "participant-mute",
        "participant-leave", "participant-leave", "conference-end",
    ]  # fmt: skip
    assert [dict(e.parameters)["SequenceNumber"] for e in world.entries(sid)] == [str(n) for n in range(1, 8)]
    assert world.kinds(sid, one.call_sid) == ["initiated", "answered", "completed"]
    assert [dict(e.parameters)["SequenceNumber"] for e in world.entries(sid, one.call_sid)] == ["0", "1", "2"]
    assert world.store.load_conference(ACCOUNT, sid).status is ConferenceStatus.COMPLETED
    assert len({e.token for e in world.entries(sid)}) == 7
    assert Counter(str(lane).partition(":")[2] for lane in world.woken) == Counter(
        ["conference", one.call_sid, two.call_sid]
    )


def test_the_same_events_again_are_no_news(world: World) -> None:
    """Each event twice, and then all of them again by a listener that has just started."""
    one = world.create()
    events = [CallInitiated(NOW), CallRang(NOW), CallAnswered(NOW), MemberAdded(NOW, 1)]
    world.apply(one, *(event for event in events for _ in range(2)))
    expected = world.kinds(one.conference_sid), world.kinds(one.conference_sid, one.call_sid)
    world.committer = world.new_committer()
    world.apply(one, *events)

    assert (world.kinds(one.conference_sid), world.kinds(one.conference_sid, one.call_sid)) == expected
    assert expected == (["participant-join"], ["initiated", "ringing", "answered"])


def test_an_unknown_leg_with_our_variable_is_ended(world: World) -> None:
    """Its create was refused after all, or its record is lost: nobody could ever remove it. Whatever shows it alive is
    a reason, its end is none."""
    stranger = new_participant(mint_sid("CF"))

    for alive in (CallInitiated(NOW), CallAnswered(NOW), MemberAdded(NOW, 1)):
        assert world.apply(stranger, alive) == [KillChannel(stranger.switch.channel_uuid)]
    assert world.apply(stranger, CallRang(NOW), MemberRemoved(NOW), CallEnded(NOW, "X")) == []


def test_an_unknown_leg_in_a_known_conference_is_ended(world: World) -> None:
    """The conference exists, the participant does not."""
    one = world.create()
    stranger = new_participant(one.conference_sid)

    assert world.apply(stranger, CallInitiated(NOW)) == [KillChannel(stranger.switch.channel_uuid)]


def test_the_result_of_a_job_finds_its_conference(world: World) -> None:
    """FreeSWITCH does not say which one; the call's index does. A foreign job is dropped."""
    one = world.create()
    world.committer.commit_events(
        [Happened(mint_sid("CA"), None, CallRang(NOW)), Happened(one.call_sid, None, CallRang(NOW))]
    )

    assert world.load(one).status is ParticipantStatus.RINGING


def test_an_event_that_can_not_be_applied_takes_no_other_along(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A defect costs one event, not the batch."""
    one, two = world.create("one"), world.create("two")
    world.committer.commit_events(
        [happened(one, Event(NOW)), happened(two, CallRang(NOW)), happened(one, CallRang(NOW))]
    )

    assert world.load(one).status is world.load(two).status is ParticipantStatus.RINGING


@pytest.mark.parametrize("size", [1, 2, 7, 500])
def test_a_recorded_tape_leads_to_the_same_whatever_the_batches(world: World, size: int) -> None:
    """Mutes, repeated mutes, a kick and a hangup of a real FreeSWITCH: batching changes nothing that a client sees."""
    lines = (TAPES / "mute_events.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines if line.strip()]
    conference_of = {row["Unique-ID"]: row["Conference-Name"] for row in rows if row.get("Action") == "add-member"}
    first = next(iter(conference_of.values()))
    calls = [call_sid_of(uuid) for uuid, sid in conference_of.items() if sid == first]
    world.store.claim_name(ACCOUNT, "tape", first)
    for call_sid in calls:
        world.create("tape", call_sid=call_sid)
    events = []
    for row in rows:
        if row.get("Unique-ID") in conference_of:
            row["variable_orchestrator_conference_sid"] = conference_of[row["Unique-ID"]]
        translated = translate_event(row)
        if isinstance(translated, Happened) and translated.subject in calls:
            events.append(translated)
    for start in range(0, len(events), size):
        world.committer.commit_events(events[start : start + size])

    kinds = world.kinds(first)
    assert kinds[:3] == ["participant-join", "participant-join", "conference-start"]
    assert kinds[-3:] == ["participant-leave", "participant-leave", "conference-end"]
    assert set(kinds[3:-3]) == {"participant-mute", "participant-unmute"}
    for call_sid in calls:
        told = [e.kind for e in world.entries(first) if e.call_sid == call_sid and e.kind.endswith("mute")]
        assert all(a != b for a, b in pairwise(told)), "a repeated mute is no news"
        assert world.kinds(first, str(call_sid)) == ["initiated", "answered", "completed"]
    assert [dict(e.parameters)["SequenceNumber"] for e in world.entries(first)] == [
        str(number) for number in range(1, len(kinds) + 1)
    ]


# ------------------------------------------------------------ beside the API


def test_a_client_s_change_and_an_event_both_survive(world: World) -> None:
    """The listener has the conference in its cache; its commit is refused, it loads again and applies again."""
    one = world.create()
    world.apply(one, CallInitiated(NOW))
    world.store.request_removal(ACCOUNT, one.conference_sid, one.call_sid)
    world.modify(one, end_conference_on_exit=True)
    sent = world.apply(one, CallRang(NOW))
    now = world.load(one)

    assert (now.status, now.removal_requested, now.end_conference_on_exit) == (ParticipantStatus.RINGING, True, True)
    assert sent == [KillChannel(one.switch.channel_uuid)], "removed before it had a channel: ended as soon as it has"
    assert world.kinds(one.conference_sid, one.call_sid) == ["initiated", "ringing"]


def test_a_refused_commit_tells_the_switch_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands of the refused round are computed again, and given once."""
    one, two = world.create(end_conference_on_exit=True), world.create()
    world.join(one)
    world.join(two, 2)
    world.modify(two, end_conference_on_exit=True)  # a new version that the cache does not know
    sent = world.apply(one, MemberRemoved(NOW))

    assert sent == [HangUpMembers(one.conference_sid), KillChannel(two.switch.channel_uuid)]


def test_many_changes_meanwhile_lose_nothing(world: World) -> None:
    """A client that changes something between every two events."""
    one = world.create()
    events = [CallInitiated(NOW), CallRang(NOW), CallAnswered(NOW), MemberAdded(NOW, 1, False), ParticipantMuted(NOW)]
    for number, event in enumerate(events):
        world.apply(one, event)
        world.modify(one, end_conference_on_exit=number % 2 == 0)

    assert world.kinds(one.conference_sid) == ["participant-join", "participant-mute"]
    assert world.load(one).end_conference_on_exit


def test_a_mute_asked_for_before_the_join_is_sent_at_the_join(world: World) -> None:
    """The client was told that it is muted: it must not be heard for one moment longer than it takes."""
    one = world.create()
    world.apply(one, CallInitiated(NOW))
    world.store.request_muted(ACCOUNT, one.conference_sid, one.call_sid, True)

    sent = world.apply(one, CallAnswered(NOW), MemberAdded(NOW, 7))

    assert sent == [MuteMember(one.conference_sid, 7, True), DeafenMember(one.conference_sid, 7, True)]


@pytest.mark.parametrize("last", [True, False])
def test_of_two_mutes_at_once_before_the_join_the_last_wish_decides(world: World, last: bool) -> None:
    """The switch has heard the earlier one last, and lets the leg join so; what was answered meanwhile is no proof that
    the last one was fulfilled."""
    one = world.create(muted=last)
    world.apply(one, CallInitiated(NOW))
    for muted in (not last, last):
        world.store.request_muted(ACCOUNT, one.conference_sid, one.call_sid, muted)
    world.apply(one, CallAnswered(NOW))
    sent = world.apply(one, MemberAdded(NOW, 7, muted=not last))

    unmute = UnmuteUnlessCoach(one.switch.channel_uuid, one.conference_sid, 7)
    assert sent[0] == (MuteMember(one.conference_sid, 7, True) if last else unmute)
    assert world.load(one).muted_as_asked is last


def test_what_is_wanted_stays_so_until_the_switch_says_it(world: World) -> None:
    """Muted and put on hold, and at once neither again: the switch's word of the first comes when something else has
    happened, which found everything as it is wanted because the switch had done nothing yet."""
    one = world.create()
    world.join(one, 7)
    for wanted in (True, False):
        world.store.request_muted(ACCOUNT, one.conference_sid, one.call_sid, wanted)
        world.store.request_hold(ACCOUNT, one.conference_sid, one.call_sid, wanted, None)

    for event in (SpeechStarted(NOW), ParticipantMuted(NOW), ParticipantHeld(NOW)):
        world.apply(one, event)
        assert (world.load(one).muted_as_asked, world.load(one).hold_as_asked) == (False, False)
    world.apply(one, ParticipantUnmuted(NOW), ParticipantUnheld(NOW))
    assert (world.load(one).muted_wanted, world.load(one).hold_wanted) == (None, None)


def test_a_fulfilled_wish_is_not_repeated_at_the_join(world: World) -> None:
    """Early media: muted and unmuted again before the answer. At the join nothing is left to be done."""
    one = world.create()
    world.apply(one, CallInitiated(NOW))
    world.store.request_muted(ACCOUNT, one.conference_sid, one.call_sid, True)
    world.apply(one, MemberAdded(NOW, 7), ParticipantMuted(NOW))
    world.store.request_muted(ACCOUNT, one.conference_sid, one.call_sid, False)
    world.apply(one, ParticipantUnmuted(NOW))

    assert world.apply(one, CallAnswered(NOW)) == []
    assert not world.store.load_participant(ACCOUNT, one.conference_sid, one.call_sid).muted_as_asked


# ------------------------------------------------------------ Redis away


def test_redis_away_in_the_middle_loses_and_doubles_nothing(own_redis: EmbeddedRedis) -> None:
    """It is shut down between two batches and is back, with its append-only file, while the listener waits."""
    url = own_redis.start()
    port = int(url.rpartition(":")[2].partition("/")[0])
    away = EmbeddedRedis(own_redis.directory, port)
    waits: list[float] = []
    world = World(connect(url))

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            away.start()

    world.sleep = sleep
    one, two = world.create(), world.create()
    sid = one.conference_sid
    try:
        world.join(one)
        own_redis.stop()
        world.join(two, 2)
        world.apply(one, ParticipantMuted(NOW), MemberRemoved(NOW), CallEnded(NOW, "NORMAL_CLEARING"))

        assert len(waits) == 3
        assert world.kinds(sid) == [
            "participant-join", "participant-join", "conference-start", "participant-mute", "participant-leave",
        ]  # fmt: skip
        assert [dict(e.parameters)["SequenceNumber"] for e in world.entries(sid)] == ["1", "2", "3", "4", "5"]
        assert world.kinds(sid, one.call_sid) == ["initiated", "answered", "completed"]
    finally:
        away.stop()


@pytest.mark.parametrize(
    "events",
    [
        pytest.param([CallInitiated(NOW), CallAnswered(NOW), MemberAdded(NOW, 1)], id="forward"),
        pytest.param(
            [
                CallInitiated(NOW),
                CallAnswered(NOW),
                MemberAdded(NOW, 1),
                ParticipantMuted(NOW),
                ParticipantUnmuted(NOW),
            ],
            id="there and back",
        ),
    ],
)
def test_a_commit_whose_answer_was_lost_is_not_told_twice(world: World, proxy: LossyProxy, events: list[Event]) -> None:
    """Redis has done it, and the connection broke before it said so."""
    world.commits_client = connect(proxy.url)
    warm = world.create("warm-up: the script is loaded")
    world.committer = world.new_committer()
    world.join(warm)
    one = world.create()
    text = read_script("conferences/commit").encode()
    proxy.lose_next = lambda request: text in request
    world.sleep = lambda _: None
    world.apply(one, *events)
    told = [kind for lane in ("conference", one.call_sid) for kind in world.kinds(one.conference_sid, lane)]

    assert proxy.lost == 1
    assert [kind for kind, count in Counter(told).items() if count > 1] == []
    assert "participant-join" in told


# ------------------------------------------------------------ snapshots


def test_a_missed_join_and_a_missed_mute_are_made_up(world: World) -> None:
    """As if their events had come; and the same snapshot again is no news."""
    one, two = world.create(), world.create()
    for _ in range(2):
        world.snapshot(held(one, two, members=(one, two)))
    for _ in range(2):
        world.snapshot(held(one, two, members=(one, two), muted=(two,)))

    assert world.kinds(one.conference_sid) == [
        "participant-join", "participant-join", "conference-start", "participant-mute",
    ]  # fmt: skip
    assert world.load(two).muted
    assert world.kinds(one.conference_sid, one.call_sid) == ["initiated", "answered"]

    world.snapshot(held(one, two, members=(one, two), muted=(one,)))
    assert sorted(world.kinds(one.conference_sid)[4:]) == ["participant-mute", "participant-unmute"]


def test_there_is_exactly_one_leave_for_every_join(world: World) -> None:
    """Whether the snapshot or the late event tells it first, and however often."""
    one, two, three = world.create(), world.create(), world.create()
    for number, participant in enumerate((one, two, three), 1):
        world.join(participant, number)
    world.snapshot(held(three, members=(three,)))
    world.snapshot(held(three, members=(three,)))
    for participant in (one, two):
        world.apply(participant, MemberRemoved(NOW), CallEnded(NOW, "NORMAL_CLEARING"))
    world.snapshot(held())

    kinds = Counter(world.kinds(one.conference_sid))
    assert kinds == {"participant-join": 3, "conference-start": 1, "participant-leave": 3, "conference-end": 1}
    assert all(Counter(world.kinds(one.conference_sid, p.call_sid))["completed"] == 1 for p in (one, two, three))


def test_a_call_that_is_out_of_the_conference_and_still_up_has_left(world: World) -> None:
    """The member is gone, the channel is not."""
    one, two = world.create(), world.create()
    world.join(one)
    world.join(two, 2)
    world.snapshot(held(one, two, members=(two,)))

    assert world.kinds(one.conference_sid)[-1] == "participant-leave"
    assert "completed" not in world.kinds(one.conference_sid, one.call_sid)


def test_the_end_of_a_call_that_had_left_its_conference_is_made_up(world: World, client: redis.Redis) -> None:
    """Between its `del-member` and its hangup the listener was away: its `completed` is still owed, and its record
    would stay for ever."""
    one, two = world.create(), world.create()
    world.join(one)
    world.join(two, 2)
    world.apply(one, MemberRemoved(NOW))
    world.committer = world.new_committer()
    world.snapshot(held(two, members=(two,)))

    assert world.kinds(one.conference_sid, one.call_sid)[-1] == "completed"
    assert client.ttl(keys.participant(one.conference_sid, one.call_sid)) > 0


def test_the_last_call_s_end_is_made_up_though_its_conference_is_over(world: World, client: redis.Redis) -> None:
    """Everybody has left, `conference-end` is told, and the listener was away when the last channel went."""
    one = world.create()
    world.join(one)
    world.apply(one, MemberRemoved(NOW))
    assert world.kinds(one.conference_sid)[-1] == "conference-end"
    world.committer = world.new_committer()
    world.snapshot(held())
    world.snapshot(held())

    assert world.kinds(one.conference_sid, one.call_sid) == ["initiated", "answered", "completed"]
    assert not client.exists(keys.live_participants(one.conference_sid))


def test_what_was_asked_for_and_not_done_is_asked_again(world: World) -> None:
    """Commands that were lost with a connection: removals and mutes."""
    one, two = world.create(), world.create()
    world.join(one)
    world.join(two, 2)
    world.store.request_muted(ACCOUNT, one.conference_sid, one.call_sid, True)
    world.store.request_removal(ACCOUNT, two.conference_sid, two.call_sid)
    sent = world.snapshot(held(one, two, members=(one, two)))

    assert sent == [MuteMember(one.conference_sid, 1, True), KillChannel(two.switch.channel_uuid)] or sent == [
        KillChannel(two.switch.channel_uuid), MuteMember(one.conference_sid, 1, True),
    ]  # fmt: skip


def test_whoever_outlives_an_ended_conference_is_ended_at_the_next_audit(world: World) -> None:
    """The order to hang up was lost with a connection: it is repeated for every call that has not ended, also for one
    that has left the conference, until it has."""
    one, two = world.create(), world.create()
    world.join(one)
    world.join(two, 2)
    world.store.request_end(ACCOUNT, one.conference_sid)
    world.apply(one, MemberRemoved(NOW))
    both = {KillChannel(p.switch.channel_uuid) for p in (one, two)}

    assert set(world.snapshot(held(one, two, members=(two,)))) == both
    assert set(world.snapshot(held(one, two, members=(two,)))) == both
    world.apply(one, CallEnded(NOW, "NORMAL_CLEARING"))
    assert world.snapshot(held(two, members=(two,))) == [KillChannel(two.switch.channel_uuid)]


def test_a_leg_that_nobody_knows_is_ended_by_the_snapshot(world: World, client: redis.Redis) -> None:
    """Its record is lost, or says that the call has ended; a foreign one, whose CallSid we never gave, is not ours."""
    lost, ended, foreign = world.create("lost"), world.create("ended"), new_participant(mint_sid("CF"))
    world.join(ended)
    world.apply(ended, MemberRemoved(NOW), CallEnded(NOW, "NORMAL_CLEARING"))
    client.delete(keys.participant(lost.conference_sid, lost.call_sid))
    sent = world.snapshot(held(lost, ended, foreign, members=(lost,)))

    assert {command.channel_uuid for command in sent} == {p.switch.channel_uuid for p in (lost, ended)}


def test_a_member_who_is_nobodys_participant_is_ended_by_the_snapshot(world: World) -> None:
    """Somebody in our conference whom we never called; the node's other calls are left alone."""
    one, stranger, other = world.create(), new_participant(mint_sid("CF")), new_participant(mint_sid("CF"))
    world.join(one)
    snapshot = held(one, stranger, other, members=(one,))
    snapshot.members[stranger.call_sid] = Member(one.conference_sid, 7, muted=False, deaf=False, hold=False)
    killed = {command.channel_uuid for command in world.snapshot(snapshot) if isinstance(command, KillChannel)}

    assert killed == {stranger.switch.channel_uuid}


@pytest.mark.parametrize("make_sid", [partial(mint_sid, "RE"), partial(recording_sid_for, "CF" + "1" * 32)])
def test_a_recorder_of_nothing_is_ended_by_the_snapshot(world: World, make_sid: Callable[[], str]) -> None:
    """It came when its recording was over, and its process was killed: alone in a conference it would stay for ever.
    One whose recording is under way is left alone."""
    sid = make_sid()
    one = world.create()
    world.join(one)
    snapshot = held(one, members=(one,))
    legs = [recorder_uuid_of(sid), recorder_uuid_of(mint_sid("RE"))]
    snapshot.recorders.update(dict.fromkeys(legs, one.conference_sid))
    recording = replace(begun(), recording_sid=sid, conference_sid=one.conference_sid, channel_uuid=legs[0])
    make_recorder(world.client).store.create(recording)

    assert [one for one in world.snapshot(snapshot) if isinstance(one, KillChannel)] == [KillChannel(legs[1])]


def test_a_call_outside_of_its_conference_is_ended_by_the_snapshot(world: World) -> None:
    """Up, and no member: also of one who has left, and whose conference is over by that."""
    one, two, last = world.create(), world.create(), world.create("another")
    for member_id, participant in enumerate((one, two, last), 1):
        world.join(participant, member_id)
    world.apply(last, MemberRemoved(NOW))
    found = world.snapshot(held(one, two, last, members=(two,)))
    killed = {command.channel_uuid for command in found if isinstance(command, KillChannel)}

    assert killed == {participant.switch.channel_uuid for participant in (one, last)}


def test_an_order_to_end_a_conference_names_every_call_that_has_not_ended(world: World) -> None:
    """After the commit, so a call that was created a moment before it is among them; the one who left is not."""
    one, two, three = world.create(end_conference_on_exit=True), world.create(), world.create()
    world.join(one)
    world.join(two, 2)
    sent = world.apply(one, MemberRemoved(NOW))

    assert sent[0] == HangUpMembers(one.conference_sid)
    assert set(sent[1:]) == {KillChannel(p.switch.channel_uuid) for p in (two, three)}


def test_a_call_whose_originate_is_on_the_way_is_left_alone(world: World) -> None:
    """Its channel is a moment younger than its record."""
    one = world.create()
    world.snapshot(Snapshot(datetime.now(UTC)))

    assert world.load(one).status is ParticipantStatus.QUEUED


def test_a_call_that_waits_to_be_dialled_outlives_every_audit(world: World) -> None:
    """Also one of a node that was restarted meanwhile: it has no channel to lose. Dialled in vain it fails as any."""
    now = datetime.now(UTC)
    ago = now - timedelta(minutes=10)
    waiting, lost = world.create(created_at=ago, dialled_at=None), world.create(created_at=ago, dialled_at=ago)
    world.snapshot(Snapshot(now))

    assert world.load(waiting).status is ParticipantStatus.QUEUED
    assert world.load(lost).status is ParticipantStatus.FAILED


def test_a_node_that_is_lost_ends_also_what_it_was_to_dial(world: World) -> None:
    """Nobody would ever dial it: its callback is told, and the conference's name is free again."""
    ago = datetime.now(UTC) - timedelta(minutes=1)
    waiting, dialled = world.create(dialled_at=None), world.create("monthly", created_at=ago, dialled_at=ago)
    Reconciler(world.committer, world.send).lose_node(datetime.now(UTC), NODE)

    assert [world.load(one).status for one in (waiting, dialled)] == [ParticipantStatus.FAILED] * 2
    assert world.kinds(waiting.conference_sid, waiting.call_sid)[-1:] == ["completed"]
    assert world.store.find_name(ACCOUNT, "weekly") is None


def test_a_node_that_was_restarted_ends_all_its_calls(world: World) -> None:
    """Nothing of it is left: everybody leaves, the conference ends, every call is completed."""
    people = [world.create() for _ in range(5)]
    for number, participant in enumerate(people, 1):
        world.join(participant, number)
    world.snapshot(held())

    kinds = Counter(world.kinds(people[0].conference_sid))
    assert (kinds["participant-leave"], kinds["conference-end"]) == (5, 1)
    assert all(world.kinds(p.conference_sid, p.call_sid)[-1] == "completed" for p in people)


def test_calls_of_other_nodes_are_not_touched(world: World) -> None:
    """An empty node says nothing about the others."""
    one = world.create()
    world.join(one)
    world.reconcile(Snapshot(NOW + timedelta(seconds=60)), "fs2")

    assert world.load(one).is_present


def test_what_changes_during_an_audit_is_not_judged_by_its_snapshot(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An audit takes some conferences at once, and events have their turn in between: who has left meanwhile is no
    member again, a leg that has come is no stray, and who is not touched is looked at all the same."""
    monkeypatch.setattr("orchestrator.listener.reconciler.CONFERENCES_AT_ONCE", 1)
    names = ("first", "left", "came", "gone")  # looked at by the millisecond of their creation
    first, left, came, gone = (
        world.create(name, created_at=NOW - timedelta(milliseconds=10 - at)) for at, name in enumerate(names)
    )
    for one in (first, left, gone):
        world.join(one)
    snapshot = held(first, left, came, members=(left,))
    world.alive = {channel_uuid_of(one.call_sid) for one in (first, left, came)}
    parts = Reconciler(world.committer, world.send).reconcile(snapshot, NODE)
    next(parts)
    world.apply(left, MemberRemoved(NOW))
    world.apply(came, CallInitiated(NOW), CallAnswered(NOW), MemberAdded(NOW, 9, False))
    told = world.told(lambda: list(parts))

    assert not world.load(left).is_present
    assert world.load(came).switch.member_id == 9
    assert [one for one in told if isinstance(one, KillChannel)] == []
    assert world.load(gone).ended_at is not None


def test_the_cache_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest conferences are forgotten, and loaded again when something happens in them."""
    monkeypatch.setattr("orchestrator.listener.committer.CACHED_CONFERENCES", 3)
    people = [world.create(f"name {number}") for number in range(10)]
    for _ in range(2):
        for participant in people:
            world.join(participant)
    world.join(world.create("one more"))

    assert len(world.committer._known.conferences) <= 3
    assert len(world.committer._known.participants) <= 4
    assert all(world.kinds(p.conference_sid) == ["participant-join"] for p in people)


@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("in_one_batch", [True, False])
def test_of_two_mutes_at_once_the_last_wish_decides(world: World, last: bool, in_one_batch: bool) -> None:
    """The switch has heard the earlier one last: it is told again what is wanted, once."""
    one = world.create()
    world.join(one, 7, muted=last is not in_one_batch)
    for muted in (not last, last):
        world.store.request_muted(ACCOUNT, one.conference_sid, one.call_sid, muted)
    heard = {True: ParticipantMuted(NOW), False: ParticipantUnmuted(NOW)}
    events = (heard[last], heard[not last])
    sent = world.apply(one, *events) if in_one_batch else [*world.apply(one, events[0]), *world.apply(one, events[1])]

    unmute = UnmuteUnlessCoach(one.switch.channel_uuid, one.conference_sid, 7)
    assert sent == [MuteMember(one.conference_sid, 7, True) if last else unmute]
    assert world.load(one).muted_as_asked is last
    assert world.apply(one, heard[last]) == []
    assert world.load(one).muted is last


# ------------------------------------------------------------ history has an end


def test_of_too_many_callbacks_the_oldest_finished_are_forgotten(world: World) -> None:
    """As many as the account may keep; those that wait are never forgotten, however old."""
    accounts = AccountStore(world.client)
    accounts.save_account(Account(ACCOUNT, "x" * 32, "active"))
    accounts.save_limits(ACCOUNT, {"kept_callbacks": 4})
    one, two = world.create("first"), world.create("second")
    world.join(one)
    old = waiting(world.client, Lane(one.conference_sid, "conference"))
    done, waits = old[0], old[1:]
    world.client.hset(keys.callback(one.conference_sid, done), "state", "delivered")
    # A second older than those that were planned in the same moment.
    world.client.zincrby(keys.account_callbacks(ACCOUNT), -1000, f"{one.conference_sid}.{done}")
    world.join(two)
    world.apply(two, ParticipantMuted(NOW), ParticipantUnmuted(NOW))

    assert not world.client.exists(keys.callback(one.conference_sid, done))
    assert world.client.zscore(keys.account_callbacks(ACCOUNT), f"{one.conference_sid}.{done}") is None
    assert done not in world.client.zrange(keys.conference_callbacks(one.conference_sid), 0, -1)
    for token in waits:
        assert world.client.hget(keys.callback(one.conference_sid, token), "state") == "waiting"


# ------------------------------------------------------------ leases


def test_a_listener_whose_node_is_another_s_writes_nothing(world: World) -> None:
    """It was frozen between the look at its lease and the write, and does not know. What it tried is counted."""
    one = world.create()
    first = world.lease()
    world.committer = world.new_committer(lease=first)
    world.join(one)
    second = world.lease()
    world.new_committer(lease=second).fence()
    before = world.client.hgetall(keys.conference(one.conference_sid))
    first.trusted_until = float("inf")

    with pytest.raises(LeaseLost):
        world.apply(one, MemberRemoved(NOW), CallEnded(NOW, "NORMAL_CLEARING"))
    assert world.load(one).status is ParticipantStatus.CONNECTED
    assert world.client.hgetall(keys.conference(one.conference_sid)) == before
    assert world.kinds(one.conference_sid) == ["participant-join"]
    assert world.client.hgetall(keys.COMMITS_REFUSED) == {NODE: "1"}
    with pytest.raises(LeaseLost):
        world.committer.fence()
    assert world.client.hgetall(keys.COMMITS_REFUSED) == {NODE: "2"}


def test_a_listener_that_doubts_its_lease_asks_before_it_writes(world: World) -> None:
    """And writes nothing: not even a conference that nobody has closed to it is touched."""
    one = world.create()
    world.committer = world.new_committer(lease=(first := world.lease()))
    world.lease()
    first.trusted_until = 0.0

    with pytest.raises(LeaseLost):
        world.join(one)
    assert world.load(one).status is ParticipantStatus.QUEUED
    assert not world.client.exists(keys.COMMITS_REFUSED)


def test_the_next_listener_and_clients_go_on(world: World) -> None:
    """What a client wants is no news of the switch, and needs no lease."""
    one = world.create()
    world.committer = world.new_committer(lease=world.lease())
    world.join(one)
    world.committer = world.new_committer(lease=world.lease())
    world.committer.fence()
    world.modify(one, beep_on_exit=True)
    assert world.load(one).beep_on_exit
    world.apply(one, MemberRemoved(NOW), CallEnded(NOW, "NORMAL_CLEARING"))

    assert world.kinds(one.conference_sid)[-1] == "conference-end"


def test_a_recording_is_closed_to_older_listeners_with_its_conference(world: World) -> None:
    """Its parts are told by the same switch."""
    one = world.create(recording=RecordingSettings())
    first = world.lease()
    recorder = replace(make_recorder(world.client), lease=first)
    world.join(one)
    (recording,) = recorder.store.list_of(one.call_sid)
    world.new_committer(lease=world.lease()).fence()
    first.trusted_until = float("inf")

    with pytest.raises(LeaseLost):
        recorder.apply(lane_of(recording), SourceEnded(NOW, is_closed=True), world.send)
    assert [each.status for each in recorder.store.list_of(one.call_sid)] == [recording.status]
    assert world.client.hgetall(keys.COMMITS_REFUSED) == {NODE: "1"}


# ------------------------------------------------------------ who asked for it


def test_a_wish_names_its_request_until_it_is_fulfilled(world: World) -> None:
    """Of two opposite ones that are asked for at once each names its own; what nobody asked for names none. The
    listener has read the person before."""
    person = world.create(conference_callbacks=replace(EVENTS, events=("mute", "hold")))
    world.join(person)
    mute, unmute, hold = (mint_sid("RQ") for _ in range(3))
    for request_id, muted in ((mute, True), (unmute, False)):
        with logs.bound(request_id=request_id):
            world.store.request_muted(ACCOUNT, person.conference_sid, person.call_sid, muted)
    with logs.bound(request_id=hold):
        world.store.request_hold(ACCOUNT, person.conference_sid, person.call_sid, True, None)
    with capture_logs(processors=[logs.add_names]) as lines:
        world.apply(person, ParticipantMuted(NOW))
        world.apply(person, ParticipantUnmuted(NOW))
        world.apply(person, ParticipantHeld(NOW))
        world.apply(
            person, ParticipantUnheld(NOW), ParticipantMuted(NOW), ParticipantUnmuted(NOW), ParticipantHeld(NOW)
        )
    told = [mute, unmute, hold, "", "", "", ""]

    assert [entry.request_id for entry in world.entries(person.conference_sid)] == told
    assert [line.get("request_id", "") for line in lines if line["event"] == "transition"] == told


def test_a_wish_that_came_true_by_joining_names_nothing_later(world: World) -> None:
    """Muted while it rings."""
    person = world.create()
    with logs.bound(request_id=mint_sid("RQ")):
        world.store.request_muted(ACCOUNT, person.conference_sid, person.call_sid, muted=True)
    world.join(person, muted=True)
    world.apply(person, ParticipantUnmuted(NOW), ParticipantMuted(NOW))

    assert [entry.request_id for entry in world.entries(person.conference_sid)][1:] == ["", ""]


@pytest.mark.parametrize("joins", [True, False])
def test_a_call_begins_for_its_create_and_ends_for_whoever_ended_it(world: World, joins: bool) -> None:
    """One that ends without having joined is the create's, too, unless somebody asked for its end."""
    created, removed = mint_sid("RQ"), mint_sid("RQ")
    one, other = (world.create(create_request=created) for _ in range(2))
    for person in (one, other):
        world.apply(person, CallRang(NOW))
        if joins:
            world.join(person)
    with logs.bound(request_id=removed):
        world.store.request_removal(ACCOUNT, one.conference_sid, one.call_sid)
    with capture_logs(processors=[logs.add_names]) as lines:
        for person in (one, other):
            world.apply(person, MemberRemoved(NOW), CallEnded(NOW, "NORMAL_CLEARING"))
    said = {line["call_sid"]: line.get("request_id", "") for line in lines if line["event"] == "call_ended"}
    ends = {one: removed, other: "" if joins else created}
    told = {entry.call_sid: entry for entry in world.entries(one.conference_sid) if entry.kind == "participant-leave"}

    for person, request_id in ends.items():
        *begins, completed = world.entries(one.conference_sid, person.call_sid)
        assert {entry.request_id for entry in begins} == {created}
        assert completed.request_id == told[person.call_sid].request_id == said[person.call_sid] == request_id


def test_a_conference_s_end_names_the_client_s_request(world: World) -> None:
    """So do the leaves that it leads to, also that of one who had not joined; a removal asked for by itself names its
    own. A second end, of a client who was not answered, changes nothing."""
    events = replace(EVENTS, events=("leave", "end"))
    anna, bert, carl = (world.create(conference_callbacks=events, progress_callbacks=None) for _ in range(3))
    sid = anna.conference_sid
    for person in (anna, bert):
        world.join(person)
    removed, ended, again = (mint_sid("RQ") for _ in range(3))
    with logs.bound(request_id=removed):
        world.store.request_removal(ACCOUNT, sid, bert.call_sid)
    for request_id in (ended, again):
        with logs.bound(request_id=request_id):
            world.store.request_end(ACCOUNT, sid)
    with capture_logs(processors=[logs.add_names]) as lines:
        for person in (bert, carl, anna):
            world.apply(person, CallEnded(NOW, "NORMAL_CLEARING"))
    told = [removed, ended, ended, ended]

    assert [entry.request_id for entry in world.entries(sid)] == told
    assert [line.get("request_id") for line in lines if line["event"] == "transition"] == told[:3]
    assert [line.get("request_id") for line in lines if line["event"] == "call_ended"] == told[:3]


def test_whom_a_removed_moderator_takes_along_names_the_removal(world: World) -> None:
    """It ended the conference. One who goes by themselves was asked for by nobody."""
    events = replace(EVENTS, events=("leave", "end"))
    moderator = world.create(conference_callbacks=events, end_conference_on_exit=True)
    other = world.create()
    sid, removed = moderator.conference_sid, mint_sid("RQ")
    for person in (moderator, other):
        world.join(person)
    with logs.bound(request_id=removed):
        world.store.request_removal(ACCOUNT, sid, moderator.call_sid)
    for person in (moderator, other):
        world.apply(person, MemberRemoved(NOW), CallEnded(NOW, "NORMAL_CLEARING"))

    assert [entry.request_id for entry in world.entries(sid)] == [removed] * 3


def test_what_follows_names_whom_it_follows_from_and_who_asked(world: World) -> None:
    """Of two who join at once: the command that the switch refuses, and the job that plays to them."""
    people = [world.create(create_request=mint_sid("RQ"), start_conference_on_enter=False) for _ in range(2)]
    sid = people[0].conference_sid
    world.refuse = lambda command: CommandRefused("-ERR no") if isinstance(command, DeafenMember) else None
    woken = list[tuple[object, str]]()
    world.committer.executor._wake_sounds = lambda lanes: woken.extend((lane, logs.request_id()) for lane in lanes)
    joins = [(CallAnswered(NOW), MemberAdded(NOW, number)) for number in range(2)]
    with capture_logs(processors=[logs.add_names]) as lines:
        world.committer.commit_events(
            [happened(one, event) for one, events in zip(people, joins, strict=True) for event in events]
        )
    refused = [line for line in lines if line["event"] == "command_refused"]

    assert woken == [(Lane(sid, one.call_sid), one.create_request) for one in people]
    assert [(line["account_sid"], line["conference_sid"]) for line in refused] == [(ACCOUNT, sid)] * 2
    assert [(line["call_sid"], line["request_id"]) for line in refused] == [
        (one.call_sid, one.create_request) for one in people
    ]
