"""Updates of participants: what each request leads to, what is refused with which code, and what is taken back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import redis

from orchestrator.domain.commands import UpdateParticipant
from orchestrator.domain.conference import STOCK, Participant
from orchestrator.domain.events import CallEnded, MemberRemoved, ParticipantHeld, ParticipantMuted, ParticipantUnheld
from orchestrator.errors import (
    ApiError,
    BadParameter,
    CoachedCallHeld,
    CoachedCallMissing,
    CoachingImpossible,
    ConferenceNotInProgress,
    NotFound,
    TooManyAnnouncements,
    Unavailable,
)
from orchestrator.freeswitch.addresses import NodeAddress
from orchestrator.freeswitch.client import CommandRefused, NodeUnavailable
from orchestrator.freeswitch.coach_mark import MuteIfMember, UnmuteUnlessCoach
from orchestrator.freeswitch.commands import ChannelExists, KillChannel, ModuleExists, MuteMember, SwitchCommand
from orchestrator.freeswitch.whisper import StartWhisper, Whisper
from orchestrator.services.conferences import ConferenceService
from orchestrator.services.updates import UpdateService
from orchestrator.sids import mint_sid
from orchestrator.store.lanes import Lane
from orchestrator.store.nodes import NodeStore
from orchestrator.store.playback import MOST_ANNOUNCEMENTS, PlaybackStore
from tests.unit.listener.test_committer import NOW, World
from tests.unit.records import ACCOUNT, OTHER_ACCOUNT

URL = "https://app.example/x"


class Node:
    """A switch that does what it is told, or says why not."""

    def __init__(self) -> None:
        self.is_connected = True
        self.address = NodeAddress("fs1", "127.0.0.1", 8021)
        self.heard: list[str] = []
        self.pairs: set[str] = set()
        self.whispers = True
        self.refuse: Callable[[str], Exception | None] = lambda _: None

    def get(self, name: str) -> Node:
        return self

    def get_connected(self, name: str) -> Node:
        if not self.is_connected:
            raise NodeUnavailable("Node fs1 is away")
        return self

    def send(self, command: SwitchCommand, seconds: float = 2) -> str:
        text = command.render()
        error = self.refuse(text)
        if error is not None:
            raise error
        self.heard.append(text)
        match command:
            case ModuleExists():
                return "true" if self.whispers else "false"
            case ChannelExists(channel_uuid=channel):
                return "true" if channel in self.pairs else "false"
            case StartWhisper(whisper=whisper):
                self.pairs.add(whisper.channel_uuid)
                return f"+OK {whisper.channel_uuid}"
            case KillChannel(channel_uuid=channel):
                self.pairs.discard(channel)
        return "+OK"


class Desk:
    """Two who talk, members 1 and 2, and the API."""

    def __init__(self, client: redis.Redis) -> None:
        self.world = World(client)
        self.node = Node()
        self.sounds = PlaybackStore(client)
        self.woken: list[object] = []
        nodes: Any = self.node
        self.looks = NodeStore(client)
        self.updates = UpdateService(
            self.world.store, nodes, self.looks, self.sounds, self.world.new_committer, self.woken.extend
        )
        self.conferences = ConferenceService(
            self.world.store, nodes, self.sounds, self.world.new_committer, self.woken.extend
        )
        self.one, self.two = self.world.create(label="agent"), self.world.create()
        self.sid = self.one.conference_sid
        for number, each in enumerate((self.one, self.two), 1):
            self.world.join(each, number)

    def update(self, participant: Participant | None = None, **changes: Any) -> Participant:
        call_sid = (participant or self.one).call_sid
        return self.updates.update_participant(ACCOUNT, self.sid, call_sid, UpdateParticipant(**changes))

    def load(self, participant: Participant | None = None) -> Participant:
        return self.world.load(participant or self.one)


@pytest.fixture
def desk(client: redis.Redis) -> Desk:
    return Desk(client)


AWAY = NodeUnavailable("Node fs1 is away")
GONE = CommandRefused("-ERR Non-Existant ID 1")


# ------------------------------------------------------------ mute and hold


@pytest.mark.parametrize("muted", [True, False])
def test_a_mute_is_told_at_once_and_shown(desk: Desk, muted: bool) -> None:
    """An event makes it a fact."""
    desk.world.apply(desk.one, *([] if muted else [ParticipantMuted(NOW)]))
    shown = desk.update(muted=muted)

    unmute = UnmuteUnlessCoach(desk.one.switch.channel_uuid, desk.sid, 1)
    assert desk.node.heard == [(MuteMember(desk.sid, 1, True) if muted else unmute).render()]
    assert (shown.muted_as_asked, desk.load().muted_as_asked, desk.load().muted) == (muted, muted, not muted)


def test_a_hold_is_silence_first_and_then_its_sound(desk: Desk) -> None:
    """Deaf before held, so that not a word of the conference is heard on hold; the sound comes from a worker."""
    shown = desk.update(hold=True, hold_url=URL, hold_method="POST")
    now = desk.load()

    assert desk.node.heard == [f"conference {desk.sid} deaf 1", f"conference {desk.sid} hold 1"]
    assert (shown.hold_as_asked, now.hold_as_asked, now.hold) == (True, True, False)
    assert (now.hold_url, now.hold_method, now.hold_number) == (URL, "POST", 1)
    assert desk.woken == [Lane(desk.sid, desk.one.call_sid)]


def test_a_hold_without_a_url_is_stock_music(desk: Desk) -> None:
    """Also after one that had one."""
    desk.update(hold=True, hold_url=URL)
    desk.world.apply(desk.one, ParticipantHeld(NOW))
    desk.update(hold=False)
    desk.world.apply(desk.one, ParticipantUnheld(NOW))
    desk.update(hold=True)
    now = desk.load()

    assert (now.hold_url, now.hold_method, now.hold_number) == (STOCK, "GET", 2)


def test_an_unhold_lets_hear_again(desk: Desk) -> None:
    """What else was asked for stays: muted is still muted."""
    desk.update(hold=True)
    desk.update(muted=True)
    desk.world.apply(desk.one, ParticipantHeld(NOW), ParticipantMuted(NOW))
    desk.node.heard.clear()
    shown = desk.update(hold=False)

    assert desk.node.heard == [f"conference {desk.sid} undeaf 1", f"conference {desk.sid} unhold 1"]
    assert (shown.hold_as_asked, shown.muted_as_asked) == (False, True)


def test_who_waits_stays_deaf_after_a_hold(client: redis.Redis) -> None:
    """The conference has not started."""
    desk = Desk(client)
    lone = desk.world.create("lonely")
    desk.world.join(lone, 5)
    for hold in (True, False):
        desk.updates.update_participant(ACCOUNT, lone.conference_sid, lone.call_sid, UpdateParticipant(hold=hold))

    assert desk.node.heard[-2:] == [
        f"conference {lone.conference_sid} deaf 5",
        f"conference {lone.conference_sid} unhold 5",
    ]


def test_before_the_join_a_wish_is_how_the_leg_will_join(desk: Desk) -> None:
    """The listener has it done should it be too late."""
    three = desk.world.create()
    desk.update(three, muted=True)
    shown = desk.update(three, hold=True, hold_url=URL)
    flags = f"uuid_setvar {three.switch.channel_uuid} conference_member_flags"

    assert (shown.muted_as_asked, shown.hold_as_asked) == (True, True)
    assert desk.node.heard == [f"{flags} mute", f"{flags} mute|deaf"]


def test_a_wish_of_who_has_no_channel_yet_stays(desk: Desk) -> None:
    """It is being dialled."""
    three = desk.world.create()
    desk.node.refuse = lambda _: GONE

    assert desk.update(three, muted=True).muted_as_asked


@pytest.mark.parametrize("changes", [{"muted": True}, {"hold": True}])
@pytest.mark.parametrize(("refusal", "expected"), [(GONE, NotFound), (AWAY, Unavailable)])
def test_a_wish_that_the_switch_refuses_is_taken_back(
    desk: Desk, changes: dict[str, Any], refusal: Exception, expected: type[ApiError]
) -> None:
    """Gone just now: 404; away: 503. A GET shows what was so before."""
    desk.node.refuse = lambda _: refusal
    with pytest.raises(expected):
        desk.update(**changes)
    now = desk.load()

    assert (now.muted_wanted, now.hold_wanted) == (None, None)
    assert desk.woken == []


def test_a_hold_that_the_switch_did_in_part_leaves_nobody_deaf(desk: Desk) -> None:
    """Its second command failed: the client is told so, and the person goes on hearing the conference."""
    desk.node.refuse = lambda text: AWAY if text.endswith(" hold 1") else None
    with pytest.raises(Unavailable):
        desk.update(hold=True)

    assert desk.node.heard[-1] == f"conference {desk.sid} undeaf 1"


def test_taking_back_spares_the_wish_of_before(desk: Desk) -> None:
    """An unmute that is still on its way."""
    desk.world.apply(desk.one, ParticipantMuted(NOW))
    desk.update(muted=False)
    desk.node.refuse = lambda _: AWAY
    with pytest.raises(Unavailable):
        desk.update(muted=True)

    assert desk.load().muted_wanted is False


# ------------------------------------------------------------ what is a fact by being asked for


def test_what_is_only_noted_is_a_fact_at_once(desk: Desk) -> None:
    """The switch is told nothing, except of the exit hook; the callback says `modify`."""
    desk.update(beep_on_exit=False, wait_url="", wait_method="GET")
    now = desk.load()

    assert (now.beep_on_exit, now.wait_url, now.wait_method, desk.node.heard) == (False, "", "GET", [])
    assert not desk.world.client.exists("node:{fs1}:looks"), "nobody has to look again"


def test_end_on_exit_is_told_to_the_switch(desk: Desk) -> None:
    """Which ends the conference by itself when the leg goes, whether we are there or not."""
    desk.update(end_conference_on_exit=True)

    assert desk.node.heard == [
        f"uuid_setvar {desk.one.switch.channel_uuid} api_hangup_hook conference {desk.sid} hup all"
    ]
    assert desk.load().end_conference_on_exit


@pytest.mark.parametrize("moment", ["before it arrives", "after it has arrived"])
@pytest.mark.parametrize("value", [True, False])
def test_of_two_who_change_end_on_exit_at_once_the_last_commit_decides(desk: Desk, value: bool, moment: str) -> None:
    """Another process does the opposite while this one tells the switch: what a GET says is what the switch will do."""
    send, others = desk.node.send, [not value]

    def overtaken(command: SwitchCommand, seconds: float = 2) -> str:
        if moment == "after it has arrived":
            send(command)
        while others:
            desk.update(end_conference_on_exit=others.pop())
        return send(command) if moment == "before it arrives" else "+OK"

    desk.node.send = overtaken  # type: ignore[method-assign]
    desk.update(end_conference_on_exit=value)

    assert desk.node.heard[-1].endswith("hup all") is desk.load().end_conference_on_exit


def test_a_leaver_takes_nobody_along_by_a_refused_update(desk: Desk) -> None:
    """They leave while the update is on its way: 404, and the switch was told nothing."""
    load = desk.world.store.load_participant

    def load_and_leave(*arguments: str) -> Participant:
        found = load(*arguments)
        desk.world.apply(desk.one, MemberRemoved(NOW), CallEnded(NOW, "NORMAL_CLEARING"))
        return found

    desk.world.store.load_participant = load_and_leave  # type: ignore[assignment, method-assign]
    with pytest.raises(NotFound):
        desk.update(end_conference_on_exit=True)

    assert desk.node.heard == []


def test_nothing_asked_is_nothing_done(desk: Desk) -> None:
    """An update without parameters shows the participant."""
    assert desk.update() == desk.load()
    assert (desk.node.heard, desk.woken) == ([], [])


# ------------------------------------------------------------ coaching


def pair(coach: Participant, coached: Participant) -> str:
    return Whisper(coach.conference_sid, coach.call_sid, coached.call_sid).channel_uuid


def test_coaching_is_answered_when_the_coached_hears_it(desk: Desk) -> None:
    """Out of the mix first; and the listener looks again, should we die in between."""
    shown = desk.update(coaching=True, call_sid_to_coach=desk.two.call_sid)

    assert (shown.coaching, shown.call_sid_to_coach) == (True, desk.two.call_sid)
    assert desk.node.pairs == {pair(desk.one, desk.two)}
    marked, muted, asked, made = desk.node.heard[-4:]
    assert marked.endswith("presence_id orchestrator-coach")
    assert muted == f"conference {desk.sid} mute 1"
    assert (asked.split()[0], made.split()[0]) == ("uuid_exists", "originate")
    assert desk.world.client.zrange("node:{fs1}:looks", 0, -1) == [desk.sid]


def test_a_call_sid_alone_begins_coaching_and_a_coach_needs_none(desk: Desk) -> None:
    """Coaching=true again, without a CallSid, is who it was."""
    assert desk.update(call_sid_to_coach=desk.two.call_sid).coaching
    assert desk.update(coaching=True).call_sid_to_coach == desk.two.call_sid


def test_barging_in_ends_the_coaching(desk: Desk) -> None:
    """And puts the coach back into the mix."""
    desk.update(call_sid_to_coach=desk.two.call_sid)
    shown = desk.update(coaching=False)

    assert (shown.coaching, shown.call_sid_to_coach, desk.node.pairs) == (False, None, set())
    assert desk.node.heard[-2] == f"conference {desk.sid} unmute 1"


@pytest.mark.parametrize("muted", [True, False])
def test_a_coachs_mute_is_a_fact_at_once(desk: Desk, muted: bool) -> None:
    """The switch mutes every coach: the whisper is what ends, and what begins again."""
    desk.update(call_sid_to_coach=desk.two.call_sid)
    for value in (True, False, muted):
        desk.node.heard.clear()
        shown = desk.update(muted=value)

        assert not any(" mute " in text or " unmute " in text for text in desk.node.heard)
        assert (shown.muted, shown.muted_wanted) == (value, None) or shown.muted_as_asked is value
    assert desk.node.pairs == (set() if muted else {pair(desk.one, desk.two)})
    assert desk.load().muted is muted


@pytest.mark.parametrize("who", ["coach", "coached"])
def test_a_hold_is_answered_when_the_whisper_has_ended(desk: Desk, who: str) -> None:
    """The switch's own word of the hold comes later."""
    desk.update(call_sid_to_coach=desk.two.call_sid)
    held = desk.one if who == "coach" else desk.two
    desk.update(held, hold=True)
    assert desk.node.pairs == set()
    desk.world.apply(held, ParticipantHeld(NOW))
    desk.update(held, hold=False)

    assert desk.node.pairs == {pair(desk.one, desk.two)}


