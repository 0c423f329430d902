"""Whoever makes or ends a whisper may die in the middle of it: what the API says is soon what is heard."""

from __future__ import annotations

import contextlib
import itertools
import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from twilio.base.exceptions import TwilioException

from orchestrator.freeswitch.coach_mark import UnmuteUnlessCoach
from orchestrator.freeswitch.whisper import SPEECH, Whisper
from orchestrator.sids import channel_uuid_of
from tests.harness.polling import eventually
from tests.harness.room import Person, Room
from tests.harness.stack import Stack

ROUNDS = 6
SECONDS = 5.0
"""From the return of what was killed."""


@contextlib.contextmanager
def all_the_time(change: Callable[[], object]) -> Iterator[None]:
    """One after the other, whatever becomes of each."""
    stop = threading.Event()

    def repeat() -> None:
        while not stop.is_set():
            with contextlib.suppress(TwilioException, requests.RequestException):
                change()

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(repeat)
        try:
            yield
        finally:
            stop.set()
            running.result()


def is_as_the_api_says(room: Room) -> bool:
    """Who whispers to whom, who is in the mix, and that no pair is left over."""
    carl = room.conference.participants("carl").fetch()
    anna, bert = (room.people[label].call_sid for label in ("anna", "bert"))
    coached = carl.call_sid_to_coach if carl.coaching and not carl.muted and not carl.hold else None
    heard = not carl.coaching and not carl.muted and not carl.hold
    wanted = (
        {Whisper(room.conference_sid, carl.call_sid, ear).channel_uuid for ear in (coached, SPEECH)}
        if coached
        else set()
    )
    matrix = room.matrix()
    assert room.pairs() == wanted, f"{room.pairs()}, not {wanted}"
    assert matrix["anna"] == {"bert"} | ({"carl"} if heard or coached == anna else set())
    assert matrix["bert"] == {"anna"} | ({"carl"} if heard or coached == bert else set())
    return True


CHANGES: dict[str, list[dict[str, Any]]] = {
    "coaching": [{"coaching": False}, {"coach": "bert"}, {"coach": "anna"}],
    "hold and mute": [{"hold": True}, {"hold": False}, {"muted": True}, {"muted": False}],
}


@pytest.mark.timeout(400)
@pytest.mark.parametrize("changes", CHANGES)
@pytest.mark.parametrize("victim", ["api", "listener"])
def test_killed_in_the_middle_of_making_and_ending_pairs(own_stack: Stack, victim: str, changes: str) -> None:
    """Within 5 s everything is as the API says, six times out of six."""
    room = Room(own_stack)
    anna = room.add("anna", 1)
    room.add("bert", 2)
    room.add("carl", 3, coaching=True, call_sid_to_coach=anna.call_sid)
    eventually(lambda: is_as_the_api_says(room), "carl whispers")
    turn = itertools.cycle(CHANGES[changes])
    moments = random.Random(victim + changes)  # noqa: S311 -- keeps no secret

    def change() -> None:
        wanted = dict(next(turn))
        if "coach" in wanted:
            wanted = {"coaching": True, "call_sid_to_coach": room.people[wanted["coach"]].call_sid}
        room.update("carl", **wanted)

    process = own_stack.api if victim == "api" else own_stack.listener
    for number in range(1, ROUNDS + 1):
        with all_the_time(change):
            threading.Event().wait(0.3 + moments.random() * 0.2)  # the moment is the thing that is tried
            process.kill_9()
        process.start()
        own_stack.await_ready()
        eventually(lambda: is_as_the_api_says(room), f"{number}: as the API says", SECONDS)


def test_an_unmute_that_comes_too_late_lets_nobody_hear_a_coach(room: Room) -> None:
    """Sent for somebody who was no coach yet, by a process that was slow; the switch itself knows better."""
    anna = room.add("anna", 1)
    room.add("bert", 2)
    carl = room.add("carl", 3)
    late = UnmuteUnlessCoach(
        channel_uuid_of(carl.call_sid), room.conference_sid, room.members()[carl.call_sid]["id"]
    ).render()
    room.update("carl", coaching=True, call_sid_to_coach=anna.call_sid)
    room.stack.switch.api(late)
    assert room.matrix()["bert"] == {"anna"}
    room.expect("an unmute that comes after the coaching", anna="bert carl", bert="anna", carl="anna bert")


def test_who_has_joined_and_nobody_knows_it_can_become_a_coach(own_stack: Stack) -> None:
    """The listener is away: the request itself takes them out of the mix, and the end of it brings them back."""
    room = Room(own_stack)
    anna = room.add("anna", 1)
    room.add("bert", 2)
    eventually(lambda: room.matrix()["bert"] == {"anna"}, "bert hears anna")
    own_stack.listener.kill_9()
    settings = own_stack.call_settings(to="+15550001003", label="carl", beep="false")
    made = room.client.conferences(room.name).participants.create(**settings)
    eventually(lambda: made.call_sid in room.members(), "carl is a member")
    room.people["carl"] = Person("carl", "+15550001003", made.call_sid)
    room.call_sids.add(made.call_sid)
    assert room.matrix()["bert"] == {"anna", "carl"}
    room.update("carl", coaching=True, call_sid_to_coach=anna.call_sid)
    assert room.matrix()["bert"] == {"anna"}
    room.update("carl", coaching=False)
    assert room.matrix()["bert"] == {"anna", "carl"}
    room.update("carl", coaching=True, call_sid_to_coach=anna.call_sid)
    own_stack.listener.start()

    room.expect_soon("a listener is back", anna="bert carl", bert="anna", carl="anna bert")


def test_a_killed_switch_leaves_no_pair(own_stack: Stack) -> None:
    """All calls are over; whoever comes to the same conference's name is whispered to by a new pair alone."""
    room = Room(own_stack)
    anna = room.add("anna", 1)
    room.add("bert", 2)
    room.add("carl", 3, coaching=True, call_sid_to_coach=anna.call_sid)
    eventually(lambda: is_as_the_api_says(room), "carl whispers")
    own_stack.switch.kill_9()
    own_stack.switch.hang_up_far_end()
    own_stack.switch.start()
    own_stack.await_ready()
    eventually(lambda: room.await_event("conference-end"), "the conference is over", SECONDS)
    assert room.pairs() == set()
    room.people.clear()
    anna = room.add("anna", 1)
    room.add("bert", 2)
    room.add("carl", 3, coaching=True, call_sid_to_coach=anna.call_sid)

    room.expect("after the switch was killed", anna="bert carl", bert="anna", carl="anna bert")
    assert is_as_the_api_says(room)
