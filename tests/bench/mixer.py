"""What coaches do to everybody's sound: frames of 20 ms that a listener loses while somebody talks, and the CPU of the
switch's mixer, without and with coaches, as the conference grows.

A whisper is beside the mix, so nothing should change. Over 250, where MaxParticipants ends, our processes are killed
and the rest is done by bare commands, with members that have no phone. python -m tests.bench mixer
"""

from __future__ import annotations

import json
import time
from contextlib import suppress
from pathlib import Path

from orchestrator.freeswitch.commands import JOIN_FLAGS, MuteMember, join_flags
from orchestrator.freeswitch.dial_string import PROFILE
from orchestrator.freeswitch.whisper import StartWhisper, Whisper
from tests.bench.hall import Hall, cpu_seconds, idle_seconds, seconds_in
from tests.bench.report import Row
from tests.harness.freeswitch import tone_hz
from tests.harness.polling import eventually
from tests.harness.sound import frame_levels, read_wav
from tests.harness.stack import RealSwitch, Stack

SIZES = (50, 100, 200)
MOST = 400
SECONDS = 5.0
ROUNDS = 2
MANY = 20
MANY_AMONG = 200
TALKER = "+15550001001"
LISTENER = "+15550001003"
WHOLE_DBFS = -23.0
"""The talker's tone is -20 in a frame that came whole, and alone in it."""


def measure(stack: Stack) -> list[Row]:
    """Both in turn, ROUNDS times at each size."""
    if not isinstance(stack.switch, RealSwitch):
        print("mixer: needs a real FreeSWITCH")
        return []
    hall = Hall(stack)
    for number in (LISTENER, TALKER):
        hall.add(to=number)
    rows = []
    for size in SIZES:
        hall.fill(size)
        for _ in range(ROUNDS):
            rows.append(_listen(stack.switch, size, "no coach"))
            _coach(hall, 1, True)
            rows.append(_listen(stack.switch, size, "a coach"))
            _coach(hall, 1, False)
        if size == MANY_AMONG:
            _coach(hall, MANY, True)
            rows.append(_listen(stack.switch, size, f"{MANY} coaches"))
            _coach(hall, MANY, False)
    for process in (stack.api, stack.listener, *stack.workers):
        process.kill_9()
    _fill_bare(hall)
    for _ in range(ROUNDS):
        rows.append(_listen(stack.switch, MOST, "no coach"))
        _coach_bare(hall, True)
        rows.append(_listen(stack.switch, MOST, "a coach"))
        _coach_bare(hall, False)
    return rows


def _fill_bare(hall: Hall) -> None:
    """With mod_sofia's cheapest stand-in: a null channel hears, and is silent."""
    silent = f"{{{JOIN_FLAGS}={join_flags(muted=True, deaf=False)}}}null/hears"
    for _ in range(MOST - len(hall.people)):
        hall.raw(f"bgapi originate {silent} conference:{hall.conference_sid}@{PROFILE} inline")
    eventually(lambda: len(hall.members()) == MOST, f"{MOST} hear the conference", 60)


def _coach_bare(hall: Hall, on: bool) -> None:
    """What coaching.py does, in short."""
    coached, coach = hall.people[-2:]
    pair, member = Whisper(hall.conference_sid, coach, coached), hall.members()[coach]
    hall.raw(MuteMember(hall.conference_sid, member, on).render())
    hall.raw(StartWhisper(pair).render() if on else f"uuid_kill {pair.channel_uuid}")
    eventually(lambda: hall.has(pair.channel_uuid) is on, "the pair is there, or not")


def _coach(hall: Hall, count: int, on: bool) -> None:
    """The last of them coach those before them."""
    coaches, coached = hall.people[-count:], hall.people[-2 * count : -count]
    for coach, of in zip(coaches, coached, strict=True):
        if on:
            hall.update(coach, coaching=True, call_sid_to_coach=of)
        else:
            hall.update(coach, coaching=False)
    pairs = [Whisper(hall.conference_sid, *each).channel_uuid for each in zip(coaches, coached, strict=True)]
    eventually(lambda: all(hall.has(pair) is on for pair in pairs), "the pairs are there, or not")


def _listen(switch: RealSwitch, size: int, what: str) -> Row:
    """Frames that the listener's phone has not heard whole."""
    time.sleep(1.0)
    path = switch.far_end.directory / "mixer.wav"
    (call,) = (row["uuid"] for row in json.loads(switch.far_end.api("show channels as json"))["rows"]
               if row["dest"] == LISTENER)  # fmt: skip
    switch.far_end.api(f"uuid_record {call} start {path}")
    started, before, threads = time.monotonic(), _load(switch), _threads(switch)
    time.sleep(SECONDS)
    took, after, threads_after = time.monotonic() - started, _load(switch), _threads(switch)
    switch.far_end.api(f"uuid_record {call} stop {path}")
    levels = frame_levels(read_wav(path), tone_hz(TALKER))
    path.unlink()
    lost = sum(level < WHOLE_DBFS for level in levels)
    node, far_end, idle = (100 * (b - a) / took for a, b in zip(before, after, strict=True))
    mixer = 100 / took * max(seconds - threads.get(task, 0.0) for task, seconds in threads_after.items())
    text = f"{size} hear, {what}: mixer {mixer:.0f} %, node {node:.0f} %, far end {far_end:.0f} %, idle {idle:.0f} %"
    print(f"  {text}: {lost} of {len(levels)} frames lost", flush=True)
    return Row(f"frames lost of {size} hearing, {what}", 100 * lost / len(levels), "%")


def _load(switch: RealSwitch) -> tuple[float, float, float]:
    """Seconds of CPU until now: the node's, the far end's, and nobody's."""
    node, far_end = (cpu_seconds(one.pid) for one in (switch, switch.far_end))
    return node, far_end, idle_seconds()


def _threads(switch: RealSwitch) -> dict[str, float]:
    """Task -> seconds of CPU. The busiest is the conference's, or at rest the core's timer."""
    found = {}
    for task in Path(f"/proc/{switch.pid}/task").iterdir():
        with suppress(FileNotFoundError):  # one that ends just now
            found[task.name] = seconds_in(task / "stat")
    return found
