"""Requests, commands and events in any order that causality allows: the last request of each kind is what is so.

The API's own `UpdateService`, the listener's own `Committer` and effects, a real Redis; the switch is a model of what
FreeSWITCH 1.10 does with its members (docs/freeswitch.md). Commands of a request may be late, and overtake each
other; events wait until the listener gets round to them.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import Any

import redis
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.domain.commands import UpdateParticipant
from orchestrator.domain.events import (
    CallAnswered,
    CallEnded,
    CallInitiated,
    Event,
    MemberAdded,
    MemberRemoved,
    ParticipantHeld,
    ParticipantMuted,
    ParticipantUnheld,
    ParticipantUnmuted,
)
from orchestrator.errors import CoachedCallHeld, CoachedCallMissing, NotFound
from orchestrator.freeswitch.client import CommandRefused
from orchestrator.freeswitch.coach_mark import COACH_MARK, MarkCoach, MuteIfMember, ReadCoachMark, UnmuteUnlessCoach
from orchestrator.freeswitch.commands import ChannelExists, KillChannel, ModuleExists, SetJoinFlags, SwitchCommand
from orchestrator.freeswitch.snapshot import Member, Snapshot
from orchestrator.freeswitch.whisper import SPEECH, StartWhisper
from orchestrator.listener.coaching import Send
from orchestrator.listener.committer import Committer
from orchestrator.services.updates import UpdateService
from orchestrator.sids import call_sid_of
from orchestrator.store.connection import connect
from orchestrator.store.nodes import NodeStore
from orchestrator.store.playback import PlaybackStore
from tests.unit.listener.test_committer import NOW, World, happened
from tests.unit.records import ACCOUNT

PEOPLE = 4
EVENT_OF: dict[str, type[Event]] = {
    "mute": ParticipantMuted,
    "unmute": ParticipantUnmuted,
    "hold": ParticipantHeld,
    "unhold": ParticipantUnheld,
}


@dataclass
class Flags:
    mute: bool = False
    deaf: bool = False
    hold: bool = False


@dataclass
class Switch:
    """Members with flags, and pairs that whisper; every command that changes a flag gives its event, changed or not,
    and it says whether the member is marked as a coach."""

    members: dict[int, Flags] = field(default_factory=dict)
    events: list[tuple[int, Event]] = field(default_factory=list)
    variables: dict[str, dict[str, str]] = field(default_factory=dict)
    pairs: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Channel UUID -> CallSids of coach and ear."""
    channels: dict[int, str] = field(default_factory=dict)
    """Member -> channel UUID."""

    def send(self, command: SwitchCommand) -> str:
        match command:
            case StartWhisper(whisper=whisper):
                here = {call_sid_of(channel) for channel in self.channels.values()}
                if whisper.coach not in here or (whisper.ear != SPEECH and whisper.ear not in here):
                    raise CommandRefused("-ERR NORMAL_CLEARING")
                assert whisper.channel_uuid not in self.pairs, "made twice"
                self.pairs[whisper.channel_uuid] = (whisper.coach, whisper.ear)
                return f"+OK {whisper.channel_uuid}"
            case ChannelExists(channel_uuid=channel):
                return "true" if channel in self.pairs or channel in self.channels.values() else "false"
            case KillChannel(channel_uuid=channel):
                if self.pairs.pop(channel, None) is None:
                    raise CommandRefused("-ERR No such channel!")
                return "+OK\n"
            case ReadCoachMark(channel_uuid=channel):
                return self.variables.get(channel, {}).get("presence_id", "_undef_")
            case ModuleExists():
                return "true"
        return self._line(self._expanded(command))

    def _expanded(self, command: SwitchCommand) -> str:
        match command:
            case MuteIfMember(channel_uuid=channel, muted=muted):
                number = next((number for number, one in self.channels.items() if one == channel), None)
                return f"conference CF {'mute' if muted else 'unmute'} {number}" if number else "no member yet"
            case UnmuteUnlessCoach(member_id=number):
                return f"conference CF {'mute' if self.is_marked(number) else 'unmute'} {number}"
        return command.render()

    def _line(self, text: str) -> str:
        words = text.split()
        if words[0] == "uuid_setvar":
            if words[1] not in self.channels.values():
                raise CommandRefused("-ERR No such channel!")
            self.variables.setdefault(words[1], {})[words[2]] = " ".join(words[3:])
        action = words[2] if words[0] == "conference" else ""
        if action in ("mute", "unmute", "deaf", "undeaf", "hold", "unhold", "stop"):
            number = int(words[-1])
            if number not in self.members:
                raise CommandRefused(f"-ERR Non-Existant ID {number}")
            flag = action.removeprefix("un")
            if flag in ("mute", "deaf", "hold"):
                setattr(self.members[number], flag, action == flag)
            if action in EVENT_OF and not (flag == "mute" and self.is_marked(number)):
                self.events.append((number, EVENT_OF[action](NOW)))
        return "+OK\n"

    def is_marked(self, number: int) -> bool:
        return self.variables.get(self.channels.get(number, ""), {}).get("presence_id") == COACH_MARK

    def joins(self, number: int, channel: str, muted: bool, deaf: bool, coaching: bool) -> None:
        self.members[number], self.channels[number] = Flags(muted, deaf), channel
        self.variables[channel] = {"presence_id": COACH_MARK} if coaching else {}
        added = MemberAdded(NOW, number, None if coaching else muted)
        self.events += [(number, each) for each in (CallInitiated(NOW), CallAnswered(NOW), added)]

    def leaves(self, number: int) -> None:
        gone = call_sid_of(self.channels.pop(number))
        del self.members[number]
        self.pairs = {uuid: pair for uuid, pair in self.pairs.items() if gone not in pair}
        self.events += [(number, MemberRemoved(NOW)), (number, CallEnded(NOW, "NORMAL_CLEARING"))]

    def hears(self, listener: int, speaker: int) -> bool:
        heard, hearing = self.members[speaker], self.members[listener]
        whisper = (call_sid_of(self.channels[speaker]), call_sid_of(self.channels[listener]))
        return not (heard.mute or heard.hold or hearing.deaf) or whisper in self.pairs.values()


