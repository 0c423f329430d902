"""DTMF: the tones of ITU-T Q.23 as a WAV file. Pure."""

from __future__ import annotations

import math
import struct
from functools import cache
from itertools import product
from typing import Final

from orchestrator.media.wav import RATE, wav_header

TONE_MS: Final = 100
GAP_MS: Final = 100
"""Q.24 asks for 40 ms of each; Twilio's are not documented."""

WAIT_MS: Final = {"w": 500, "W": 1_000}
_AMPLITUDE: Final = 8_000
"""Of each of the two: -12 dBm0 or so, and no clipping where they add up."""

_FREQUENCIES: Final = dict(
    zip("123A456B789C*0#D", product((697, 770, 852, 941), (1209, 1336, 1477, 1633)), strict=True)
)


def render_digits(digits: str) -> bytes:
    """Return the WAV of digits that twiml.document has accepted."""
    pcm = b"".join(_silence(WAIT_MS[digit]) if digit in WAIT_MS else _tone(digit) for digit in digits)
    return wav_header(len(pcm)) + pcm


def _silence(milliseconds: int) -> bytes:
    return bytes(2 * RATE * milliseconds // 1000)


@cache
def _tone(digit: str) -> bytes:
    low, high = (2 * math.pi * frequency / RATE for frequency in _FREQUENCIES[digit])
    count = RATE * TONE_MS // 1000
    samples = (round(_AMPLITUDE * (math.sin(low * n) + math.sin(high * n))) for n in range(count))
    return struct.pack(f"<{count}h", *samples) + _silence(GAP_MS)
