"""What is in a recording: the level of each tone in dBFS, and the frames in which it is heard.

A switch mixes, mutes and sends frames of 20 ms, and the far end records whole frames. So a tone is there for a whole
frame or not at all, and each frame is looked at by itself, with a Hann window: a tone on the grid of 50 Hz then shows
up nowhere 100 Hz or more away from it, and neither does one that starts or ends between two frames.

Measured on FreeSWITCH with PCMU: tests/harness/ears.py.
"""

from __future__ import annotations

import math
import wave
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from operator import mul
from pathlib import Path

RATE = 8000
FRAME = 160
GRID_HZ = RATE // FRAME
APART_HZ = 2 * GRID_HZ
FAR_APART_HZ = 4 * GRID_HZ

HEARD_DBFS = -35.0
"""A tone above this is heard: a phone's tone is -20, and one frame of it in a window of 20 frames makes -33."""
SILENT_DBFS = -50.0
"""A tone below this is not: PCMU makes -57 out of the other tones at worst."""
NOTHING_DBFS = -120.0

_FULL_SCALE = 32768.0

Samples = Sequence[int]


@dataclass(frozen=True, slots=True)
class HeardFrame:
    """One frame of 20 ms in which a tone was heard."""

    seconds: float
    dbfs: float


def read_wav(path: Path) -> array[int]:
    """The samples of a mono WAV of 8 kHz and 16 bit; ValueError if it is another one."""
    with wave.open(str(path)) as recording:
        shape = (recording.getframerate(), recording.getnchannels(), recording.getsampwidth())
        if shape != (RATE, 1, 2):
            raise ValueError(f"{path.name}: not 8 kHz mono 16 bit but {shape}")
        samples = array("h")
        samples.frombytes(recording.readframes(recording.getnframes()))
        return samples


def frame_levels(samples: Samples, hz: int) -> list[float]:
    """The level of a tone in each whole frame."""
    return [_dbfs(power) for power in _frame_powers(samples, hz)]


def level(samples: Samples, hz: int) -> float:
    """The level of a tone over all whole frames: its mean power, so that one loud frame among twenty is not lost."""
    powers = _frame_powers(samples, hz)
    if not powers:
        raise ValueError(f"{len(samples)} samples are less than a frame")
    return _dbfs(sum(powers) / len(powers))


def levels(samples: Samples, tones: Iterable[int]) -> dict[int, float]:
    """The level of each tone; ValueError if they are too close together to be told apart."""
    wanted = tuple(tones)
    require_apart(wanted)
    return {hz: level(samples, hz) for hz in wanted}


def heard_frames(samples: Samples, hz: int, threshold_dbfs: float = SILENT_DBFS) -> list[HeardFrame]:
    """All frames in which a tone exceeds the threshold."""
    return [
        HeardFrame(index * FRAME / RATE, dbfs)
        for index, dbfs in enumerate(frame_levels(samples, hz))
        if dbfs > threshold_dbfs
    ]


def loudness(samples: Samples) -> float:
    """The level of everything together; that of a single tone is the same as its `level`."""
    if not samples:
        raise ValueError("no samples")
    return _dbfs(2 * sum(map(mul, samples, samples)) / len(samples))


def require_apart(tones: Iterable[int]) -> None:
    """ValueError unless any two tones are 100 Hz apart, or 200 Hz where one of them is off the grid of 50 Hz."""
    ordered = sorted(tones)
    for lower, upper in pairwise(ordered):
        apart = APART_HZ if lower % GRID_HZ == 0 == upper % GRID_HZ else FAR_APART_HZ
        if upper - lower < apart:
            raise ValueError(f"{lower} Hz and {upper} Hz cannot be told apart in 20 ms")


def _frame_powers(samples: Samples, hz: int) -> list[float]:
    """The squared amplitude of a tone in each whole frame."""
    cosine, sine = _window(hz)
    powers = []
    for start in range(0, len(samples) - FRAME + 1, FRAME):
        frame = samples[start : start + FRAME]
        powers.append(sum(map(mul, frame, cosine)) ** 2 + sum(map(mul, frame, sine)) ** 2)
    return powers


@lru_cache(maxsize=256)
def _window(hz: int) -> tuple[list[float], list[float]]:
    """A cosine and a sine under a Hann window, scaled so that a tone's two products are its amplitude."""
    hann = [(1 - math.cos(2 * math.pi * index / FRAME)) * 2 / FRAME for index in range(FRAME)]
    turns = [2 * math.pi * hz * index / RATE for index in range(FRAME)]
    return (
        [weight * math.cos(turn) for weight, turn in zip(hann, turns, strict=True)],
        [weight * math.sin(turn) for weight, turn in zip(hann, turns, strict=True)],
    )


def _dbfs(power: float) -> float:
    """A squared amplitude as decibels of full scale."""
    amplitude = math.sqrt(power) / _FULL_SCALE
    return max(20 * math.log10(amplitude), NOTHING_DBFS) if amplitude > 0 else NOTHING_DBFS