class Room:
    """Four people of one conference; what the last request of each kind asked for is in `muted`, `hold`, `coaches`."""

    def __init__(self, client: redis.Redis) -> None:
        self.world = World(client)
        self.switch = Switch()
        self.people = {number: self.world.create() for number in range(1, PEOPLE + 1)}
        self.sid = self.people[1].conference_sid
        self.number_of = {one.call_sid: number for number, one in self.people.items()}
        self.muted = dict.fromkeys(self.people, False)
        self.hold = dict.fromkeys(self.people, False)
        self.coaches: dict[int, int] = {}
        self.confirmed: dict[int, int] = {}
        self.late: list[list[SwitchCommand]] = []
        self.is_late = False
        self.arrived: set[int] = set()
        self.rang: dict[str, dict[str, str]] = {}
        """What a leg was told that is no member yet: a channel's variables."""
        api: Any = self
        self.world.committer = self.world.new_committer(self.send_now)
        self.updates = UpdateService(
            self.world.store, api, NodeStore(client), PlaybackStore(client), self._new_committer, lambda _: None
        )

    def _new_committer(self, _: Send) -> Committer:
        """What follows from a fact is done when it is answered."""
        return self.world.new_committer(self.send_now)

    # what the API sees: nodes
    is_connected = True

    def get(self, name: str) -> Room:
        return self

    get_connected = get

    def send(self, command: SwitchCommand, seconds: float = 2) -> str:
        if self.is_late and not isinstance(command, ModuleExists):
            self.late[-1].append(command)
            return "+OK\n"
        return self.send_now(command)

    def send_now(self, command: SwitchCommand) -> str:
        if isinstance(command, (MarkCoach, SetJoinFlags)) and command.channel_uuid not in self.switch.channels.values():
            _, channel, name, *value = command.render().split()
            self.rang.setdefault(channel, {})[name] = " ".join(value)
            return "+OK\n"
        return self.switch.send(command)

    # the listener

    def listen(self, count: int) -> None:
        """The next `count` events in one batch, and what follows from them."""
        batch, self.switch.events = self.switch.events[:count], self.switch.events[count:]
        self.world.committer.commit_events([happened(self.people[who], event) for who, event in batch])
        self.nobody_else_hears_a_coach()

    def audit(self) -> None:
        snapshot = Snapshot(NOW)
        for number, flags in self.switch.members.items():
            call_sid = self.people[number].call_sid
            snapshot.channels[call_sid] = "ACTIVE"
            held = flags.hold
            snapshot.members[call_sid] = Member(self.sid, number, flags.mute or held, flags.deaf or held, held)
        snapshot.whispers.update((channel, coach) for channel, (coach, _) in self.switch.pairs.items())
        self.world.reconcile(snapshot)

    def settle(self, audits: int) -> None:
        """Everything arrives; and as many audits as are granted."""
        while self.late:
            self.deliver(0)
        for number in range(audits + 1):
            while self.switch.events:
                self.listen(len(self.switch.events))
            if number < audits:
                self.audit()
        while self.switch.events:
            self.listen(len(self.switch.events))

    # what may happen

    def update(self, number: int, late: bool, **changes: Any) -> None:
        self.is_late = late
        self.late.append([])
        if {"coaching", "call_sid_to_coach"} & set(changes):
            self.confirmed.pop(number, None)
        try:
            call_sid = self.people[number].call_sid
            self.updates.update_participant(ACCOUNT, self.sid, call_sid, UpdateParticipant(**changes))
        except (NotFound, CoachedCallHeld, CoachedCallMissing):
            if number in self.coaches:  # refused: it coaches whom it coached before
                self.confirmed[number] = self.coaches[number]
            return
        finally:
            self.is_late = False
        self.muted[number] = changes.get("muted", self.muted[number])
        self.hold[number] = changes.get("hold", self.hold[number])
        if changes.get("coaching") is False:
            self.coaches.pop(number, None)
        elif "call_sid_to_coach" in changes:
            self.coaches[number] = self.confirmed[number] = self.number_of[changes["call_sid_to_coach"]]

    def deliver(self, which: int) -> None:
        """A late command arrives; those of one request in their order, those of several in any."""
        self.late = [group for group in self.late if group]
        if self.late:
            command = self.late[which % len(self.late)].pop(0)
            with contextlib.suppress(CommandRefused):
                self.send_now(command)
        self.late = [group for group in self.late if group]

    def act(self, action: tuple[Any, ...], late: bool) -> None:
        match action:
            case ("join", number) if number not in self.arrived:
                self.arrived.add(number)
                self._join(number)
            case ("leave", number) if number in self.switch.members and len(self.switch.members) > 2:
                self.switch.leaves(number)
            case ("listen", count):
                self.listen(count)
            case ("deliver", which):
                self.deliver(which)
            case ("mute" | "unmute" as word, number):
                self.update(number, late, muted=word == "mute")
            case ("hold" | "unhold" as word, number):
                self.update(number, late, hold=word == "hold")
            case ("coach", number, other) if number != other:
                self.update(number, late, coaching=True, call_sid_to_coach=self.people[other].call_sid)
            case ("barge", number):
                self.update(number, late, coaching=False)
        self.nobody_else_hears_a_coach()

    def _join(self, number: int) -> None:
        """As it was dialled, when nobody had asked for anything and the conference had not started; or as it was told
        while it rang."""
        shown = self.world.load(self.people[number])
        channel, flags = shown.switch.channel_uuid, self.rang.get(shown.switch.channel_uuid, {})
        joins = flags.get("conference_member_flags", "deaf")
        marked = flags.get("presence_id") == COACH_MARK
        self.switch.joins(number, channel, "mute" in joins, "deaf" in joins, marked)

    # what has to be so

    def nobody_else_hears_a_coach(self) -> None:
        """Once it was promised, at every moment."""
        for coach, coached in self.confirmed.items():
            for listener in set(self.switch.members) - {coach, coached}:
                if coach in self.switch.members:
                    assert not self.switch.hears(listener, coach), f"{listener} hears the coach {coach}"

    def what_was_asked_for_is_so(self) -> None:
        """Who hears whom, by the requests alone."""
        here = sorted(self.switch.members)
        started = len(self.arrived) > 1
        for listener in here:
            for speaker in here:
                if listener != speaker:
                    wanted = started and not (self.muted[speaker] or self.hold[speaker] or self.hold[listener])
                    wanted = wanted and self.coaches.get(speaker, listener) == listener

                    assert self.switch.hears(listener, speaker) is wanted, f"{listener} hears {speaker}"
        for number in here:
            shown = self.world.load(self.people[number])
            assert (shown.muted_as_asked, shown.hold_as_asked) == (self.muted[number], self.hold[number])


