"""Asterisk's answering machine detection, as its documentation and amd.conf describe it, to compare with: 20 ms frames,
silent below a mean of 256, words, and the defaults (https://docs.asterisk.org, application AMD). Only for measuring."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FRAME_MS = 20
SILENCE_THRESHOLD = 256
INITIAL_SILENCE_MS = 2500
GREETING_MS = 1500
AFTER_GREETING_SILENCE_MS = 800
TOTAL_ANALYSIS_MS = 5000
MINIMUM_WORD_MS = 100
BETWEEN_WORDS_MS = 50
MAXIMUM_WORDS = 3
MAXIMUM_WORD_MS = 5000


@dataclass
class Progress:
    silence_ms: int = 0
    voice_ms: int = 0
    word_ms: int = 0
    words: int = 0
    is_between_words: bool = False
    is_greeting: bool = False


def decide(samples: NDArray[np.int16]) -> tuple[str, int]:
    """`human`, `machine` or `unknown`, and after how many ms of the call."""
    progress = Progress()
    size = 8 * FRAME_MS
    for number in range(len(samples) // size):
        now_ms = (number + 1) * FRAME_MS
        if now_ms >= TOTAL_ANALYSIS_MS:
            return "unknown", now_ms
        frame = samples[number * size : (number + 1) * size].astype(np.int32)
        found = _silent(progress) if np.abs(frame).mean() < SILENCE_THRESHOLD else _voiced(progress)
        if found:
            return found, now_ms
    return "unknown", len(samples) // 8


def _silent(progress: Progress) -> str:
    progress.silence_ms += FRAME_MS
    if progress.silence_ms >= BETWEEN_WORDS_MS:
        progress.is_between_words, progress.word_ms = True, 0
    if not progress.is_greeting and progress.silence_ms >= INITIAL_SILENCE_MS:
        return "machine"
    return "human" if progress.is_greeting and progress.silence_ms >= AFTER_GREETING_SILENCE_MS else ""


def _voiced(progress: Progress) -> str:
    progress.silence_ms = 0
    progress.word_ms += FRAME_MS
    progress.voice_ms += FRAME_MS
    if progress.word_ms >= MINIMUM_WORD_MS and progress.is_between_words:
        progress.words += 1
        progress.is_between_words = False
    is_long = progress.is_greeting and progress.voice_ms >= GREETING_MS
    if progress.word_ms >= MAXIMUM_WORD_MS or progress.words >= MAXIMUM_WORDS or is_long:
        return "machine"
    progress.is_greeting = progress.is_greeting or progress.word_ms >= MINIMUM_WORD_MS
    return ""
