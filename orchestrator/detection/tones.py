"""Finds tones in 8 kHz audio: frames whose energy stands in one line of the spectrum."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

RATE: Final = 8000
FRAME: Final = 160
WINDOW: Final = 256
"""32 ms: lines are 31 Hz apart, and a beep of 120 ms fills several."""

LOBE: Final = 3
"""Lines on either side of a peak that a Hann window spreads a tone over."""

SHARE: Final = 0.95
"""Least share of a frame's energy in a tone, or in two that are no 100 Hz apart. Vowels have less: their harmonics."""

QUIETEST_DBFS: Final = -45.0

Samples = NDArray[np.int16]
_HANN: Final = np.hanning(WINDOW)
_HZ_PER_LINE: Final = RATE / WINDOW
_QUIETEST: Final = (32768 * 10 ** (QUIETEST_DBFS / 20)) ** 2 * float((_HANN**2).sum()) * WINDOW / 4


def pitches(samples: Samples) -> list[int]:
    """Return each frame's pitch in `samples`, which begin with WINDOW - FRAME samples of the past; 0 where it is no
    tone."""
    count = (len(samples) - WINDOW + FRAME) // FRAME
    if count <= 0:
        return []
    windows = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::FRAME][:count]
    power = np.abs(np.fft.rfft(windows * _HANN)) ** 2
    power[:, :2] = 0.0  # the line's own offset and hum
    total = power.sum(axis=1)
    hz, energy = _strongest(power)
    is_tone = (total > _QUIETEST) & (energy >= SHARE * total)
    return [round(each) for each in np.where(is_tone, hz, 0.0)]


def _strongest(power: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return where exactly each row's peak is, and the energy of its lobe."""
    line = np.clip(power.argmax(axis=1), LOBE, power.shape[1] - LOBE - 1)
    rows = np.arange(len(line))
    left, middle, right = (np.sqrt(power[rows, line + step]) for step in (-1, 0, 1))
    total = left + middle + right
    off = np.divide(2 * (right - left), total, out=np.zeros_like(total), where=total > 0)
    energy = np.stack([power[rows, line + step] for step in range(-LOBE, LOBE + 1)]).sum(axis=0)
    return (line + off) * _HZ_PER_LINE, energy
