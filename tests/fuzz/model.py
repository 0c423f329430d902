"""What a tenant may believe of a conference, after all that was asked and answered.

Requests are sent several at once, and some get no answer; so a belief is a set: all values that would be right.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final


@dataclass
class Belief:
    """`values` follow from what was answered; `doubts` were asked for without an answer, and may still come true."""

    values: set[object]
    doubts: set[object] = field(default_factory=set)
    recent: set[object] = field(default_factory=set)

    @property
    def possible(self) -> set[object]:
        return self.values | self.doubts

    @property
    def of_late(self) -> set[object]:
        """All that was possible at some moment since the requests that are being answered were sent."""
        return self.possible | self.recent

    def is_surely(self, value: object) -> bool:
        return self.possible == {value}

    def may_be(self, value: object) -> bool:
        return value in self.possible

    def begin(self) -> None:
        """Requests are sent now."""
        self.recent = self.possible

    def told(self, done: Iterable[object], doubtful: Iterable[object]) -> None:
        """Of requests sent at once: one of `done` was the last, unless one of `doubtful` was."""
        done, doubtful = set(done), set(doubtful)
        self.recent |= done | doubtful
        if done:
            self.values = done
        self.doubts |= doubtful

    def seen(self, value: object) -> None:
        """Nothing is under way any more, and this is the truth."""
        self.values, self.doubts, self.recent = {value}, set(), {value}


PROPERTIES: Final = {
    "muted": ("muted", "Muted"),
    "hold": ("hold", "Hold"),
    "end_on_exit": ("end_conference_on_exit", "EndConferenceOnExit"),
}
"""Belief of a person -> its name in answers and in requests."""


@dataclass
class Person:
    """Somebody who was added. `here`: their call has not ended."""

    call_sid: str
    label: str
    number: str
    muted: Belief
    hold: Belief
    end_on_exit: Belief
    here: Belief
    was_connected: bool = False

    def beliefs(self) -> list[Belief]:
        return [self.muted, self.hold, self.end_on_exit, self.here]


@dataclass
class Announcement:
    """One that was asked for. `is_certain`: the answer was 200."""

    url: str
    is_certain: bool


@dataclass
class Room:
    """A conference: `over` when it has ended. `people` by CallSid, also those who have left; `unanswered` by label: who
    may be there all the same, and has not been seen yet."""

    name: str
    sid: str = ""
    people: dict[str, Person] = field(default_factory=dict)
    unanswered: dict[str, Person] = field(default_factory=dict)
    over: Belief = field(default_factory=lambda: Belief({False}))
    announcements: list[Announcement] = field(default_factory=list)

    def beliefs(self) -> list[Belief]:
        return [self.over, *(belief for person in self.people.values() for belief in person.beliefs())]

    def anybody(self) -> list[Person]:
        """Those who may be there."""
        return [person for person in self.people.values() if person.here.may_be(True)]

    def follow(self) -> None:
        """What follows from somebody's going: one with EndConferenceOnExit takes the others along, and nobody is left
        behind the last."""
        leaves_with_all = any(
            person.here.may_be(False) and person.end_on_exit.of_late & {True}
            for person in (*self.people.values(), *self.unanswered.values())
        )
        if leaves_with_all or all(person.here.may_be(False) for person in self.people.values()):
            self.over.doubts.add(True)
        if self.over.may_be(True):
            for person in self.anybody():
                person.here.doubts.add(False)

    def swept(self) -> None:
        """The switch has died, and all calls with it."""
        self.over.doubts.add(True)
        self.follow()
