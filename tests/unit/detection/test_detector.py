"""The detector's process without a switch: a file that grows, or does not, and what the switch is told."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from orchestrator.detection.decision import AnsweredBy, Tuning, Verdict
from orchestrator.detection.detector import POLL_SECONDS, STALE_SECONDS, follow, remove_stale, tuning_of
from orchestrator.freeswitch.leg_audio import (
    DETECTION_VARIABLE,
    StartLegAudio,
    detection_wanted,
    parse_answered,
)
from tests.greetings.sounds import on_the_line, silence, tone
from tests.unit.examples import CF, UUID, a_create

HEADERS = {
    "Event-Name": "CHANNEL_ANSWER",
    "Call-Direction": "outbound",
    "Unique-ID": UUID,
    "Event-Date-Timestamp": "1770091506000000",
    "variable_orchestrator_conference_sid": CF,
}


def test_a_file_that_grows_is_listened_to_as_it_grows(tmp_path: Path) -> None:
    """What was written between two looks, in any sizes."""
    path = tmp_path / "a.raw"
    voice = sum((tone(hz, 4.0, -17.0) for hz in (320, 810, 1530)), silence(4.0))
    audio = on_the_line(np.concatenate((silence(0.3), voice))).astype("<i2").tobytes()
    at = 0

    def grow() -> bool:
        nonlocal at
        with path.open("ab") as file:
            file.write(audio[at : at + 5001])
        at += 5001
        return False

    verdict = follow(path, Tuning(), grow, missed_ms=40)

    assert verdict is not None
    assert verdict.answered_by is AnsweredBy.MACHINE_START
    assert 2700 <= verdict.at_ms <= 3000


def test_a_file_that_never_comes_is_silence(tmp_path: Path) -> None:
    """A far end without RTP, or a directory that is not shared: unknown by SilenceTimeout, by the clock."""
    never = threading.Event()
    began = time.monotonic()
    verdict = follow(tmp_path / "none.raw", Tuning(silence_timeout_ms=2000), lambda: never.wait(0.02))

    assert verdict == Verdict(AnsweredBy.UNKNOWN, 2000)
    assert 1.9 < time.monotonic() - began < 10


@pytest.mark.parametrize(("caught_up", "at_ms"), [(True, 1500), (False, 2600)])
def test_audio_that_comes_late_is_heard_without_a_gap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caught_up: bool, at_ms: int
) -> None:
    """A switch that could not write for a second has cut no tone in two; what it never writes was silence."""
    path = tmp_path / "a.raw"
    audio = on_the_line(np.concatenate((silence(0.5), tone(2100, 4.0, -12.0)))).astype("<i2").tobytes()
    polls = 0
    monkeypatch.setattr("orchestrator.detection.detector.time.monotonic", lambda: polls * POLL_SECONDS)

    def grow() -> bool:
        nonlocal polls
        polls += 1
        written = polls if polls < 10 or (caught_up and polls >= 20) else max(9, polls - 11)
        path.write_bytes(audio[: 1600 * written])
        return False

    verdict = follow(path, Tuning(), grow)

    assert verdict is not None
    assert verdict.answered_by is AnsweredBy.FAX
    assert abs(verdict.at_ms - at_ms) <= 60


def test_whoever_has_gone_is_listened_to_no_more(tmp_path: Path) -> None:
    """The call's end says that they are unknown."""
    assert follow(tmp_path / "none.raw", Tuning(), lambda: True) is None


def test_the_wish_comes_back_with_the_answer() -> None:
    """Every parameter, through the channel variable."""
    command = a_create(
        machine_detection="DetectMessageEnd",
        machine_detection_timeout_seconds=59,
        machine_detection_speech_threshold_ms=1000,
        machine_detection_speech_end_threshold_ms=500,
        machine_detection_silence_timeout_ms=10_000,
    )
    wanted = detection_wanted(command)
    assert wanted is not None

    answered = parse_answered(HEADERS | {f"variable_{DETECTION_VARIABLE}": wanted})

    assert answered is not None
    assert (answered.channel_uuid, answered.conference_sid) == (UUID, CF)
    assert tuning_of(answered.wanted) == Tuning(True, 59_000, 1000, 500, 10_000)


def test_nobody_is_listened_to_unasked() -> None:
    """No wish, a wish of another shape, a call that came in."""
    assert detection_wanted(a_create()) is None
    assert parse_answered(HEADERS) is None
    assert parse_answered(HEADERS | {f"variable_{DETECTION_VARIABLE}": "Enable/30/2400/1200/5000/x"}) is None
    wish = {f"variable_{DETECTION_VARIABLE}": "Enable/30/2400/1200/5000", "Call-Direction": "inbound"}
    assert parse_answered(HEADERS | wish) is None


def test_the_switch_writes_for_no_longer_than_is_listened() -> None:
    """Also if this process dies; unbuffered, only what the far end says."""
    started = StartLegAudio(UUID, "/run/detection/x.raw", 32).render()

    assert started.startswith(f"uuid_record {UUID} start /run/detection/x.raw 32 {{RECORD_READ_ONLY=true,")
    assert "enable_file_write_buffering=false" in started


def test_what_an_earlier_process_has_left_is_removed(tmp_path: Path) -> None:
    """And nothing that is still listened to."""
    old, new = tmp_path / "old.raw", tmp_path / "new.raw"
    for path in (old, new):
        path.write_bytes(b"x")
    os.utime(old, (0, time.time() - STALE_SECONDS - 1))

    remove_stale(tmp_path)

    assert list(tmp_path.iterdir()) == [new]
