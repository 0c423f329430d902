"""Not one frame: whole calls are recorded and searched for a voice that must never be in them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import wave
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from orchestrator.sids import channel_uuid_of
from tests.harness.freeswitch import tone_hz
from tests.harness.polling import eventually
from tests.harness.room import Person, Room
from tests.harness.sound import FRAME, HEARD_DBFS, RATE, SILENT_DBFS, Samples, frame_levels, read_wav
from tests.harness.stack import RealSwitch

LATE_JOINERS = 20
FRAME_SECONDS = FRAME / RATE
LEAST_RECORDED_FRAMES = 100
MOSTLY = 0.9
"""Of a recording, which begins and ends between two frames of the mixer."""


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
    """Whoever joins without a listener hears, and is heard by, everybody but the coach: twenty times."""
    carl = with_coach(recorded_room)
    anna, stack = recorded_room.people["anna"], recorded_room.stack
    eventually(lambda: (carl.call_sid, anna.call_sid) in recorded_room.whispers(), "carl whispers")
    stack.listener.kill_9()
    far_end = stack.switch.far_end if isinstance(stack.switch, RealSwitch) else None
    for turn in range(1, LATE_JOINERS + 1):
        made = recorded_room.client.conferences(recorded_room.name).participants.create(
            **stack.call_settings(to="+15550001004", label=f"dora {turn}", beep="false")
        )
        eventually(lambda: made.call_sid in recorded_room.members(), "dora is a member")  # noqa: B023
        recorded_room.people["dora"] = dora = Person("dora", "+15550001004", made.call_sid)
        recorded_room.expect(
            f"joins while the listener is away, {turn} of {LATE_JOINERS}",
            anna="bert carl dora",
            bert="anna dora",
            carl="anna bert dora",
            dora="anna bert",
        )
        stack.switch.api(f"uuid_kill {channel_uuid_of(made.call_sid)}")  # nobody could confirm a DELETE
        del recorded_room.people["dora"]
        if far_end is not None:
            eventually(lambda: dora.number not in far_end.api("show channels"), "dora's phone has hung up")  # noqa: B023
        recorded_room.note(
            f"joins while the listener is away, {turn} of {LATE_JOINERS}: whole call",
            {"dora": "anna"},
            loudest(recorded_room, dora, anna, carl),
        )


def test_a_recording_has_every_speaker_and_not_the_coach(room: Room, tmp_path: Path) -> None:
    """From the first frame to the last: while they coach, move to another, and are removed."""
    if not isinstance(room.stack.switch, RealSwitch):
        pytest.skip("the sandbox records nothing")
    carl = with_coach(room)
    room.expect("before the recording", anna="bert carl", bert="anna", carl="anna bert")
    recording = tmp_path / "conference.wav"
    assert room.stack.switch.api(f"conference {room.conference_sid} record {recording}").startswith("+OK")
    room.listen_for_a_while()
    room.update("carl", call_sid_to_coach=room.people["bert"].call_sid)
    room.expect("while it is recorded", anna="bert", bert="anna carl", carl="anna bert")
    room.leave("carl")
    room.listen_for_a_while()
    room.stack.switch.api(f"conference {room.conference_sid} norecord all")
    samples = eventually(lambda: recorded(recording), "the recording is complete")
    frames = {one.label: frame_levels(samples, tone_hz(one.number)) for one in (*room.people.values(), carl)}

    assert len(frames["carl"]) > LEAST_RECORDED_FRAMES
    for speaker in ("anna", "bert"):
        assert sum(dbfs > HEARD_DBFS for dbfs in frames[speaker]) > MOSTLY * len(frames[speaker]), speaker
    assert max(frames["carl"]) < SILENT_DBFS
    room.note(
        "a recording of the conference, its loudest frame",
        {"anna": "anna bert"},
        {"anna": {label: max(levels) for label, levels in frames.items()}},
    )


def recorded(path: Path) -> Samples:
    try:
        return read_wav(path)
    except (OSError, EOFError, wave.Error) as error:
        raise AssertionError(f"not written to its end: {error}") from error


COMINGS_AND_GOINGS = 40
LEAST_MOVES = 10


@pytest.mark.parametrize("way", ["DELETE", "hang-up", "muted barge"])
def test_a_coach_who_goes_is_not_heard(recorded_room: Room, way: str) -> None:
    """Forty times, while every core is busy: not a frame of the coach is in the whole call of anybody but the coached,
    nor if the coaching of somebody muted ends, and begins again before they are unmuted."""
    room = recorded_room
    anna, bert = room.add("anna", 1), room.add("bert", 2)
    settings = {"coaching": True, "call_sid_to_coach": anna.call_sid}
    with full_load():
        carl = room.add("carl", 3, **settings)
        for _ in range(COMINGS_AND_GOINGS):
            eventually(lambda: (carl.call_sid, anna.call_sid) in room.whispers(), "carl whispers")  # noqa: B023
            if way == "muted barge":
                for change in ({"muted": True}, {"coaching": False}, settings, {"muted": False}):
                    room.update("carl", **change)
                continue
            if way == "DELETE":
                room.remove("carl")
            else:
                del room.people["carl"]
                _hang_up(room, carl)
            carl = room.add("carl", 3, **settings)
    eventually(lambda: room.matrix()["bert"] == {"anna"}, "bert hears anna")
    room.leave("bert")
    room.note(f"{COMINGS_AND_GOINGS} times, {way}: whole call", {"bert": "anna"}, loudest(room, bert, anna, carl))


MUTE_SECONDS = 0.1
"""From the switch's answer to a mute to the last frame, on a busy machine; 60 ms were seen on an idle one."""


