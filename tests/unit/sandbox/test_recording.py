"""The files that recordings leave behind: their length, what sounds in them, and in which channel."""

from __future__ import annotations

import wave
from array import array
from pathlib import Path

import gevent
import pytest

from orchestrator.sandbox.recording import SILENCE, Recording
from tests.unit.sandbox.client import Client

TALKS, SILENT = "+15550001000", "+15550010000"


def samples(path: Path) -> tuple[wave._wave_params, array[int]]:
    with wave.open(str(path)) as opened:
        return opened.getparams(), array("h", opened.readframes(opened.getnframes()))


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The clock of recordings, in its only entry."""
    clock = [100.0]
    monkeypatch.setattr("orchestrator.sandbox.recording.time.monotonic", lambda: clock[0])
    return clock


def test_a_leg_in_stereo_has_the_phone_left_and_what_it_hears_right(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "made for it" / "leg.wav"
    silent, _ = client.join(SILENT, "room")
    client.join(TALKS, "room")
    client.event("start-talking")
    quoted = str(path).replace(" ", "\\s")
    assert client.api(f"uuid_record {silent} start {quoted} 0 {{RECORD_STEREO=true}}") == "+OK Success\n"
    gevent.sleep(0.8)
    client.api(f"uuid_record {silent} stop {quoted}")
    told = client.event("RECORD_STOP", silent)
    parameters, sound = samples(path)
    assert (parameters.nchannels, parameters.sampwidth, parameters.framerate) == (2, 2, 8000)
    assert parameters.nframes == int(told["variable_record_samples"]) >= 5600
    assert path.stat().st_size == int(told["variable_record_file_size"])
    assert not any(sound[0::2])
    assert max(sound[1::2]) > 4000


def test_masked_is_silence_of_the_same_length_and_paused_is_left_out(now: list[float], tmp_path: Path) -> None:
    recording = Recording(str(tmp_path / "one.wav"), lambda: (frozenset((1000,)),))
    recording.open()
    for masked, paused in ((True, False), (False, False), (False, True), (False, False)):
        now[0] += 1.0
        recording.set_mask(masked)
        recording.pause(paused)
    now[0] += 1.0
    recording.close()
    _, sound = samples(tmp_path / "one.wav")
    assert len(sound) == 32000
    assert [any(sound[start : start + 8000]) for start in range(0, 32000, 8000)] == [True, False, True, True]


def test_headerless_and_unbuffered_it_grows_while_it_is_recorded(now: list[float], tmp_path: Path) -> None:
    """What a detector reads: 16-bit samples as they come."""
    path = tmp_path / "one.raw"
    recording = Recording(str(path), lambda: (SILENCE,), buffered=False)
    recording.open()
    now[0] += 0.5
    recording.write_due()
    assert path.stat().st_size == 2 * 4000
    recording.close()


def test_a_conference_has_who_is_heard_and_ends_with_the_last_leave(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "room.wav"
    talker, _ = client.join(TALKS, "room")
    client.event("start-talking")
    client.api(f"conference room record {path}")
    client.event("start-recording")
    gevent.sleep(0.3)
    client.api("conference room mute all")
    gevent.sleep(0.3)
    client.api(f"uuid_kill {talker}")
    told = client.event("stop-recording")
    client.event("conference-destroy")
    labels = client.labels()
    assert labels.index("stop-recording") < labels.index("conference-destroy")
    parameters, sound = samples(path)
    assert parameters.nchannels == 1
    assert len(sound) == int(told["Samples-Out"]) >= 4000
    assert any(sound[:1600])
    assert not any(sound[-800:])
