"""What one coach does to everybody's sound: frames of 20 ms that a listener loses while somebody talks, and the CPU of
the switch's mixer, without and with a coach, as the conference grows.

mod_conference mixes without regard to members' relations as long as there is none; one alone makes it walk all members
for every sample (mod_conference.c, conference_thread_run).

python -m tests.bench mixer
"""

from __future__ import annotations

import json
import time
from pathlib import Path

from tests.bench.hall import TICKS, Hall, Watch, channel_of, idle_seconds, lists_of
from tests.bench.report import Row
from tests.harness.freeswitch import tone_hz
from tests.harness.sound import frame_levels, read_wav
from tests.harness.stack import RealSwitch, Stack

SIZES = (50, 100, 150, 200)
SECONDS = 5.0
ROUNDS = 2
TALKER = "+15550001001"
LISTENER = "+15550001003"
WHOLE_DBFS = -23.0
"""The talker's tone is -20 in a frame that came whole, and alone in it."""


def measure(stack: Stack) -> list[Row]:
    """Both in turn, ROUNDS times at each size."""
    if not isinstance(stack.switch, RealSwitch):
        print("mixer: needs a real FreeSWITCH")
        return []
    hall, watch = Hall(stack), Watch(stack)
    for number in (LISTENER, TALKER):
        hall.add(to=number)
    coach = hall.add()
    watch.at(channel_of(coach), "undeaf-member")
    rows = []
    for size in SIZES:
        hall.fill(size)
        for _ in range(ROUNDS):
            rows.append(_listen(stack.switch, size, "no coach"))
            _relate(hall, coach, "nohear")
            assert hall.relations() == hall.kept_apart(coach, hall.people[1])
            rows.append(_listen(stack.switch, size, "a coach"))
            _relate(hall, coach, "clear")
            assert hall.relations() == set()
    watch.close()
    return rows


def _relate(hall: Hall, coach: str, word: str) -> None:
    """By ourselves: on a machine that the mixer has filled our processes are refused time, and say so."""
    ids = hall.members()
    others = [str(member) for call, member in ids.items() if call not in {coach, hall.people[1]}]
    for some in lists_of(others):
        hall.api(f"relate {some} {ids[coach]} {word}")


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
    node, far_end = (_seconds(Path(f"/proc/{one.pid}/stat")) for one in (switch, switch.far_end))
    return node, far_end, idle_seconds()


def _threads(switch: RealSwitch) -> dict[str, float]:
    """Task -> seconds of CPU. The busiest is the conference's, or at rest the core's timer."""
    return {task.name: _seconds(task / "stat") for task in Path(f"/proc/{switch.pid}/task").iterdir()}


def _seconds(path: Path) -> float:
    """utime and stime; the name before them may hold spaces."""
    words = path.read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / TICKS
