"""Digits sound as ITU-T Q.23 says."""

from __future__ import annotations

import math
import struct

import pytest

from orchestrator.media.tones import render_digits
from orchestrator.media.wav import HEADER_BYTES, duration_ms

ROWS, COLUMNS = (697, 770, 852, 941), (1209, 1336, 1477, 1633)


def power(samples: tuple[int, ...], frequency: int) -> float:
    turn = 2 * math.pi * frequency / 8000
    waves = (math.cos, math.sin)
    return math.hypot(*(sum(sample * wave(turn * n) for n, sample in enumerate(samples)) for wave in waves))


@pytest.mark.parametrize(("place", "digit"), list(enumerate("123A456B789C*0#D")))
def test_a_digit_is_its_two_tones(place: int, digit: str) -> None:
    """Its row's and its column's, and no other."""
    samples = struct.unpack("<800h", render_digits(digit)[HEADER_BYTES : HEADER_BYTES + 1600])
    strongest = [max(group, key=lambda frequency: power(samples, frequency)) for group in (ROWS, COLUMNS)]

    assert strongest == [ROWS[place // 4], COLUMNS[place % 4]]
    assert max(map(abs, samples)) < 32_000


@pytest.mark.parametrize(("digits", "milliseconds"), [("1", 200), ("w", 500), ("W", 1000), ("1w2W#", 2100)])
def test_pauses_last_as_long_as_they_say(digits: str, milliseconds: int) -> None:
    """w is half a second, W a whole one; a tone and the gap behind it are 0.2 s."""
    assert duration_ms(len(render_digits(digits))) == milliseconds
