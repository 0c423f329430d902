"""The operations of `make fuzz`, as a table: what a tenant may ask for, and which refusals are right."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from tests.fuzz.model import PROPERTIES, Belief, Person, Room
from tests.fuzz.world import World

GONE: Final = (404, 20404)
LABEL_TAKEN: Final = (400, 16026)
FULL: Final = (400, 16020)
OVER: Final = (404, 16022)
NOT_STARTED: Final = (400, 16001)
NOT_THERE_YET: Final = (400, 16099)
SEVERAL: Final = (400, 16108)
NOT_SO: Final = (400, 16114)
ENOUGH: Final = (429, 20429)
COACHED_IS_GONE: Final = (400, 16028)
COACHED_IS_HELD: Final = (400, 16027)

STAYS: Final = {f"+1555000100{digit}": 4 for digit in range(1, 4)} | {"+15550002000": 4, "+15550002001": 2}
GOES: Final = {
    "+15550005001": 2,  # hangs up after so many seconds
    "+15550005003": 3,
    "+15550003000": 1,  # busy
    "+15550009000": 1,  # declines
    "+15550006000": 1,  # does not exist
    "+15550004000": 1,  # never answers
    "+15550007001": 1,  # early media, then answers
    "+15550008001": 1,  # early media, then busy
}
NUMBERS: Final = STAYS | GOES
"""What a phone does (tests/farend/phones.xml) -> how often it is called."""


@dataclass
class Operation:
    """One request, and what it means if it is answered with success. `refusals`: statuses and codes that are right."""

    what: str
    method: str
    path: str
    form: dict[str, str] = field(default_factory=dict)
    sets: dict[str, tuple[Belief, object]] = field(default_factory=dict)
    person: Person | None = None
    new: Person | None = None
    refusals: Callable[[], set[tuple[int, int]]] = set
    must_be_refused: Callable[[], bool] = lambda: False

    def __str__(self) -> str:
        told = {name: value for name, value in self.form.items() if "StatusCallback" not in name and name != "From"}
        return f"{self.what} {told or self.path}"


@dataclass
class Hand:
    """What an operation is made of."""

    world: World
    room: Room
    chance: random.Random
    count: int = 0

    def name(self, prefix: str) -> str:
        """A word that was not used before in this conference."""
        self.count += 1
        return f"{prefix}{self.count}"


Make = Callable[[Hand], Operation | None]


def _person_path(room: Room, person: Person, by_label: bool) -> str:
    return f"/{room.sid}/Participants/{person.label if by_label else person.call_sid}.json"


def _is_gone(person: Person) -> set[tuple[int, int]]:
    return {GONE} if False in person.here.of_late else set()


# ---------------------------------------------------------------- adding people


def add(hand: Hand) -> Operation | None:
    """By name as long as the conference does not exist; then by SID."""
    room, chance = hand.room, hand.chance
    if len(room.anybody()) > 6:
        return None
    receiver = hand.world.stack.receiver.url
    used = [person.label for person in room.anybody()]
    is_again = bool(used) and chance.random() < 0.15
    label = chance.choice(used) if is_again else hand.name("p")
    number = chance.choices(list(NUMBERS), list(NUMBERS.values()))[0]
    muted, ends = chance.random() < 0.2, chance.random() < 0.15
    most = chance.choice([250, 250, 250, 3])
    form = {
        "From": "+15550009999",
        "To": number,
        "Label": label,
        "Muted": str(muted).lower(),
        "EndConferenceOnExit": str(ends).lower(),
        "StartConferenceOnEnter": str(chance.random() < 0.8).lower(),
        "Beep": chance.choice(["true", "false", "onEnter", "onExit"]),
        "MaxParticipants": str(most),
        "StatusCallback": receiver(),
        "StatusCallbackEvent": "initiated ringing answered completed",
        "ConferenceStatusCallback": receiver(),
        "ConferenceStatusCallbackEvent": "start end join leave mute hold modify speaker announcement",
    }
    if number == "+15550004000":
        form["Timeout"] = "5"
    if chance.random() < 0.2:
        form |= {"Record": "true", "RecordingChannels": chance.choice(["mono", "dual"]), **_told_of(hand, "")}
    if chance.random() < 0.3:
        form |= {"ConferenceRecord": "record-from-start", **_told_of(hand, "Conference")}
    if chance.random() < 0.3:
        form["WaitUrl"] = chance.choice(["", hand.world.web.url("/loop.xml")])
    here: set[object] = {True} if number in STAYS else {True, False}
    person = Person("", label, number, Belief({muted}), Belief({False}), Belief({ends}), Belief(here))
    before = [one for one in room.anybody() if one.label == label]
    held_for_sure = [one for one in before if one.here.is_surely(True)]
    live = len(room.anybody())

    def refusals() -> set[tuple[int, int]]:
        right = {OVER} if True in room.over.of_late else set()
        if is_again:
            right.add(LABEL_TAKEN)
        # Others are added at the same moment, and 3 of them are one volley.
        return right | ({FULL} if most <= live + 3 + len(room.unanswered) else set())

    def must_be_refused() -> bool:
        is_taken = any(one.here.of_late == {True} for one in held_for_sure)
        for_sure = sum(one.here.of_late == {True} for one in room.people.values() if one is not person)
        return is_taken or for_sure >= most + 1

    path = f"/{room.sid or room.name}/Participants.json"
    return Operation("add", "POST", path, form, {}, None, person, refusals, must_be_refused)


# ---------------------------------------------------------------- changing them


def change(name: str) -> Make:
    """Set one property of somebody to true or false."""

    def make(hand: Hand) -> Operation | None:
        people = hand.room.anybody()
        if not people:
            return None
        person, value = hand.chance.choice(people), hand.chance.random() < 0.5
        form = {PROPERTIES[name][1]: str(value).lower()}
        if name == "hold" and value and hand.chance.random() < 0.5:
            form["HoldUrl"] = hand.world.web.url(hand.chance.choice(["/loop.xml", "/missing.xml"]))
        path = _person_path(hand.room, person, hand.chance.random() < 0.3 and _is_only(hand.room, person))
        belief = getattr(person, name)
        return Operation(
            f"{name} of {person.label}", "POST", path, form, {name: (belief, value)}, person, None,
            lambda: _is_gone(person),
        )  # fmt: skip

    return make


def _is_only(room: Room, person: Person) -> bool:
    """Nobody else was ever called so."""
    return sum(one.label == person.label for one in room.people.values()) == 1


def note(hand: Hand) -> Operation | None:
    """What nobody hears at once: BeepOnExit, WaitUrl."""
    people = hand.room.anybody()
    if not people:
        return None
    person = hand.chance.choice(people)
    form = hand.chance.choice([{"BeepOnExit": "true"}, {"WaitUrl": ""}, {"WaitUrl": hand.world.web.url("/loop.xml")}])
    path = _person_path(hand.room, person, False)
    return Operation(f"note of {person.label}", "POST", path, form, {}, person, None, lambda: _is_gone(person))


def coach(hand: Hand) -> Operation | None:
    """Somebody coaches somebody else from now on, or nobody."""
    people = hand.room.anybody()
    if len(people) < 2:
        return None
    person, coached = hand.chance.sample(people, 2)
    form = {"Coaching": "true", "CallSidToCoach": coached.call_sid}
    if hand.chance.random() < 0.4:
        form = {"Coaching": "false"}

    def refusals() -> set[tuple[int, int]]:
        right = _is_gone(person)
        if "CallSidToCoach" in form:
            right |= {COACHED_IS_GONE} if False in coached.here.of_late else set()
            right |= {COACHED_IS_HELD} if True in coached.hold.of_late else set()
        return right

    path = _person_path(hand.room, person, False)
    return Operation(f"coach {person.label}", "POST", path, form, {}, person, None, refusals)


# ---------------------------------------------------------------- announcing


def announce(hand: Hand) -> Operation | None:
    """To somebody: something short, or a document that is not there."""
    people = hand.room.anybody()
    if not people:
        return None
    person = hand.chance.choice(people)
    form = _announcement(hand)
    path = _person_path(hand.room, person, False)
    return Operation(
        f"announce to {person.label}", "POST", path, form, {}, person, None,
        lambda: _is_gone(person) | (set() if person.was_connected else {NOT_THERE_YET}),
    )  # fmt: skip


def announce_to_all(hand: Hand) -> Operation | None:
    """Before the start nobody could hear it."""
    path = f"/{hand.room.sid}.json"
    return Operation("announce to all", "POST", path, _announcement(hand), refusals=lambda: {NOT_STARTED})


def _announcement(hand: Hand) -> dict[str, str]:
    page = hand.chance.choice(["/2600-0.3.wav", "/2600-0.3.wav", "/2600-2.wav", "/missing.wav"])
    return {"AnnounceUrl": f"{hand.world.web.url(page)}?{hand.name('a')}", "AnnounceMethod": "GET"}


# ---------------------------------------------------------------- recording


def _told_of(hand: Hand, prefix: str) -> dict[str, str]:
    words = (
        "in-progress completed failed absent" if prefix else "started paused resumed stopped completed failed absent"
    )
    name = f"{prefix}RecordingStatusCallback"
    return {name: hand.world.stack.receiver.url(), f"{name}Event": words}


def record(hand: Hand) -> Operation | None:
    """The conference, from now on."""
    form = {"Trim": hand.chance.choice(["do-not-trim", "trim-silence"]), **_told_of(hand, "")}
    return Operation(
        "record", "POST", f"/{hand.room.sid}/Recordings.json", form, refusals=lambda: {NOT_STARTED, ENOUGH}
    )


def change_recording(hand: Hand) -> Operation | None:
    """The one that is under way: there may be none, or several, and what is asked for may not fit it."""
    form = {"Status": hand.chance.choice(["paused", "in-progress", "stopped"])}
    if form["Status"] == "paused":
        form["PauseBehavior"] = hand.chance.choice(["skip", "silence"])
    path = f"/{hand.room.sid}/Recordings/Twilio.CURRENT.json"
    return Operation("change the recording", "POST", path, form, refusals=lambda: {GONE, SEVERAL, NOT_SO})


# ---------------------------------------------------------------- ending


def remove(hand: Hand) -> Operation | None:
    """Somebody's call ends."""
    people = hand.room.anybody()
    if not people:
        return None
    person = hand.chance.choice(people)
    path = _person_path(hand.room, person, False)
    sets: dict[str, tuple[Belief, object]] = {"here": (person.here, False)}
    return Operation(f"remove {person.label}", "DELETE", path, {}, sets, person, None, lambda: _is_gone(person))


def end(hand: Hand) -> Operation | None:
    """Everybody's."""
    sets: dict[str, tuple[Belief, object]] = {"over": (hand.room.over, True)}
    return Operation("end", "POST", f"/{hand.room.sid}.json", {"Status": "completed"}, sets)


OPERATIONS: Final[dict[Make, int]] = {
    add: 8,
    change("muted"): 8,
    change("hold"): 8,
    change("end_on_exit"): 6,
    note: 2,
    coach: 5,
    announce: 4,
    announce_to_all: 3,
    record: 2,
    change_recording: 3,
    remove: 3,
    end: 1,
}
"""Operation -> how often it is chosen."""


def opposite(operation: Operation) -> Operation:
    """The same, with the other value: the two sent at once."""
    ((name, (belief, value)),) = operation.sets.items()
    form = {PROPERTIES[name][1]: str(not value).lower()}
    sets: dict[str, tuple[Belief, object]] = {name: (belief, not value)}
    return Operation(operation.what, "POST", operation.path, form, sets, operation.person, None, operation.refusals)
