"""Not one frame: whole calls are recorded and searched for a voice that must never be in them."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from tests.harness.polling import eventually
from tests.harness.room import Person, Room

LATE_JOINERS = 20


@contextmanager
def full_load() -> Iterator[None]:
    """As many busy loops as the machine has cores."""
    command = [sys.executable, "-c", "while True: pass"]
    loops = [subprocess.Popen(command) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def with_coach(room: Room) -> Person:
    """Anna is coached by carl, bert is there as well."""
    anna = room.add("anna", 1)
    room.add("bert", 2)
    return room.add("carl", 3, coaching=True, call_sid_to_coach=anna.call_sid)


def loudest(room: Room, listener: Person, *speakers: Person) -> dict[str, dict[str, float]]:
    found = {speaker.label: room.loudest(listener, speaker) for speaker in speakers}
    return {listener.label: {label: dbfs for label, dbfs in found.items() if dbfs is not None}}


def test_late_joiners_under_full_load(recorded_room: Room) -> None:
    """Twenty people join a coached conference while every core is busy: none of them hears a frame of the coach, and
    each of them hears the others."""
    carl = with_coach(recorded_room)
    anna = recorded_room.people["anna"]
    with full_load():
        for turn in range(1, LATE_JOINERS + 1):
            recorded_room.add("dora", 4)
            recorded_room.expect(f"late joiner, full CPU load, {turn} of {LATE_JOINERS}", dora="anna bert")
            dora = recorded_room.leave("dora")
            recorded_room.note(
                f"late joiner, full CPU load, {turn} of {LATE_JOINERS}: whole call",
                {"dora": "anna"},
                loudest(recorded_room, dora, anna, carl),
            )


def test_joining_while_the_listener_is_away(recorded_room: Room) -> None:
    """Whoever joins without a listener hears nobody until it is back, and then everybody but the coach."""
    carl = with_coach(recorded_room)
    anna, stack = recorded_room.people["anna"], recorded_room.stack
    stack.listener.kill_9()
    made = recorded_room.client.conferences(recorded_room.name).participants.create(
        **stack.call_settings(to="+15550001004", label="dora", beep="false")
    )
    eventually(lambda: made.call_sid in recorded_room.members(), "dora is a member")
    recorded_room.people["dora"] = dora = Person("dora", "+15550001004", made.call_sid)

    assert recorded_room.matrix()["dora"] == set()

    stack.listener.start()
    recorded_room.expect(
        "joined while the listener was away",
        anna="bert carl dora",
        bert="anna dora",
        carl="anna bert dora",
        dora="anna bert",
    )
    recorded_room.leave("dora")
    recorded_room.note(
        "joined while the listener was away: whole call", {"dora": "anna"}, loudest(recorded_room, dora, anna, carl)
    )


def test_a_coach_is_never_heard_by_others(recorded_room: Room) -> None:
    """From joining as a coach through mute, hold, and another person to coach: bert never hears a frame."""
    carl = with_coach(recorded_room)
    dora = recorded_room.add("dora", 4)
    for change in (
        {"muted": "true"},
        {"hold": "true"},
        {"muted": "false"},
        {"hold": "false"},
        {"call_sid_to_coach": dora.call_sid},
        {"call_sid_to_coach": recorded_room.people["anna"].call_sid},
    ):
        recorded_room.update("carl", **change)
    eventually(lambda: recorded_room.matrix()["bert"] == {"anna", "dora"}, "bert hears anna and dora")
    recorded_room.stack.listener.kill_9()
    recorded_room.stack.listener.start()
    recorded_room.stack.await_ready()
    bert = recorded_room.leave("bert")
    recorded_room.note(
        "never coached, a coach's whole life: whole call", {"bert": "dora"}, loudest(recorded_room, bert, dora, carl)
    )


def test_muted_from_the_first_frame(recorded_room: Room) -> None:
    """Who is created with Muted=true is not heard for a single frame."""
    recorded_room.add("anna", 1)
    bert = recorded_room.add("bert", 2)
    dora = recorded_room.add("dora", 4, muted=True)
    recorded_room.expect("joined muted, in a service of its own", anna="bert", bert="anna", dora="anna bert")
    anna = recorded_room.leave("anna")
    recorded_room.note("joined muted: whole call", {"anna": "bert"}, loudest(recorded_room, anna, bert, dora))


def test_waiting_is_unheard_from_the_first_frame(recorded_room: Room) -> None:
    """Before the start nobody hears a frame of anybody."""
    anna = recorded_room.add("anna", 1, start_conference_on_enter=False)
    bert = recorded_room.add("bert", 2, start_conference_on_enter=False)
    recorded_room.expect("two who wait", anna="music", bert="music")
    recorded_room.leave("anna")
    recorded_room.note("waiting: whole call", {"anna": ""}, loudest(recorded_room, anna, bert))


def test_joining_while_the_coach_moves_to_and_fro(recorded_room: Room) -> None:
    """A coach goes from one person to another all the time while others come and go: they never hear a frame."""
    carl = with_coach(recorded_room)
    anna, bert = recorded_room.people["anna"], recorded_room.people["bert"]
    stop = threading.Event()

    def move() -> int:
        moves = 0
        while not stop.is_set():
            coached = (bert, anna)[moves % 2]
            recorded_room.update("carl", call_sid_to_coach=coached.call_sid)
            moves += 1
        return moves

    with ThreadPoolExecutor(5) as pool:
        moving = pool.submit(move)
        try:
            labels = {"dora": 4, "emil": 5, "fred": 6, "gina": 7}
            people = list(pool.map(lambda label: recorded_room.add(label, labels[label]), labels))
            recorded_room.listen_for_a_while()
        finally:
            stop.set()
        moves = moving.result()
    for person in people:
        recorded_room.leave(person.label)
        recorded_room.note(
            f"{person.label} joined while the coach moved {moves} times: whole call",
            {person.label: "bert"},
            loudest(recorded_room, person, bert, carl),
        )

    assert moves > 1
