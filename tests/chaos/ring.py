"""Conferences on a real switch that are attacked all the time and listened to: who hears whom, by sound.

Each phone plays a tone of its own, in every conference another; so is the attackers'. What anybody hears beside the
people of their own conference is a hole; so is one of these people who is not heard.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

from twilio.base.exceptions import TwilioRestException

from orchestrator.sids import channel_uuid_of
from tests.chaos.crowd import check
from tests.chaos.intruder import Intruder
from tests.chaos.ledger import Attackers, Ledger
from tests.chaos.mallory import NUMBERS, Mallory
from tests.chaos.strangers import ATTACK_HZ, Strangers, Victim
from tests.harness.ears import Ears
from tests.harness.freeswitch import FreeSwitchError, tone_hz
from tests.harness.polling import eventually
from tests.harness.room import Room
from tests.harness.sound import HEARD_DBFS, SILENT_DBFS
from tests.harness.stack import RealSwitch, Stack

ROOMS: Final = 3
PEOPLE: Final = 3
LOOKS: Final = 4
LABEL_IN_USE: Final = 16026
PATIENCE_SECONDS: Final = 60.0
TRIES: Final = 3
"""A machine that stood still for a moment loses frames; what is not heard three times in a row is not heard."""


class Ring:
    """One round: ROOMS conferences of PEOPLE people each, from before they come until after they have gone."""

    def __init__(self, stack: Stack, attackers: tuple[Intruder, Mallory, Strangers], ledger: Ledger) -> None:
        assert isinstance(stack.switch, RealSwitch)
        self._stack = stack
        self._switch = stack.switch
        self._intruder, self._mallory, self._strangers = attackers
        self._ledger = ledger

    def play(self, number: int) -> str:
        """Returns a line about it. A victim who cannot be found any more ends the round, and is a hole."""
        began = time.monotonic()
        rooms = [Room(self._stack, f"ring-{number}-{k}") for k in range(ROOMS)]
        attacking = Attackers(self._intruder.steps() | self._mallory.steps() | self._strangers.steps())
        attacking.start()
        try:
            told = self._live(rooms)
        except (AssertionError, TwilioRestException) as error:
            self._ledger.hole(str(error).partition("\n")[0][:200])
            told = "broken"
        finally:
            attacking.stop()
            self._strangers.victims = ()
            self._switch.api("hupall")
        return f"ring {number}: {told}; {time.monotonic() - began:.0f} s; {self._ledger}"

    def _live(self, rooms: list[Room]) -> str:
        promised = self._fill(rooms)
        for look in range(LOOKS):
            muted = f"p{look % PEOPLE}" if look % 2 else ""
            with _muted(rooms, muted):
                self._listen(rooms, muted)
        for room in rooms:
            patiently(room.end)
        for room in rooms:
            self._stack.receiver.await_kind(room.conference_sid, "conference-end", seconds=30)
        came, again = check(self._told(rooms), promised)
        return f"{ROOMS * PEOPLE} people listened to {LOOKS} times, {came} callbacks whole and in order, {again} twice"

    def _fill(self, rooms: list[Room]) -> dict[str, set[str]]:
        promised = {}
        for index, room in enumerate(rooms):
            for place in range(PEOPLE):
                patiently(partial(room.add, f"p{place}", 1 + index * PEOPLE + place))
            promised[room.conference_sid] = {person.call_sid for person in room.people.values()}
            self._intruder.conferences.append(room.conference_sid)
        self._strangers.victims = [
            Victim(
                person.number,
                room.conference_sid,
                uuid := channel_uuid_of(person.call_sid),
                self._switch.api(f"uuid_getvar {uuid} sip_call_id").strip(),
                int(self._switch.api(f"uuid_getvar {uuid} local_media_port")),
            )
            for room in rooms
            for person in room.people.values()
        ]
        return promised

    def _listen(self, rooms: list[Room], muted: str) -> None:
        """Everybody at once. What may not be heard is looked at each time; what is not heard, again."""
        expected = {
            listener.number: {
                other.number for label, other in room.people.items() if other is not listener and label != muted
            }
            for room in rooms
            for listener in room.people.values()
        }
        tones = {number: tone_hz(number) for number in expected}
        missing: set[str] = set()
        for _ in range(TRIES):
            try:
                heard = Ears(self._switch.far_end, expected).listen([ATTACK_HZ, tone_hz(NUMBERS[0])])
            except (AssertionError, FreeSwitchError):
                self._ledger.hole("a phone lost its call")
                return
            missing = set()
            for listener, levels in heard.items():
                for speaker, hz in tones.items():
                    if speaker in expected[listener] and levels[hz] < HEARD_DBFS:
                        missing.add("people of one conference do not hear each other")
                    elif speaker not in expected[listener] | {listener} and levels[hz] > SILENT_DBFS:
                        self._ledger.hole("somebody is heard who may not be")
                for who, hz in (("an attacker", ATTACK_HZ), ("another tenant", tone_hz(NUMBERS[0]))):
                    if levels[hz] > SILENT_DBFS:
                        self._ledger.hole(f"{who} is heard in a conference")
            if not missing:
                return
        for what in missing:
            self._ledger.hole(what)

    def _told(self, rooms: list[Room]) -> list[dict[str, Any]]:
        sids = {room.conference_sid for room in rooms}
        return [
            {**received.parameters, "token": received.headers["I-Twilio-Idempotency-Token"]}
            for received in list(self._stack.receiver.received)
            if received.parameters.get("ConferenceSid") in sids and "CallbackSource" not in received.parameters
        ]


@contextmanager
def _muted(rooms: list[Room], label: str) -> Iterator[None]:
    """With somebody of each room muted, or nobody."""
    for room in rooms if label else []:
        patiently(partial(room.update, label, muted=True))
    yield
    for room in rooms if label else []:
        patiently(partial(room.update, label, muted=False))


def patiently(ask: Callable[[], object]) -> None:
    """Try again when told 503 or 429, or that an earlier try's label is still taken: as an app does."""

    def is_done() -> bool:
        try:
            ask()
        except TwilioRestException as error:
            if error.status in (429, 503) or error.code == LABEL_IN_USE:
                return False
            raise
        return True

    eventually(is_done, "a request of the victims is answered", PATIENCE_SECONDS)