def test_a_barge_is_heard_as_long_as_it_lasts(recorded_room: Room) -> None:
    """Forty times, while every core is busy: from its request to the answer to the next coaching, and not a frame
    else."""
    room, lasted = recorded_room, list[float]()
    anna, bert = room.add("anna", 1), room.add("bert", 2)
    settings = {"coaching": True, "call_sid_to_coach": anna.call_sid}
    with full_load():
        carl = room.add("carl", 3, **settings)
        for _ in range(COMINGS_AND_GOINGS):
            eventually(lambda: (carl.call_sid, anna.call_sid) in room.whispers(), "carl whispers")
            room.listen_for_a_while(0.4)
            began = time.monotonic()
            room.update("carl", coaching=False)
            room.listen_for_a_while(0.1)
            room.update("carl", **settings)
            lasted.append(time.monotonic() - began)
        room.listen_for_a_while(0.4)
    room.leave("bert")
    levels = room.levels(bert, carl)
    if levels is not None:
        heard = _stretches([level > SILENT_DBFS for level in levels], round(0.2 / FRAME_SECONDS))

        assert len(heard) == COMINGS_AND_GOINGS
        for frames, seconds in zip(heard, lasted, strict=True):
            assert frames * FRAME_SECONDS <= seconds + MUTE_SECONDS, f"heard for {frames} frames in {seconds:.2f} s"


def _stretches(heard: list[bool], gap: int) -> list[int]:
    """The lengths of what was heard without so long a gap."""
    found, first, last = list[int](), None, -1
    for number, is_heard in enumerate([*heard, *[False] * (gap + 1)]):
        if is_heard:
            first, last = number if first is None else first, number
        elif first is not None and number - last > gap:
            found.append(last - first + 1)
            first = None
    return found


def _hang_up(room: Room, person: Person) -> None:
    """The phone's own BYE; in the sandbox, whose phones are the switch's, a kill of the leg."""
    switch = room.stack.switch
    if isinstance(switch, RealSwitch):

        def calls() -> list[str]:
            rows = json.loads(switch.far_end.api("show channels as json")).get("rows", [])
            found = [row["uuid"] for row in rows if row["dest"] == person.number]
            return [uuid for uuid in found if switch.far_end.api(f"uuid_exists {uuid}") == "true"]

        for uuid in eventually(calls, f"{person.label}'s phone has a call"):
            switch.far_end.api(f"uuid_kill {uuid}")
    else:
        switch.api(f"uuid_kill {channel_uuid_of(person.call_sid)}")
    eventually(lambda: person.call_sid not in room.members(), f"{person.label} has left")


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
        while not stop.is_set() or moves < LEAST_MOVES:
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

    assert moves >= LEAST_MOVES
