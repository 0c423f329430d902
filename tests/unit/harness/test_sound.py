"""The analysis of recordings, with signals that we make ourselves: tones, PCMU and noise."""

from __future__ import annotations

import math
import random
import wave
from array import array
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.sound import (
    FRAME,
    HEARD_DBFS,
    NOTHING_DBFS,
    RATE,
    SILENT_DBFS,
    frame_levels,
    heard_frames,
    level,
    levels,
    loudness,
    read_wav,
    require_apart,
)

PHONES = (1000, 1100, 1200, 1300, 1500, 1900)
_MU = 255


def tone(hz: float, dbfs: float = -20.0, seconds: float = 0.4, phase: float = 0.7) -> list[float]:
    amplitude = 32768 * 10 ** (dbfs / 20)
    return [amplitude * math.sin(2 * math.pi * hz * index / RATE + phase) for index in range(int(seconds * RATE))]


def mixed(*signals: list[float]) -> array[int]:
    return array("h", (max(-32768, min(32767, round(sum(values)))) for values in zip(*signals, strict=True)))


def silence(seconds: float = 0.4) -> array[int]:
    return array("h", [0] * int(seconds * RATE))


def through_pcmu(samples: array[int]) -> array[int]:
    """Companded to 8 bit and back (the continuous mu-law, rounded; as coarse as G.711)."""

    def coarse(sample: int) -> int:
        magnitude = math.log1p(_MU * abs(sample) / 32768) / math.log1p(_MU)
        back = math.expm1(round(magnitude * 127) / 127 * math.log1p(_MU)) / _MU * 32768
        return round(math.copysign(min(back, 32767), sample))

    return array("h", map(coarse, samples))


@pytest.mark.parametrize("dbfs", [-3.0, -20.0, -35.0, -50.0, -65.0])
@pytest.mark.parametrize("hz", [300, 425, 1000, 1010, 1900, 2400])
def test_a_tone_has_its_level(hz: int, dbfs: float) -> None:
    assert level(mixed(tone(hz, dbfs)), hz) == pytest.approx(dbfs, abs=0.5)


def test_its_neighbour_100_hz_away_has_none() -> None:
    samples = mixed(tone(1100, -3.0))

    assert level(samples, 1000) < -85
    assert level(samples, 1200) < -85


def test_several_tones_through_pcmu_are_told_apart() -> None:
    heard = levels(through_pcmu(mixed(*(tone(hz) for hz in PHONES))), (*PHONES, 1400, 1700, 300))

    assert all(heard[hz] == pytest.approx(-20, abs=0.5) for hz in PHONES)
    assert all(heard[hz] < SILENT_DBFS for hz in (1400, 1700, 300))


def test_early_media_off_the_grid_is_no_phone() -> None:
    heard = levels(mixed(tone(425, -10.0)), (425, *PHONES))

    assert heard[425] == pytest.approx(-10, abs=0.5)
    assert all(heard[hz] < SILENT_DBFS for hz in PHONES)


def test_noise_is_no_tone() -> None:
    random_numbers = random.Random(1)  # noqa: S311 - noise, not a secret
    noise = array("h", (round(random_numbers.gauss(0, 100)) for _ in range(RATE)))

    assert loudness(noise) == pytest.approx(-47.3, abs=0.5)
    assert all(level(noise, hz) < SILENT_DBFS for hz in PHONES)


def test_one_frame_in_a_window_of_twenty_is_heard() -> None:
    samples = silence()
    samples[7 * FRAME : 8 * FRAME] = mixed(tone(1000))[:FRAME]

    assert level(samples, 1000) > HEARD_DBFS


def test_the_frames_in_which_a_tone_is_heard() -> None:
    samples = through_pcmu(mixed(tone(1100), tone(1200)))
    leak = through_pcmu(mixed(tone(1100), tone(1200), tone(1900)))
    samples[5 * FRAME : 6 * FRAME] = leak[5 * FRAME : 6 * FRAME]

    (frame,) = heard_frames(samples, 1900)

    assert frame.seconds == pytest.approx(0.1)
    assert frame.dbfs == pytest.approx(-20, abs=0.5)


def test_tones_that_start_and_end_between_frames_are_no_other_tone() -> None:
    """What a member hears when it is made deaf and hearing again in turn."""
    samples = silence(1.0)
    for index in range(0, 50, 2):
        samples[index * FRAME : (index + 1) * FRAME] = mixed(tone(1100, -10.0, phase=index))[:FRAME]

    assert heard_frames(samples, 1200) == []
    assert len(heard_frames(samples, 1100)) == 25


def test_silence_has_a_level_too() -> None:
    assert level(silence(), 1000) == NOTHING_DBFS
    assert loudness(silence()) == NOTHING_DBFS
    assert heard_frames(silence(), 1000) == []


def test_the_loudness_of_one_tone_is_its_level() -> None:
    assert loudness(mixed(tone(1000, -12.0))) == pytest.approx(-12, abs=0.1)


def test_a_part_of_a_frame_is_left_out() -> None:
    assert len(frame_levels(array("h", [0] * (2 * FRAME + 1)), 1000)) == 2


@pytest.mark.parametrize("measure", [lambda samples: level(samples, 1000), loudness])
def test_nothing_recorded_is_an_error_not_silence(measure: Callable[[array[int]], float]) -> None:
    with pytest.raises(ValueError, match="samples"):
        measure(array("h"))


@pytest.mark.parametrize("tones", [(1000, 1050), (1000, 1010), (1100, 1000, 1010), (425, 500), (440, 600)])
def test_tones_too_close_are_refused(tones: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="cannot be told apart"):
        levels(silence(), tones)


def test_tones_far_enough_apart_are_not() -> None:
    require_apart((300, 425 + 200, *PHONES, 2200, 2400))


def test_a_recording_is_read(tmp_path: Path) -> None:
    samples = mixed(tone(1000))
    _write(tmp_path / "a.wav", samples, RATE)

    assert read_wav(tmp_path / "a.wav") == samples


def test_a_recording_of_another_shape_is_refused(tmp_path: Path) -> None:
    _write(tmp_path / "a.wav", silence(), 16000)

    with pytest.raises(ValueError, match="not 8 kHz mono"):
        read_wav(tmp_path / "a.wav")


def _write(path: Path, samples: array[int], rate: int) -> None:
    with wave.open(str(path), "wb") as recording:
        recording.setnchannels(1)
        recording.setsampwidth(2)
        recording.setframerate(rate)
        recording.writeframes(samples.tobytes())
