"""What recordings cost: the work on an hour of audio beside sox and ffmpeg on the same file, the switch with 50 at
once and without, and how long clients wait from the end of a recording until it can be fetched.
"""

from __future__ import annotations

import os
import random
import subprocess
import tempfile
import time
from array import array
from dataclasses import replace
from pathlib import Path
from typing import Any

from orchestrator.recordings.process import Job
from orchestrator.recordings.wav import RATE, header
from orchestrator.recordings.worker import Child
from tests.bench.hall import Hall, cpu_seconds
from tests.bench.report import Row
from tests.harness.polling import eventually
from tests.harness.stack import RealSwitch, Stack
from tests.harness.tape import lengthen, part_of

HOUR = 3600
ROUNDS = 3
MOST_TIMES_OTHERS = 1.3
MANY = 50
MANY_DONE_SECONDS = 10.0
SECONDS = 10.0


def measure(stack: Stack) -> list[Row]:
    """The work alone first."""
    with tempfile.TemporaryDirectory(dir=stack.directory) as directory:
        part = Path(directory, "part.wav")
        part.write_bytes(header(HOUR * RATE, 1) + an_hour().tobytes())
        ours = min(_ours(part) for _ in range(ROUNDS))
        others = min(_others(part) for _ in range(ROUNDS))
    most = f"<= {MOST_TIMES_OTHERS} x"
    return [
        Row(
            "recording: CPU for an hour, trimmed, WAV and MP3", ours, "s", others, "sox and ffmpeg",
            most, ours <= MOST_TIMES_OTHERS * others,
        ),
        *_many(stack),
        _long(stack),
    ]  # fmt: skip


def an_hour() -> array[int]:
    """Stretches of noise between pauses, as speech is, and silence at both ends."""
    chance = random.Random(1)  # noqa: S311 -- chance, not secrets
    second = [array("h", (round(chance.gauss(0, loud)) for _ in range(RATE))) for loud in (10, 500, 1500, 3000)]
    sound = array("h")
    for number in range(HOUR):
        is_end, is_next = number < 5 or number >= HOUR - 5, number in (5, HOUR - 6)
        sound += second[0 if is_end else 3 if is_next else chance.choice((0, 1, 2, 2, 3))]
    return sound


def _ours(part: Path) -> float:
    """CPU seconds of the child that workers have."""
    child = Child()
    try:
        job = Job("AC/RE", ((str(part), 0, False),), 1, "", True, str(part.parent))
        child.do(replace(job, pieces=()))  # it is kept, so its start is not of this job
        before = cpu_seconds(child._process.pid)
        outcome = child.do(job)
        assert outcome.duration_ms == (HOUR - 10) * 1000, outcome
        return cpu_seconds(child._process.pid) - before
    finally:
        child.end()


def _others(part: Path) -> float:
    """CPU seconds of the same: sox trims both ends, as it is quicker at that than ffmpeg, and ffmpeg makes the MP3."""
    trim = ["silence", "1", "0.02", "0.4%", "reverse"]
    wav, mp3 = f"{part}.out.wav", f"{part}.out.mp3"
    quiet = ["-hide_banner", "-loglevel", "error", "-y"]
    commands = (
        ["sox", str(part), wav, *trim, *trim],
        ["ffmpeg", *quiet, "-i", wav, "-c:a", "libmp3lame", "-b:a", "32k", mp3],
    )
    return sum(_spent(command) for command in commands)


def _spent(command: list[str]) -> float:
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, command
    return usage.ru_utime + usage.ru_stime


def _many(stack: Stack) -> list[Row]:
    hall = Hall(stack)
    for number in range(MANY):
        hall.add(to=f"+1555000100{number % 9 + 1}")
    hall.fill(MANY)
    rows = []
    without = _switch_load(stack)
    client = stack.client()
    made = [client.calls(sid).recordings.create(recording_channels="dual", **_told(stack)) for sid in hall.people]
    eventually(lambda: client.recordings(made[-1].sid).fetch().start_time, "they have begun")
    time.sleep(1)
    with_them = _switch_load(stack)
    if without is not None and with_them is not None:
        rows.append(Row(f"switch, {MANY} calls, {MANY} dual recordings", with_them, "% CPU", without, "without them"))
    client.conferences(hall.conference_sid).update(status="completed")
    ended = time.monotonic()
    done = _await_completed(stack, {one.sid for one in made}, 120)
    rows.append(
        Row(
            f"{MANY} recordings that end at once: all completed", done - ended, "s",
            goal=f"<= {MANY_DONE_SECONDS:g} s", is_met=done - ended <= MANY_DONE_SECONDS,
        )
    )  # fmt: skip
    return rows


def _switch_load(stack: Stack) -> float | None:
    if not isinstance(stack.switch, RealSwitch):
        return None
    before, began = cpu_seconds(stack.switch.pid), time.monotonic()
    time.sleep(SECONDS)
    return 100 * (cpu_seconds(stack.switch.pid) - before) / (time.monotonic() - began)


def _long(stack: Stack) -> Row:
    """An hour is put behind what the switch is writing: it goes on in front of it."""
    hall = Hall(stack)
    call = stack.client().calls(hall.add(to="+15550001001"))
    eventually(lambda: call.fetch().status == "in-progress", "the call is up")
    made = call.recordings.create(recording_track="inbound", trim="trim-silence", **_told(stack))
    part = eventually(lambda: part_of(stack, made.sid), "it is written")
    assert part is not None
    time.sleep(1)
    lengthen(part, HOUR)
    call.recordings(made.sid).update(status="stopped")
    ended = time.monotonic()
    done = _await_completed(stack, {made.sid}, 300)
    duration = int(stack.client().recordings(made.sid).fetch().duration)
    assert duration >= HOUR, duration
    return Row("a recording of an hour: from its end until completed", done - ended, "s")


def _told(stack: Stack) -> dict[str, Any]:
    return {
        "recording_status_callback": stack.receiver.url("/recordings"),
        "recording_status_callback_event": ["completed"],
    }


def _await_completed(stack: Stack, sids: set[str], seconds: float) -> float:
    """When the last of them was told."""

    def probe() -> bool:
        told = {one.parameters.get("RecordingSid") for one in list(stack.receiver.received)}
        return sids <= told

    eventually(probe, "all are completed", seconds)
    return time.monotonic()