def test_before_it_is_a_member_a_coach_is_to_join_as_one(desk: Desk) -> None:
    """Muted and marked, and still whispering to nobody; also if it has just joined, and no event has said so."""
    three = desk.world.create()
    desk.update(three, call_sid_to_coach=desk.two.call_sid)
    channel = three.switch.channel_uuid

    assert desk.node.heard[-3:] == [
        f"uuid_setvar {channel} presence_id orchestrator-coach",
        f"uuid_setvar {channel} conference_member_flags mute",
        MuteIfMember(channel, desk.sid, True).render(),
    ]
    assert desk.node.pairs == set()
    assert desk.load(three).coaching


def test_without_what_a_whisper_needs_coaching_is_refused(desk: Desk) -> None:
    """200 would say that the coached hears it; nothing is written."""
    desk.node.whispers = False
    with pytest.raises(CoachingImpossible, match="mod_loopback"):
        desk.update(call_sid_to_coach=desk.two.call_sid)

    assert not desk.load().coaching


def _held(desk: Desk) -> dict[str, Any]:
    desk.update(desk.two, hold=True)
    return {"call_sid_to_coach": desk.two.call_sid}


def _left(desk: Desk) -> dict[str, Any]:
    desk.world.apply(desk.two, MemberRemoved(NOW))
    return {"call_sid_to_coach": desk.two.call_sid}