NUMBERS = st.integers(1, PEOPLE)
ACTIONS = st.one_of(
    st.tuples(st.sampled_from(["mute", "unmute", "hold", "unhold", "barge", "join", "leave"]), NUMBERS),
    st.tuples(st.just("coach"), NUMBERS, NUMBERS),
    st.tuples(st.just("listen"), st.integers(1, 4)),
    st.tuples(st.just("deliver"), st.integers(0, 3)),
)


def play(url: str, actions: list[tuple[tuple[Any, ...], bool]], some_are_late: bool) -> Room:
    client = connect(url)
    client.flushall()
    room = Room(client)
    try:
        for number in range(1, 3):  # so that most examples are about a conference that has started
            room.act(("join", number), False)
        for action, late in actions:
            room.act(action, late and some_are_late)
        room.settle(audits=3 if some_are_late else 0)
    finally:
        client.close()
    return room


@given(st.lists(st.tuples(ACTIONS, st.booleans()), max_size=30))
@settings(max_examples=75)
def test_the_last_request_of_each_kind_is_what_is_so(
    redis_server: str, actions: list[tuple[tuple[Any, ...], bool]]
) -> None:
    """Every command reaches the switch before the request is answered: then no audit is needed. And whatever happens
    in between, nobody but the coached ever hears a coach."""
    play(redis_server, actions, some_are_late=False).what_was_asked_for_is_so()


@given(st.lists(st.tuples(ACTIONS, st.booleans()), max_size=30))
@settings(max_examples=75)
def test_commands_that_overtake_each_other_are_put_right(
    redis_server: str, actions: list[tuple[tuple[Any, ...], bool]]
) -> None:
    """Several API processes, each with its own connection: what an audit finds counts in the end."""
    play(redis_server, actions, some_are_late=True).what_was_asked_for_is_so()
