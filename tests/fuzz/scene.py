"""One conference of `make fuzz`, from its first person to the last key in Redis."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from orchestrator.lanes.sweep import Sweep
from tests.fuzz import checks
from tests.fuzz.checks import View
from tests.fuzz.model import PROPERTIES, Announcement, Person, Room
from tests.fuzz.operations import GONE, OPERATIONS, STAYS, Hand, Operation, add, announce_to_all, end, opposite, remove
from tests.fuzz.world import Answer, Finding, World
from tests.harness.freeswitch import FreeSwitchError
from tests.harness.receiver import Received
from tests.harness.room import Person as Phone
from tests.harness.room import Room as Switchboard

TOLD_SECONDS: Final = 30.0
"""Callbacks that were refused come again; within so long all have come."""

LEFT_SECONDS: Final = 12.0
"""A lane's lease, and the sweep after it."""


class Scene:
    """Everything in it follows from `seed`, but for what happens at the same time. `journal` says what was asked."""

    def __init__(self, world: World, seed: str, senders: ThreadPoolExecutor) -> None:
        self.world = world
        self.room = Room(f"fuzz {seed}")
        self.journal: list[str] = []
        self._began = time.monotonic()
        self._chance = random.Random(seed)  # noqa: S311 - chance, not secrets
        self._hand = Hand(world, self.room, self._chance)
        self._senders = senders
        self._switch_deaths = world.switch_deaths

    def play(self) -> None:
        """Raises Finding."""
        for _ in self.world.waiting("somebody is added"):
            made = [add(self._hand) for _ in range(self._chance.randint(1, 3))]
            self._send([operation for operation in made if operation is not None])
            if self.room.sid:
                break
        for _ in range(self._chance.randint(4, 25)):
            self._volley()
            if self._chance.random() < 0.4:
                self._settle()
            if self.room.over.is_surely(True):
                break
        self._close()
        self._check_callbacks()
        self._check_recordings()
        self._check_leftovers()

    def leave(self) -> None:
        """Nobody stays behind, whatever was found."""
        for _ in range(50):
            if not self.room.sid or self.world.ask("POST", f"/{self.room.sid}.json", {"Status": "completed"}).is_done:
                return
            time.sleep(0.2)

    # ------------------------------------------------------------ asking

    def _volley(self) -> None:
        """One request, several, or two that want the opposite; at the same time."""
        made = [self._make() for _ in range(self._chance.choice([1, 1, 2, 3, 5]))]
        operations = [operation for operation in made if operation is not None]
        first = operations[0] if operations else None
        if first is not None and first.sets.keys() & {"muted", "hold", "end_on_exit"} and self._chance.random() < 0.5:
            operations.append(opposite(first))
        self._send(operations)

    def _make(self) -> Operation | None:
        return self._chance.choices(list(OPERATIONS), list(OPERATIONS.values()))[0](self._hand)

    def _send(self, operations: Sequence[Operation]) -> None:
        for belief in self.room.beliefs():
            belief.begin()
        self._look_for_a_dead_switch()
        ask = self.world.ask
        futures = [self._senders.submit(ask, each.method, each.path, each.form or None) for each in operations]
        answered = [(operation, future.result()) for operation, future in zip(operations, futures, strict=True)]
        for operation, answer in answered:
            self._note(f"{operation} -> {answer.status} {answer.code or ''}")
        self._believe(answered)
        for operation, answer in answered:
            self._check_answer(operation, answer)
        for person in {
            operation.person.call_sid: operation.person for operation in operations if operation.person
        }.values():
            self._read_back(person)

    def _believe(self, answered: Sequence[tuple[Operation, Answer]]) -> None:
        for operation, answer in answered:
            if operation.new is not None and answer.is_done:
                self._welcome(operation.new, answer, [one.new for one, _ in answered if one.new is not None])
            elif operation.new is not None and answer.is_doubtful:
                self.room.unanswered[operation.new.label] = operation.new
            url = operation.form.get("AnnounceUrl")
            if url is not None and (answer.is_done or answer.is_doubtful or answer.code == GONE[1]):
                # With 404 it may have been taken before they left.
                self.room.announcements.append(Announcement(url, answer.is_done))
        beliefs = {id(belief): belief for operation, _ in answered for belief, _ in operation.sets.values()}
        for belief in beliefs.values():
            told = [
                (value, answer)
                for operation, answer in answered
                for about, value in operation.sets.values()
                if about is belief
            ]
            done = [value for value, answer in told if answer.is_done]
            # Whoever has left on the switch, and not yet for us, is shown with whatever was wanted of them last.
            belief.told(done, [value for value, answer in told if answer.is_doubtful or answer.code == GONE[1]])
        self._look_for_a_dead_switch()
        for _ in range(3):  # one thing follows from the other
            self.room.follow()

    def _welcome(self, person: Person, answer: Answer, company: Sequence[Person]) -> None:
        """Of several who are added to a new name at once, the first may have gone before the second came: then the
        second is in a conference of its own, which is not this scene's."""
        room, sid = self.room, str(answer.body["conference_sid"])
        room.sid = room.sid or sid
        if sid != room.sid:
            may_be_over = True in room.over.of_late or any(one.number not in STAYS for one in company)
            self.world.check(may_be_over, f"two conferences are called {room.name}: {sid}")
            self.world.ask("POST", f"/{sid}.json", {"Status": "completed"})
            return
        person.call_sid = str(answer.body["call_sid"])
        room.people[person.call_sid] = person
        room.follow()

    def _look_for_a_dead_switch(self) -> None:
        if self._switch_deaths != self.world.switch_deaths:
            self._switch_deaths = self.world.switch_deaths
            self._note("the switch has died")
            self.room.swept()

    # ------------------------------------------------------------ what was answered

    def _check_answer(self, operation: Operation, answer: Answer) -> None:
        check = self.world.check
        got = f"{operation}: {answer.status} {answer.body if answer.code else ''}"
        if answer.is_doubtful:
            check(self.world.is_excused(answer.began), f"{got}, though nothing is broken")
        elif answer.is_done:
            check(not operation.must_be_refused(), f"{got}, and has to be refused")
        else:
            refusal = (answer.status, answer.code)
            check(refusal in operation.refusals(), f"{got} is no right answer")
            if refusal == GONE and operation.person is not None:
                self._has_gone(operation, operation.person)

    @staticmethod
    def _has_gone(operation: Operation, person: Person) -> None:
        """The switch may know it before the listener does: then only a removal says that a GET will know it, too."""
        if operation.method == "DELETE":
            person.here.seen(False)
        else:
            person.here.doubts.add(False)

    def _read_back(self, person: Person) -> None:
        """Read your writes."""
        path = f"/{self.room.sid}/Participants/{person.call_sid}.json"
        shown = self.world.read(path)
        self._look_for_a_dead_switch()
        if shown is None:
            self.world.check(False in person.here.of_late, f"GET of {person.label}: 404")
            return
        self.world.check(True in person.here.possible, f"GET of {person.label}: {shown['status']}, and was removed")
        for name, (key, _) in PROPERTIES.items():
            possible = getattr(person, name).possible
            self.world.check(shown[key] in possible, f"GET of {person.label}: {key} is {shown[key]}, not {possible}")

    # ------------------------------------------------------------ looking

    def _settle(self) -> None:
        """Nothing is asked meanwhile; then API and switch agree, on what was asked for."""
        view = self._agreed()
        for check in checks.AS_BELIEVED:
            for complaint in check(self.room, view):
                raise Finding(f"{check.__name__}: {complaint}")
            self.world.checks += 1
        self._learn(view)

    def _agreed(self) -> View:
        complaints = ["nothing was seen"]
        try:
            for _ in self.world.waiting("API and switch agree"):
                view = self._look()
                if view is None:
                    continue
                complaints = [f"{check.__name__}: {each}" for check in checks.AGREEMENT for each in check(view)]
                self.world.checks += len(checks.AGREEMENT)
                if not complaints:
                    return view
        except Finding as finding:
            raise Finding(f"{finding}: {complaints}") from None
        raise AssertionError("not reached")

    def _look(self) -> View | None:
        """None while something is away."""
        self._look_for_a_dead_switch()
        room, world = self.room, self.world
        for _ in range(3):
            room.follow()
        conference = world.read(f"/{room.sid}.json")
        listed = world.read(f"/{room.sid}/Participants.json")
        if conference is None or listed is None:
            raise Finding(f"GET of conference {room.sid}: 404")
        people = {str(person["call_sid"]): person for person in listed["participants"]}
        self._adopt(people)
        board = Switchboard(world.stack, room.name, conference_sid=room.sid)
        try:
            members = board.members()
            board.people = {
                person.label: Phone(person.label, person.number, sid)
                for sid, person in room.people.items()
                if sid in members and sid in people
            }
            hearing = board.matrix()
        except (OSError, FreeSwitchError, KeyError):
            return None
        channels, hooks = set[str](), dict[str, bool]()
        for sid in room.people:
            hook = world.switch(f"uuid_getvar {_uuid(sid)} api_hangup_hook")
            if hook is None:
                return None
            if not hook.startswith("-ERR"):
                channels.add(sid)
                hooks[sid] = hook.startswith("conference")
        return View(conference, people, members, hooks, frozenset(channels), hearing)

    def _adopt(self, people: Mapping[str, Mapping[str, object]]) -> None:
        """Those who were added all the same though nobody was told so."""
        for sid in people.keys() - self.room.people.keys():
            person = self.room.unanswered.pop(str(people[sid]["label"]), None)
            if person is None:
                raise Finding(f"nobody added {sid}, {people[sid]['label']}")
            person.call_sid = sid
            self.room.people[sid] = person
            self.room.follow()

    def _learn(self, view: View) -> None:
        """What is so now. Who may go by themselves may still, and what was doubtful may still come."""
        if view.is_over:
            self.room.over.seen(True)
        for sid, person in self.room.people.items():
            shown = view.people.get(sid)
            if shown is None:
                person.here.seen(False)
                continue
            person.was_connected |= shown["status"] == "connected"
            for name, (key, _) in PROPERTIES.items():
                getattr(person, name).seen(shown[key])

    # ------------------------------------------------------------ the end

    def _close(self) -> None:
        """In one of several ways; sometimes right behind an announcement."""
        way = self._chance.choice(["end", "announce and end", "remove all", "remove all at once"])
        if way == "announce and end":
            announcement = announce_to_all(self._hand)
            self._send([announcement] if announcement else [])
        while way.startswith("remove all") and self.room.anybody():
            leavers = [operation for operation in [remove(self._hand)] if operation is not None]
            if way == "remove all at once":
                leavers = [_removal(self.room, person) for person in self.room.anybody()]
            self._send(leavers)
        ending = end(self._hand)
        for _ in self.world.waiting("the conference is ended"):
            if ending is not None and self.world.ask(ending.method, ending.path, ending.form).is_done:
                break
        self._note("ended")
        self.room.over.told([True], [])
        for person in self.room.people.values():
            person.here.told([False], [])
        self._settle()

    def _check_callbacks(self) -> None:
        """When all has come."""
        room, world = self.room, self.world
        told = self._await_last(room.sid, lambda last: last.kind == "conference-end")
        complaints = [
            f"{check.__name__}: {each}" for check in checks.CONFERENCE_CALLBACKS for each in check(room, told)
        ]
        for sid in room.people:
            told = self._await_last(sid, lambda last: last.parameters["CallStatus"] not in checks.PROGRESS)
            complaints += [f"{check.__name__}: {each}" for check in checks.CALL_CALLBACKS for each in check(sid, told)]
        world.checks += len(checks.CONFERENCE_CALLBACKS) + len(checks.CALL_CALLBACKS) * len(room.people)
        if complaints:
            raise Finding("; ".join(complaints))

    def _check_recordings(self) -> None:
        """Each has ended and is told of, and no part of what could be kept is left."""
        rooms = (self.world.read(f"/{self.room.sid}/Recordings.json"),)
        calls = (self.world.read(f"/{sid}/Recordings.json", of="Calls") for sid in self.room.people)
        for listed in (*rooms, *calls):
            for recording in (listed or {"recordings": []})["recordings"]:
                self._check_recording(recording["sid"])

    def _check_recording(self, sid: str) -> None:
        told = self._await_last(sid, lambda last: last.parameters["RecordingStatus"] in checks.FINAL)
        recording = self.world.read(f"/{sid}.json", of="Recordings")
        self.world.check(recording is not None, f"GET of recording {sid}: 404")
        for complaint in checks.recording_progress(recording or {}, told):
            raise Finding(complaint)
        parts = self.world.stack.directory / "recordings" / "parts"
        if recording is not None and recording["status"] != "failed":
            for _ in self.world.waiting(f"no part of {sid} is left"):
                if not list(parts.glob(f"*{sid}*")):
                    break
        self.world.recordings += 1
        self.world.forget(sid)

    def _await_last(self, sid: str, is_last: Callable[[Received], bool]) -> list[Received]:
        told: list[Received] = []
        try:
            for _ in self.world.waiting(f"the last callback of {sid}", TOLD_SECONDS):
                told = self.world.callbacks(sid)
                if told and is_last(told[-1]):
                    break
        except Finding as finding:
            raise Finding(f"{finding}; came: {[one.kind for one in told]}") from None
        return told

    def _check_leftovers(self) -> None:
        left = ["nothing was seen"]
        # After a crash, which need not be over yet, a worker's search frees the name.
        has_crashed = self._has_crashed()
        seconds = LEFT_SECONDS + (Sweep.FORGOTTEN_SECONDS if has_crashed else 0.0)
        try:
            for _ in self.world.waiting("nothing is left", seconds):
                left = checks.left_over(self.room.sid, self.world.keys(self.room.sid))
                left += self.world.indexes_with(self.room.sid)
                if has_crashed:  # who was to clear a sound away may have died: it ends by itself
                    left = [key for key in left if not key.startswith("playback:")]
                self.world.checks += 1
                if not left:
                    break
        except Finding as finding:
            if has_crashed or not self._has_crashed():
                raise Finding(f"{finding}: {left}") from None
            self._check_leftovers()
            return
        self.world.forget(self.room.sid, *self.room.people)

    def _has_crashed(self) -> bool:
        return self.world.broken > 0 or self.world.mended_at > self._began

    def _note(self, line: str) -> None:
        self.journal.append(f"{time.monotonic() - self._began:7.3f} {line}")


def _removal(room: Room, person: Person) -> Operation:
    return Operation(
        f"remove {person.label}", "DELETE", f"/{room.sid}/Participants/{person.call_sid}.json", {},
        {"here": (person.here, False)}, person, None, lambda: {GONE},
    )  # fmt: skip


def _uuid(call_sid: str) -> str:
    digits = call_sid.removeprefix("CA")
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