def _elsewhere(desk: Desk) -> dict[str, Any]:
    return {"call_sid_to_coach": desk.world.create("elsewhere").call_sid}


REFUSALS: dict[str, tuple[Callable[[Desk], dict[str, Any]], type[ApiError], int]] = {
    "unknown": (lambda _: {"call_sid_to_coach": mint_sid("CA")}, CoachedCallMissing, 16028),
    "unknown, said twice": (
        lambda _: {"coaching": True, "call_sid_to_coach": mint_sid("CA")},
        CoachedCallMissing,
        16028,
    ),
    "in another conference": (_elsewhere, CoachedCallMissing, 16028),
    "has left": (_left, CoachedCallMissing, 16028),
    "on hold": (_held, CoachedCallHeld, 16027),
    "nobody": (lambda _: {"coaching": True}, BadParameter, 20001),
    "oneself": (lambda desk: {"coaching": True, "call_sid_to_coach": desk.one.call_sid}, BadParameter, 20001),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_who_cannot_be_coached(desk: Desk, case: str) -> None:
    """The issue's list; 400, and nothing has changed, whatever else was asked for with it."""
    ask, kind, code = REFUSALS[case]
    changes = ask(desk)
    before = desk.load()
    desk.node.heard.clear()
    with pytest.raises(kind) as caught:
        desk.update(muted=True, end_conference_on_exit=True, announce_url=URL, **changes)

    assert (caught.value.code, caught.value.http_status) == (code, 400)
    assert desk.load() == before
    assert desk.node.heard == []


def test_the_end_of_coaching_needs_nobody(desk: Desk) -> None:
    """The coached may have left long ago."""
    desk.update(call_sid_to_coach=desk.two.call_sid)
    desk.world.apply(desk.two, MemberRemoved(NOW))

    assert not desk.update(coaching=False).coaching


# ------------------------------------------------------------ announcements


def test_an_announcement_to_one_waits_in_its_lane(desk: Desk) -> None:
    """For a worker, which is woken."""
    desk.update(announce_url=URL, announce_method="GET")
    lane = Lane(desk.sid, desk.one.call_sid)
    waiting = desk.sounds.load(lane).next

    assert waiting is not None
    assert (waiting.url, waiting.method, desk.woken) == (URL, "GET", [lane])


def test_an_announcement_to_all_waits_in_the_conference_s(desk: Desk) -> None:
    """The answer is the conference."""
    told = desk.conferences.announce(ACCOUNT, desk.sid, URL, "POST")
    lane = Lane(desk.sid, "conference")

    assert told.conference_sid == desk.sid
    assert desk.sounds.load(lane).next is not None
    assert desk.woken == [lane]


def test_too_many_announcements_are_refused(desk: Desk) -> None:
    """429: those that wait are played first. Others' lanes are free."""
    for _ in range(MOST_ANNOUNCEMENTS):
        desk.update(announce_url=URL)
    with pytest.raises(TooManyAnnouncements) as caught:
        desk.update(announce_url=URL)

    assert caught.value.http_status == 429
    desk.update(desk.two, announce_url=URL)


def test_an_announcement_that_meets_the_conferences_end_finds_nobody(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """404, as for every other update of somebody who has just left."""
    add = desk.sounds.add_announcement

    def add_late(*arguments: str) -> None:
        for each in (desk.one, desk.two):
            desk.world.apply(each, MemberRemoved(NOW), CallEnded(NOW, "NORMAL_CLEARING"))
        add(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(desk.sounds, "add_announcement", add_late)
    with pytest.raises(NotFound):
        desk.update(announce_url=URL)


def test_where_nobody_could_hear_it_nothing_is_announced_to_all(desk: Desk) -> None:
    """Before the start and after the end."""
    lone = desk.world.create("lonely")
    desk.world.store.request_end(ACCOUNT, desk.sid)
    for sid in (lone.conference_sid, desk.sid):
        with pytest.raises(ConferenceNotInProgress) as caught:
            desk.conferences.announce(ACCOUNT, sid, URL, "POST")
        assert (caught.value.code, caught.value.http_status) == (16001, 400)


# ------------------------------------------------------------ whose and where


@pytest.mark.parametrize(
    "changes",
    [{"muted": True}, {"hold": True}, {"announce_url": URL}, {"beep_on_exit": False}, {"coaching": False}, {}],
)
def test_a_foreign_participant_is_not_there(desk: Desk, changes: dict[str, Any]) -> None:
    """Nor is one that has left; by label or CallSid."""
    before = desk.load()
    for reference in (desk.one.call_sid, "agent"):
        with pytest.raises(NotFound):
            desk.updates.update_participant(OTHER_ACCOUNT, desk.sid, reference, UpdateParticipant(**changes))
    with pytest.raises(NotFound):
        desk.updates.update_participant(ACCOUNT, desk.sid, mint_sid("CA"), UpdateParticipant(**changes))
    with pytest.raises(NotFound):
        desk.conferences.announce(OTHER_ACCOUNT, desk.sid, URL, "POST")

    assert (desk.load(), desk.node.heard, desk.woken) == (before, [], [])


def test_with_the_node_away_nothing_becomes_a_fact(desk: Desk) -> None:
    """503 before anything is written."""
    desk.node.is_connected = False
    before = desk.load()
    with pytest.raises(Unavailable):
        desk.update(call_sid_to_coach=desk.two.call_sid)

    assert desk.load() == before


def test_everything_at_once(desk: Desk) -> None:
    """One request with all of it, by label."""
    update = UpdateParticipant(
        muted=True,
        beep_on_exit=False,
        end_conference_on_exit=True,
        call_sid_to_coach=desk.two.call_sid,
        announce_url=URL,
    )
    shown = desk.updates.update_participant(ACCOUNT, desk.sid, "agent", update)

    assert (shown.muted_as_asked, shown.coaching, shown.end_conference_on_exit, shown.beep_on_exit) == (
        True, True, True, False,
    )  # fmt: skip
    assert f"conference {desk.sid} mute 1" in desk.node.heard
    assert desk.woken == [Lane(desk.sid, desk.one.call_sid)]


@pytest.mark.parametrize("hold", [True, False])
def test_a_hold_before_the_join_is_looked_at_by_a_worker(desk: Desk, hold: bool) -> None:
    """Nobody else would: when the join comes, the wish is there before and after it."""
    three = desk.world.create()
    if not hold:
        desk.update(three, hold=True)
    desk.woken.clear()
    desk.update(three, hold=hold)

    assert desk.woken == [Lane(desk.sid, three.call_sid)]
    assert not any(text.startswith("conference") for text in desk.node.heard)


def test_the_end_of_a_hold_that_there_is_not_changes_nothing(desk: Desk) -> None:
    """FreeSWITCH's `unhold` stops whatever is played to the member: an announcement, the waiting music."""
    desk.update(hold=False)

    assert (desk.node.heard, desk.woken) == ([], [])
    assert desk.load().hold_as_asked is False


def test_nobody_is_announced_to_before_they_have_joined(desk: Desk) -> None:
    """16099: they could not hear it, and it would have failed at once."""
    with pytest.raises(BadParameter) as caught:
        desk.update(desk.world.create(), announce_url=URL)

    assert caught.value.code == 16099


def test_a_second_hold_that_the_switch_refuses_leaves_the_first_one_silent(desk: Desk) -> None:
    """Other music for somebody who is on hold already: it fails, and they still hear nothing of the conference."""
    desk.update(hold=True)
    desk.world.apply(desk.one, ParticipantHeld(NOW))
    desk.node.refuse = lambda text: AWAY if text.endswith(" hold 1") else None
    with pytest.raises(Unavailable):
        desk.update(hold=True, hold_url=URL)
    hearing = [text for text in desk.node.heard if text.split()[2] in ("deaf", "undeaf")]

    assert hearing[-1] == f"conference {desk.sid} deaf 1"
