"""A conference whose people are listened to: what each hears is compared with what they ought to hear.

    room = Room(stack, web)
    room.add("anna", 1)
    room.add("bert", 2)
    room.expect("plain", anna="bert", bert="anna")

`expect` compares the switch's flags and whispers (on every switch), and on a real FreeSWITCH the sound that reaches
each phone: every phone plays a tone of its own, and so does every other sound. Each call is a row of TABLE, which is
printed at the end of the run.
"""

from __future__ import annotations

import json
import secrets
import time
import wave
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from orchestrator.freeswitch.commands import ChannelExists
from orchestrator.freeswitch.whisper import ListWhispers, Whisper, pair_of
from orchestrator.sids import is_recorder
from tests.harness.ears import Ears, is_heard
from tests.harness.freeswitch import EslSocket, FreeSwitchError, tone_hz
from tests.harness.polling import eventually
from tests.harness.sound import Samples, frame_levels, read_wav
from tests.harness.stack import RealSwitch, Stack

SOUNDS: Final = {"music": 300, "file": 2600, "other-file": 2800, "beep": 2400}
"""Name -> a tone that nothing else has; `music` is the stock music's bass."""

EVENTS: Final = ["start", "end", "join", "leave", "mute", "hold", "modify", "speaker", "announcement"]


@dataclass(frozen=True)
class Row:
    """One situation: listener -> what was to be heard, and the levels that were measured (none on the sandbox)."""

    switch: str
    situation: str
    expected: dict[str, frozenset[str]]
    measured: dict[str, dict[str, float]]

    @property
    def is_right(self) -> bool:
        return all(
            is_heard(dbfs) is (name in self.expected[listener])
            for listener, levels in self.measured.items()
            for name, dbfs in levels.items()
        )

    def __str__(self) -> str:
        return f"{self.situation:<58} " + "  ".join(f"{name}: {self._cell(name)}" for name in self.expected)

    def _cell(self, listener: str) -> str:
        expected, levels = self.expected[listener], self.measured.get(listener, {})
        if not levels:
            return "+".join(sorted(expected)) or "-"
        heard = " ".join(f"{name} {dbfs:.0f}" for name, dbfs in levels.items() if name in expected) or "-"
        silent = [dbfs for name, dbfs in levels.items() if name not in expected]
        return f"{heard} (others {max(silent):.0f})" if silent else heard


TABLE: list[Row] = []


@dataclass
class Person:
    """Somebody in the room."""

    label: str
    number: str
    call_sid: str


