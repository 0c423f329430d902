"""make bench: each figure beside its floor, in one run, as a ratio. Figures of this machine at this moment."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.bench import (
    coaching,
    console,
    creates,
    deliveries,
    detection,
    fairness,
    first_sound,
    growth,
    latency,
    metrics,
    mixer,
    mutes,
    neighbours,
    nodes,
    recordings,
    tape,
)
from tests.bench.report import Row, show
from tests.conftest import make_switch
from tests.harness.freeswitch import find_freeswitch
from tests.harness.stack import Stack

PARTS: dict[str, Callable[[Stack], list[Row]]] = {
    "mutes": mutes.measure,
    "creates": creates.measure,
    "latency": latency.measure,
    "tape": tape.measure,
    "nodes": nodes.measure,
    "deliveries": deliveries.measure,
    "metrics": metrics.measure,
    "fairness": fairness.measure,
    "neighbours": neighbours.measure,
    "coaching": coaching.measure,
    "growth": growth.measure,
    "mixer": mixer.measure,
    "first-sound": first_sound.measure,
    "detection": detection.measure,
    "recordings": recordings.measure,
    "console": console.measure,
}


USUAL = [part for part in PARTS if part not in {"growth", "mixer", "first-sound", "detection", "recordings", "console"}]
"""By name only: `growth` keeps a million callbacks for a minute or two and draws docs/growth.svg; `mixer` and
`first-sound` listen for three minutes; `detection` calls 520 times, for five minutes, and draws docs/detection.svg;
`recordings` needs sox and ffmpeg, and two minutes; `console` makes ten thousand calls in the sandbox, for three."""


def main(wanted: list[str]) -> int:
    name = "freeswitch" if find_freeswitch() else "sandbox"
    print(f"switch: {name}")
    missed = 0
    with tempfile.TemporaryDirectory() as directory:
        for part, measure in PARTS.items():
            if part not in (wanted or USUAL):
                continue
            stack = Stack(make_switch(name, Path(directory) / part / "switch"), Path(directory) / part)
            try:
                stack.start()
                missed += show(measure(stack))
            finally:
                stack.stop()
    print("every goal is met" if missed == 0 else f"{missed} goal(s) missed")
    return 0


sys.exit(main(sys.argv[1:]))
