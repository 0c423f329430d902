"""Who picked up: the greetings of tests/greetings that nothing is tuned on, first as files, then each over a call;
docs/detection.svg.

GREETINGS names the directory with them; without it they are made in var/greetings, which takes minutes. CALLS_AT_ONCE
is for a machine that carries fewer than 24.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from typing import Any

from twilio.base.exceptions import TwilioRestException

from orchestrator.detect_files import judge
from orchestrator.detection.decision import Tuning
from tests.bench.report import Row
from tests.greetings import asterisk_amd
from tests.greetings.corpus import Greeting, is_for_tuning
from tests.greetings.files import make_files
from tests.greetings.score import Judged, draw, summary, table
from tests.harness.freeswitch import REPOSITORY
from tests.harness.polling import eventually
from tests.harness.stack import RealSwitch, Stack

AT_ONCE = int(os.environ.get("CALLS_AT_ONCE", "24"))
TRIES = 5
DIRECTORY = Path(os.environ.get("GREETINGS", "var/greetings")).resolve()


def measure(stack: Stack) -> list[Row]:
    others = [one for one in make_files(DIRECTORY) if not is_for_tuning(one)]
    began = time.process_time()
    ours = [judged_as_file(one) for one in others]
    spent_ms, heard_s = 1000 * (time.process_time() - began), sum(one.at_ms for one in ours) / 1000
    theirs = [judged_by_asterisk(one) for one in others]
    pictures = {"This detector, on files": ours, "Asterisk's AMD": theirs}
    rows = rows_of("files", ours)
    rows.append(Row("files: Asterisk's rules: right", summary(theirs)["right"], "%"))
    rows.append(Row("files: Asterisk's: humans called machines", summary(theirs)["humans called machines"], "%"))
    rows.append(Row("files: CPU a second of audio, message's end too", spent_ms / heard_s, "ms"))
    if isinstance(stack.switch, RealSwitch):
        began = cpu_of_detector(stack)
        called = list(over_calls(stack, others))
        heard, listened_s = [one for one, _ in called], sum(ms for _, ms in called) / 1000
        spent_ms = 1000 * (cpu_of_detector(stack) - began)
        pictures = {"This detector, over calls": heard, "Asterisk's AMD": theirs}
        rows += rows_of("calls", heard)
        rows.append(Row("calls: CPU of the detector a second of a call", spent_ms / listened_s, "ms"))
    for title, judged in pictures.items():
        print(f"\n{title}\n{table(judged)}")
    draw(REPOSITORY / "docs" / "detection.svg", pictures)
    return rows


def rows_of(what: str, judged: list[Judged]) -> list[Row]:
    found = summary(judged)
    goals = {
        "right": ("96 % or more", found["right"] >= 96),
        "humans called machines": ("1 % at most", found["humans called machines"] <= 1),
        "decided within 4 s": ("all", found["decided within 4 s"] == 100),
        "beeps": ("95 % or more", found.get("beeps", 0) >= 95),
    }
    rows = [Row(f"{what}: {name}", found[name], "%", goal=goal, is_met=met) for name, (goal, met) in goals.items()]
    return [*rows, Row(f"{what}: median of the decision", found["median ms"], "ms")]


def judged_as_file(greeting: Greeting) -> Judged:
    audio = greeting.samples.astype("<i2").tobytes()
    found = judge(audio, Tuning())
    judged = Judged(
        greeting.kind,
        greeting.truth,
        str(found.answered_by) if found else "unknown",
        found.at_ms if found else len(greeting.samples) // 8,
        greeting.beep_ends_at is not None,
    )
    end = judge(audio, Tuning(to_message_end=True))
    said = (str(end.answered_by), end.at_ms) if end else ("", 0)
    return with_beep(judged, greeting, *said)


def with_beep(judged: Judged, greeting: Greeting, said: str, at_ms: int) -> Judged:
    if greeting.beep_ends_at is None or said != "machine_end_beep":
        return judged
    return replace(judged, beep_off_s=at_ms / 1000 - greeting.beep_ends_at)


def judged_by_asterisk(greeting: Greeting) -> Judged:
    said, at_ms = asterisk_amd.decide(greeting.samples)
    return Judged(greeting.kind, greeting.truth, said, at_ms)


# ---------------------------------------------------------------- over calls


def over_calls(stack: Stack, greetings: list[Greeting]) -> Iterator[tuple[Judged, int]]:
    """Each greeting is called, some at once, and for how many ms it was listened to; one with a beep once more, until
    its message's end."""

    def call(greeting: Greeting) -> tuple[Judged, int]:
        said, at_ms = answerer_of(stack, greeting, "Enable")
        judged = Judged(greeting.kind, greeting.truth, said, at_ms, greeting.beep_ends_at is not None)
        if greeting.beep_ends_at is None:
            return judged, at_ms
        said, end_ms = answerer_of(stack, greeting, "DetectMessageEnd")
        return with_beep(judged, greeting, said, end_ms), at_ms + end_ms

    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield from pool.map(call, greetings)


def answerer_of(stack: Stack, greeting: Greeting, detection: str) -> tuple[str, int]:
    participants = stack.client().conferences(f"{detection} {greeting.name}").participants
    made = patiently(
        participants.create,
        from_="+15550009999",
        to=f"+1555002{greeting.name}",
        machine_detection=detection,
        amd_status_callback=stack.receiver.url(f"/detection/{detection}/{greeting.name}"),
    )

    def told() -> dict[str, str]:
        return next(
            (r.parameters for r in list(stack.receiver.received) if r.parameters["CallSid"] == made.call_sid), {}
        )

    found = eventually(told, f"who {greeting.name} is", seconds=45)
    patiently(stack.client().conferences(made.conference_sid).update, status="completed")
    return found["AnsweredBy"], int(found["MachineDetectionDuration"])


def patiently(ask: Callable[..., Any], **parameters: str) -> Any:
    """Again after a 503, which says that the machine is busy: it carries a switch, its phones and the service."""
    for _ in range(TRIES):
        try:
            return ask(**parameters)
        except TwilioRestException as error:
            if error.status != HTTPStatus.SERVICE_UNAVAILABLE:
                raise
            time.sleep(1)
    return ask(**parameters)


def cpu_of_detector(stack: Stack) -> float:
    """Seconds, by the kernel's count."""
    fields = Path(f"/proc/{stack.detector.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
