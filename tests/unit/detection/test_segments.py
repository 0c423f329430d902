"""From audio to segments, with the real detector of voices: tones are tones, a voice is speech, noise is silence."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.detect_files import segments_of
from orchestrator.detection.decision import CLICK_MS, LONE_BEEP_HZ, Kind, Segment
from orchestrator.detection.segments import Segmenter
from tests.greetings.sounds import Sound, both, fax, noise, on_the_line, silence, tone

VOICE = (320, 810, 1530)


def heard(*sounds: Sound) -> list[Segment]:
    return segments_of(on_the_line(np.concatenate(sounds)).astype("<i2").tobytes())


def ms_of(segments: list[Segment], kind: Kind) -> int:
    return sum(one.ms for one in segments if one.kind is kind)


def voice(seconds: float) -> Sound:
    """What detectors of voices take for one."""
    return sum((tone(hz, seconds, -17.0) for hz in VOICE), silence(seconds))


@pytest.mark.parametrize("hz", [350, 440, 852, 1000, 1400, 2000, 2100])
@pytest.mark.parametrize("dbfs", [-9.0, -26.0])
def test_a_beep_is_one_tone_of_its_pitch_and_length(hz: int, dbfs: float) -> None:
    """To 20 Hz and 40 ms, at any level that people hear, over a line that is not silent."""
    line = noise(Random(1), 2.5, -60.0, "pink")

    found = [
        one for one in heard(silence(1.0), tone(hz, 0.5, dbfs), silence(1.0) + line[:8000]) if one.kind is Kind.TONE
    ]

    assert len(found) == 1
    assert abs(found[0].hz - hz) <= 20
    assert abs(found[0].ms - 500) <= 40


@pytest.mark.parametrize("pair", [(440, 480), (400, 450)])
@pytest.mark.parametrize("begins_at", [0.5, 0.503, 0.506, 0.511, 0.514])
def test_two_tones_close_together_are_no_beep(pair: tuple[int, int], begins_at: float) -> None:
    """Ring-back of North America and Britain, wherever frames cut it: a tone, of a pitch that no beep has, and no
    speech."""
    ring = both(tone(pair[0], 2.0, -20.0), tone(pair[1], 2.0, -20.0))
    line = noise(Random(4), 4.0, -55.0, "white")

    found = segments_of(on_the_line(both(line, np.concatenate((silence(begins_at), ring)))).astype("<i2").tobytes())

    assert ms_of(found, Kind.TONE) > 1800
    assert max(one.ms for one in found if one.kind is Kind.SPEECH) < CLICK_MS
    assert max(one.hz for one in found) < LONE_BEEP_HZ


def test_a_fax_whose_phase_is_reversed_is_one_tone() -> None:
    """ANSam (ITU-T V.8), every 450 ms."""
    longest = max(one.ms for one in heard(fax(Random(2), "reverses")) if one.kind is Kind.TONE)

    assert longest > 2000


def test_a_voice_is_speech_and_the_line_is_silence() -> None:
    """Nothing of it is a tone."""
    found = heard(silence(1.0), voice(2.0), silence(1.0))

    assert abs(ms_of(found, Kind.SPEECH) - 2000) <= 200
    assert ms_of(found, Kind.TONE) == 0
    assert ms_of(heard(noise(Random(3), 3.0, -50.0, "pink")), Kind.SPEECH) <= 200


@pytest.mark.parametrize("frames", [1, 2, 4, 50])
@pytest.mark.parametrize("colour", ["white", "pink"])
def test_noise_after_nothing_is_no_speech(frames: int, colour: str) -> None:
    """A call begins with frames of FreeSWITCH's, samples of 1 and -1, before those of the line: who measures the line's
    noise by them takes it for speech, for seconds."""
    nothing = np.random.default_rng(6).integers(-1, 2, 160 * frames)
    line = on_the_line(noise(Random(5), 4.0, -44.0, colour))

    found = segments_of(np.concatenate((nothing, line)).astype("<i2").tobytes())

    assert ms_of(found, Kind.SPEECH) <= 200


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 4000), max_size=60))
def test_how_audio_is_cut_makes_no_difference(sizes: list[int]) -> None:
    """Bytes come as the file grows, odd numbers of them, too."""
    audio = (
        on_the_line(np.concatenate((voice(0.4), silence(0.2), tone(900, 0.3), silence(0.3)))).astype("<i2").tobytes()
    )
    cuts = Segmenter()
    pieces: list[Segment] = []
    for size in [*sizes, len(audio)]:
        pieces += cuts.feed(audio[:size])
        audio = audio[size:]
    whole = heard(voice(0.4), silence(0.2), tone(900, 0.3), silence(0.3))

    for kind in Kind:
        assert ms_of(pieces, kind) == ms_of(whole, kind)