@dataclass
class Room:
    """`people` are those who are in it now, by label."""

    stack: Stack
    name: str = field(default_factory=lambda: f"room {secrets.token_hex(4)}")
    people: dict[str, Person] = field(default_factory=dict)
    conference_sid: str = ""
    call_sids: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.client = self.stack.client()

    @property
    def conference(self) -> Any:
        return self.client.conferences(self.conference_sid)

    def add(self, label: str, digit: int, **settings: Any) -> Person:
        """Dial somebody whose tone is 1000 Hz + 100 Hz * digit; returns when they have joined."""
        number = f"+1555000100{digit}"
        events = {"conference_status_callback_event": EVENTS}
        settings = {"to": number, "label": label, "beep": "false"} | events | settings
        made = self.client.conferences(self.name).participants.create(**self.stack.call_settings(**settings))
        self.conference_sid = made.conference_sid
        person = self.people[label] = Person(label, number, made.call_sid)
        self.call_sids.add(made.call_sid)
        eventually(lambda: self.conference.participants(label).fetch().status == "connected", f"{label} has joined")
        return person

    def update(self, label: str, **changes: Any) -> Any:
        return self.conference.participants(label).update(**changes)

    def remove(self, label: str) -> None:
        self.conference.participants(label).delete()
        del self.people[label]

    def await_event(self, kind: str, count: int = 1) -> dict[str, str]:
        """The parameters of the last of so many callbacks of this kind."""
        return self.stack.receiver.await_kind(self.conference_sid, kind, count)[-1].parameters

    def end(self) -> None:
        self.conference.update(status="completed")

    # ------------------------------------------------------------ what is heard

    def expect(self, situation: str, **heard: str) -> None:
        """Everybody named hears these people and sounds, and nothing else that we know of."""
        expected = {label: frozenset(words.split()) for label, words in heard.items()}
        eventually(lambda: self._agrees(expected), f"{situation}: the switch's flags say so")
        measured: dict[str, dict[str, float]] = {}
        for _ in range(4):  # sounds come from workers, a moment later
            measured = self._listen(tuple(expected))
            row = Row(self.stack.switch.name, situation, expected, measured)
            if row.is_right or not self._is_right_about_people(row):
                break
        TABLE.append(row)

        assert row.is_right, str(row)

    def expect_soon(self, situation: str, seconds: float = 15.0, **heard: str) -> None:
        """The same of what takes its time; only the last try is a row."""

        def probe() -> bool:
            rows = len(TABLE)
            try:
                self.expect(situation, **heard)
            except AssertionError:
                del TABLE[rows:]
                raise
            return True

        eventually(probe, situation, seconds)

    def expect_during(self, situation: str, act: Callable[[], object], **heard: str) -> None:
        """What is heard in the 1.5 s that begin with `act`, of those who are there all the time; for beeps, which are
        over before anybody could look."""
        expected = {label: frozenset(words.split()) for label, words in heard.items()}
        wants_beep = any("beep" in words for words in expected.values())
        with self._beeps() as beeps:
            measured = self._listen(tuple(expected), 1.5, act)
            if wants_beep:
                eventually(lambda: beeps, f"{situation}: a beep is played")
        row = Row(self.stack.switch.name, situation, expected, measured)
        TABLE.append(row)

        assert bool(beeps) is wants_beep, situation
        assert row.is_right, str(row)

    def matrix(self) -> dict[str, set[str]]:
        """Listener -> whom they hear, by the switch's flags and whispers."""
        members, whispers = self.members(), self.whispers()
        flags = {label: members[person.call_sid]["flags"] for label, person in self.people.items()}
        return {
            listener: {
                speaker
                for speaker in flags
                if speaker != listener
                and (
                    (flags[listener]["can_hear"] and flags[speaker]["can_speak"])
                    or (self.people[speaker].call_sid, self.people[listener].call_sid) in whispers
                )
            }
            for listener in flags
        }

    def _agrees(self, expected: dict[str, frozenset[str]]) -> bool:
        try:
            matrix = self.matrix()
        except KeyError as error:
            raise AssertionError(f"not in the conference: {error}") from error
        wanted = {label: set(words) & set(self.people) for label, words in expected.items()}
        found = {label: matrix[label] for label in expected}
        assert found == wanted, f"{found}, not {wanted}"
        for label, words in expected.items():
            assert self.is_played_to(label) is bool(words & SOUNDS.keys()), f"{label}: {words}"
        return True

    def is_played_to(self, label: str) -> bool:
        """Something is played to them, alone or with all others who hear the conference."""
        member = self.members()[self.people[label].call_sid]
        alone = self._api(f"play_status {member['id']}").startswith("+OK")
        return alone or (member["flags"]["can_hear"] and self._api("play_status").startswith("+OK"))

    def _listen(
        self, labels: tuple[str, ...], seconds: float = 0.4, during: Callable[[], object] | None = None
    ) -> dict[str, dict[str, float]]:
        """Nothing on the sandbox: its phones have no sound."""
        if not isinstance(self.stack.switch, RealSwitch):
            if during is not None:
                during()
            return {}
        numbers = {self.people[label].number: label for label in labels}
        before = set(self.people)
        names = {tone_hz(person.number): label for label, person in self.people.items()}
        names |= {hz: name for name, hz in SOUNDS.items()}
        ears = Ears(self.stack.switch.far_end, numbers)
        heard = ears.listen(names, seconds, 0.2 if during is None else 0, during)
        gone = before - set(self.people)
        return {
            label: {names[hz]: dbfs for hz, dbfs in heard[number].items() if names[hz] not in {label, *gone}}
            for number, label in numbers.items()
        }

    def _is_right_about_people(self, row: Row) -> bool:
        return all(
            is_heard(dbfs) is (name in row.expected[listener])
            for listener, levels in row.measured.items()
            for name, dbfs in levels.items()
            if name in self.people
        )

    # ------------------------------------------------------------ whole calls

    def leave(self, label: str) -> Person:
        """Remove somebody; returns when their phone has hung up, and its recording is complete."""
        person = self.people[label]
        self.remove(label)
        if isinstance(self.stack.switch, RealSwitch):
            far_end = self.stack.switch.far_end
            eventually(lambda: person.number not in far_end.api("show channels"), f"{label}'s phone has hung up")
        return person

    def listen_for_a_while(self, seconds: float = 1.0) -> None:
        """Let whole calls have something to be searched in; no time passes on the sandbox."""
        if isinstance(self.stack.switch, RealSwitch):
            time.sleep(seconds)

    def loudest(self, listener: Person, speaker: Person) -> float | None:
        """The loudest frame of `speaker` in the whole last call of `listener`, in dBFS; None on the sandbox."""
        levels = self.levels(listener, speaker)
        return None if levels is None else max(levels)

    def levels(self, listener: Person, speaker: Person) -> list[float] | None:
        """The level of `speaker` in each frame of the whole last call of `listener`; None on the sandbox."""
        if not isinstance(self.stack.switch, RealSwitch):
            return None
        ears = Ears(self.stack.switch.far_end, [listener.number])

        def recording() -> Samples:
            try:
                return read_wav(ears.whole_call(listener.number))
            except wave.Error as error:
                raise AssertionError(f"not written to its end: {error}") from error

        samples = eventually(recording, f"{listener.label}'s call is recorded")
        return frame_levels(samples, tone_hz(speaker.number))

    def note(self, situation: str, expected: dict[str, str], measured: dict[str, dict[str, float]]) -> None:
        """A row of whole calls, compared like the others."""
        words = {label: frozenset(text.split()) for label, text in expected.items()}
        row = Row(self.stack.switch.name, situation, words, measured)
        TABLE.append(row)

        assert row.is_right, str(row)

    # ------------------------------------------------------------ what the switch says

    def _api(self, command: str) -> str:
        return self.stack.switch.api(f"conference {self.conference_sid} {command}")

    def members(self) -> dict[str, dict[str, Any]]:
        """CallSid -> the member; a recording is one that has no call."""
        conferences = json.loads(self.stack.switch.api("conference json_list") or "[]")
        found = [each for each in conferences if each["conference_name"] == self.conference_sid]
        return {
            "CA" + row["uuid"].replace("-", ""): row
            for each in found
            for row in each["members"]
            if "uuid" in row and not is_recorder(row["uuid"])
        }

    def pairs(self) -> set[str]:
        """The whisper pairs of whoever has been in this room."""
        rows = json.loads(self.stack.switch.api(ListWhispers().render())).get("rows", [])
        found = [pair_of(row["name"]) for row in rows]
        return {pair.channel_uuid for pair in found if pair is not None and pair.coach in self.call_sids}

    def whispers(self) -> set[tuple[str, str]]:
        """(coach, coached), by CallSid. Each pair is asked for: `show channels` may lose the row of one that is up."""
        here = [person.call_sid for person in self.people.values()]
        return {
            (coach, coached)
            for coach in here
            for coached in here
            if coach != coached and self._is_up(Whisper(self.conference_sid, coach, coached))
        }

    def _is_up(self, whisper: Whisper) -> bool:
        return self.stack.switch.api(ChannelExists(whisper.channel_uuid).render()).strip() == "true"

    @contextmanager
    def _beeps(self) -> Iterator[list[str]]:
        """The files of beeps that the switch begins to play in this conference."""
        beeps: list[str] = []
        connection = EslSocket(self.stack.switch.esl_port, self.stack.switch.password)
        connection.command("event json CUSTOM conference::maintenance")

        def read() -> None:
            try:
                while True:
                    _, body = connection.read()
                    event = json.loads(body) if body.startswith("{") else {}
                    mine = event.get("Conference-Name") == self.conference_sid
                    if mine and event.get("Action") == "play-file" and event.get("Async") == "true":
                        beeps.append(event["File"])
            except (OSError, ValueError, FreeSwitchError):
                return

        with ThreadPoolExecutor(1) as pool:
            pool.submit(read)
            try:
                yield beeps
            finally:
                connection.close()
