"""Sound for tests: tones and silence as a switch writes them."""

from __future__ import annotations

import math
from array import array
from pathlib import Path

from orchestrator.recordings.wav import RATE, header


def tone(seconds: float, hz: int, amplitude: int = 4600) -> array[int]:
    count = round(seconds * RATE)
    return array("h", (round(amplitude * math.sin(math.tau * hz * n / RATE)) for n in range(count)))


def silence(seconds: float) -> array[int]:
    """With the comfort noise of a conference: 26 of 32768 at most, as measured."""
    return array("h", (26 if n % 3 else -26 for n in range(round(seconds * RATE))))


def stereo(left: array[int], right: array[int]) -> array[int]:
    both = array("h", bytes(4 * max(len(left), len(right))))
    both[0 : 2 * len(left) : 2] = left
    both[1 : 2 * len(right) : 2] = right
    return both


def write(path: Path, samples: array[int], channels: int = 1, *, head: bytes | None = None) -> Path:
    """A file; `head`: other than that of one that was closed."""
    whole = header(len(samples) // channels, channels) if head is None else head
    path.write_bytes(whole + samples.tobytes())
    return path
