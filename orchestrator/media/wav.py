"""WAV files as every switch plays them: 8 kHz, mono, 16 bits. Pure."""

from __future__ import annotations

import struct
from typing import Final

RATE: Final = 8_000
HEADER_BYTES: Final = 44
BYTES_PER_MS: Final = RATE * 2 // 1000


def wav_header(pcm_bytes: int) -> bytes:
    """Return the header of `pcm_bytes` of samples."""
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF", HEADER_BYTES - 8 + pcm_bytes, b"WAVE",
        b"fmt ", 16, 1, 1, RATE, RATE * 2, 2, 16,
        b"data", pcm_bytes,
    )  # fmt: skip


def duration_ms(wav_bytes: int) -> int:
    """Return how long a file of this size plays."""
    return max(wav_bytes - HEADER_BYTES, 0) // BYTES_PER_MS
