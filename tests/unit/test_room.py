"""Requests, commands and events in any order that causality allows: the last request of each kind is what is so.

The API's own `Updates`, the listener's own `Applier` and orders, a real Redis; the switch is a model of what
FreeSWITCH 1.10 does with its members (freeswitch-facts.md). Commands of a request may be late, and overtake each
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
from orchestrator.freeswitch.commands import SwitchCommand
from orchestrator.freeswitch.relations import Order, Pair, Together, execute
from orchestrator.freeswitch.snapshot import Member, Snapshot
from orchestrator.store.connection import connect
from orchestrator.store.nodes import Question
from orchestrator.store.sounds import SoundStore
from orchestrator.updates import Updates
from tests.unit.records import ACCOUNT, NODE
from tests.unit.test_applier import NOW, World, happened

PEOPLE = 4
EVENT_OF: dict[str, type[Event]] = {
    "mute": ParticipantMuted,
    "unmute": ParticipantUnmuted,
    "hold": ParticipantHeld,
    "unhold": ParticipantUnheld,
}


@dataclass
class Flags:
    mute: bool = True
    deaf: bool = True
    hold: bool = False


@dataclass
class Switch:
    """Members with flags and relations; every command that changes a flag gives its event, changed or not."""

    members: dict[int, Flags] = field(default_factory=dict)
    apart: set[Pair] = field(default_factory=set)
    events: list[tuple[int, Event]] = field(default_factory=list)

    def api(self, text: str) -> str:
        words = text.split()
        action = words[2] if words[0] == "conference" else ""
        if action == "relate":
            return self._relate(words[3:])
        if action in ("mute", "unmute", "deaf", "undeaf", "hold", "unhold", "get-uuid", "stop"):
            number = int(words[-1])
            if number not in self.members:
                raise CommandRefused(f"-ERR Non-Existant ID {number}")
            flag = action.removeprefix("un")
            if flag in ("mute", "deaf", "hold"):
                setattr(self.members[number], flag, action == flag)
            if action in EVENT_OF:
                self.events.append((number, EVENT_OF[action](NOW)))
        return "+OK\n"

    def _relate(self, words: list[str]) -> str:
        if words == ["0"]:
            return "".join(f"{a} -> {b} SPEAK NOHEAR NOSENDVIDEO \n" for a, b in sorted(self.apart)) or "+OK none\n"
        replies = []
        for listener in map(int, words[0].split(",")):
            for speaker in map(int, words[1].split(",")):
                if listener not in self.members or (words[2] == "nohear" and speaker not in self.members):
                    replies.append(f"-ERR relationship {listener}->{speaker} not found.")
                    continue
                change = self.apart.add if words[2] == "nohear" else self.apart.discard
                change(Pair(listener, speaker))
                replies.append(f"+OK {listener}->{speaker}")
        return "\n".join(replies) + "\n"

    def joins(self, number: int) -> None:
        self.members[number] = Flags()
        self.events += [(number, each) for each in (CallInitiated(NOW), CallAnswered(NOW), MemberAdded(NOW, number))]

    def leaves(self, number: int) -> None:
        del self.members[number]
        self.apart = {pair for pair in self.apart if pair.listener != number}
        self.events += [(number, MemberRemoved(NOW)), (number, CallEnded(NOW, "NORMAL_CLEARING"))]

    def hears(self, listener: int, speaker: int) -> bool:
        heard, hearing = self.members[speaker], self.members[listener]
        return not (heard.mute or heard.hold or hearing.deaf or Pair(listener, speaker) in self.apart)


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
        self.late: list[list[str]] = []
        self.is_late = False
        self.arrived: set[int] = set()
        api: Any = self
        self.updates = Updates(self.world.store, api, api, SoundStore(client), self.world.new_applier, lambda _: None)

    # what the API sees: nodes, and a listener that answers
    is_connected = True

    def get(self, name: str) -> Room:
        return self

    def send(self, command: SwitchCommand, seconds: float = 2) -> str:
        if self.is_late:
            self.late[-1].append(command.render())
            return "+OK\n"
        return self.switch.api(command.render())

    def ask_to_relate(self, name: str, conference_sid: str, seconds: float) -> bool:
        """The question takes its place behind all events."""
        self.listen(len(self.switch.events))
        order = self.world.applier.relations(Question(conference_sid, "x").conference_sid)
        return order is None or self._execute([order])

    # the listener

    def listen(self, count: int) -> None:
        """The next `count` events in one batch, and what follows from them."""
        batch, self.switch.events = self.switch.events[:count], self.switch.events[count:]
        self._execute(self.world.applier.apply_events([happened(self.people[who], event) for who, event in batch]))

    def _execute(self, orders: list[Order]) -> bool:
        done = True
        for order in orders:
            try:
                execute(order, self.switch.api)
            except CommandRefused:
                done = False
                if isinstance(order, Together):
                    continue  # the listener takes a snapshot soon: `settle`
            self.nobody_else_hears_a_coach()
        return done

    def audit(self) -> None:
        snapshot = Snapshot(NOW)
        for number, flags in self.switch.members.items():
            call_sid = self.people[number].call_sid
            snapshot.channels[call_sid] = "ACTIVE"
            held = flags.hold
            snapshot.members[call_sid] = Member(self.sid, number, flags.mute or held, flags.deaf or held, held)
        self._execute(self.world.applier.apply_snapshot(snapshot, NODE, lambda _: False))

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
            text = self.late[which % len(self.late)].pop(0)
            with contextlib.suppress(CommandRefused):
                self.switch.api(text)
        self.late = [group for group in self.late if group]

    def act(self, action: tuple[Any, ...], late: bool) -> None:
        match action:
            case ("join", number) if number not in self.arrived:
                self.arrived.add(number)
                self.switch.joins(number)
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
@settings(max_examples=150)
def test_the_last_request_of_each_kind_is_what_is_so(
    redis_server: str, actions: list[tuple[tuple[Any, ...], bool]]
) -> None:
    """Every command reaches the switch before the request is answered: then no audit is needed. And whatever happens
    in between, nobody but the coached ever hears a coach."""
    play(redis_server, actions, some_are_late=False).what_was_asked_for_is_so()


@given(st.lists(st.tuples(ACTIONS, st.booleans()), max_size=30))
@settings(max_examples=150)
def test_commands_that_overtake_each_other_are_put_right(
    redis_server: str, actions: list[tuple[tuple[Any, ...], bool]]
) -> None:
    """Several API processes, each with its own connection: what an audit finds counts in the end."""
    play(redis_server, actions, some_are_late=True).what_was_asked_for_is_so()
