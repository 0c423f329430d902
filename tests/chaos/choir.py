"""Three people on real switches who are listened to after each blow: who hears whom has to be right within 5 s."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final, TypeVar

import requests
from twilio.base.exceptions import TwilioRestException

from tests.harness.ears import Ears, is_heard
from tests.harness.freeswitch import FarEnd, FreeSwitchError, tone_hz
from tests.harness.stack import Stack

LABELS: Final = ("anna", "bert", "carl")
DIGITS: Final = 9
"""Tones that the phones have: after a node's end the next three sing, for nobody tells the others that it is over."""

RIGHT_SECONDS: Final = 5.0
PATIENCE_SECONDS: Final = 60.0

Answer = TypeVar("Answer")


class Choir:
    """One conference, made anew whenever its node has died. `wrong` tells what was not right in time."""

    def __init__(self, stack: Stack, far_end: FarEnd) -> None:
        self._far_end = far_end
        self._client = stack.client()
        self._made = 0
        self._sid = ""
        self._numbers: dict[str, str] = {}
        self._muted = ""
        self.slowest = 0.0
        self.listened = self.gathered = 0
        self.wrong: list[str] = []

    def __str__(self) -> str:
        return (
            f"who hears whom so far {self.listened} times right, {self.slowest:.1f} s after the blow at the latest, "
            f"and {len(self.wrong)} times not, in {self.gathered} conferences of three"
        )

    def turn(self) -> None:
        """Mute somebody else than before, the moment before a blow; who is muted is what the API has last agreed to."""
        if not self._is_on():
            self._gather()
        before, self._muted = self._muted, LABELS[(LABELS.index(self._muted) + 1) % 3] if self._muted else LABELS[0]
        for label in (before, self._muted):
            if label:
                self._ask(lambda one=label: self._person(one).update(muted=one == self._muted))  # type: ignore[misc]

    def look(self, blow: str) -> None:
        """After a blow: listen until all is right."""
        began = time.monotonic()
        while True:
            amiss = self._amiss()
            took = time.monotonic() - began
            if not amiss:
                self.listened += 1
                self.slowest = max(self.slowest, took)
                return
            if not self._is_on():
                if "node killed" not in blow:  # nothing else may end a conference
                    self.wrong.append(f"over after {blow}")
                return
            if took > RIGHT_SECONDS:
                self.wrong.append(f"{took:.1f} s after {blow}: {amiss}")
                self._sid = ""
                return

    def leave(self) -> None:
        """At the end of a round: nothing is left of anybody."""
        if self._sid:
            self._ask(lambda: self._client.conferences(self._sid).update(status="completed"))
        self._sid = ""

    def _amiss(self) -> str:
        """What is not as it has to be; '' if all is."""
        try:
            heard = Ears(self._far_end, self._numbers.values()).listen()
        except (AssertionError, FreeSwitchError) as error:
            return str(error)[:100]
        amiss = [
            f"{listener} {'hears' if is_heard(heard[number][tone_hz(other)]) else 'does not hear'} {speaker}"
            for listener, number in self._numbers.items()
            for speaker, other in self._numbers.items()
            if speaker != listener and is_heard(heard[number][tone_hz(other)]) is (speaker == self._muted)
        ]
        return ", ".join(amiss)

    def _is_on(self) -> bool:
        if not self._sid:
            return False
        conference = self._ask(lambda: self._client.conferences(self._sid).fetch())
        return conference is not None and conference.status == "in-progress"

    def _gather(self) -> None:
        """A conference of three others; whoever is left of the last is let go."""
        self.leave()
        self._made += 1
        self.gathered += 1
        self._muted = ""
        for place, label in enumerate(LABELS):
            number = f"+1555000100{1 + (3 * self._made + place) % DIGITS}"
            self._numbers[label] = number
            self._far_end.api(f"hupall NORMAL_CLEARING destination_number {number}")  # a dead node says no BYE
            made = self._ask(lambda to=number, name=label: self._add(to, name))  # type: ignore[misc]
            self._sid = made.conference_sid if made is not None else ""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while amiss := self._amiss():
            if time.monotonic() > deadline:
                self.wrong.append(f"when they had come: {amiss}")
                return

    def _add(self, number: str, label: str) -> Any:
        participants = self._client.conferences(f"choir {self._made}").participants
        return participants.create(from_="+15550009999", to=number, label=label, beep="false")

    def _person(self, label: str) -> Any:
        return self._client.conferences(self._sid).participants(label)

    def _ask(self, ask: Callable[[], Answer]) -> Answer | None:
        """Ask until there is an answer; None: there is no such thing (404), or it is there already (a label)."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return ask()
            except (TwilioRestException, requests.RequestException) as error:
                status = getattr(error, "status", 503)
                if status in (400, 404):
                    return None
                if status not in (429, 503) or time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
