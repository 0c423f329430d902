"""`orchestrator detect --file …`: what would be said of recorded calls, for operators who measure it on their own."""

from __future__ import annotations

import sys
import wave
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import orjson

from orchestrator.detection.decision import Heard, Segment, Tuning, Verdict, hear
from orchestrator.detection.segments import Segmenter, append

SHAPE: Final = (8000, 1, 2)
BLOCK_BYTES: Final = 1600


def run(files: Sequence[str], to_message_end: bool, with_segments: bool) -> int:
    """Print a line of JSON for each file; exit status 1 if one cannot be read."""
    failed = 0
    for name in files:
        try:
            audio = read_audio(Path(name))
        except (OSError, EOFError, ValueError, wave.Error) as error:
            print(f"orchestrator: {name}: {error}", file=sys.stderr)
            failed = 1
            continue
        verdict = judge(audio, Tuning(to_message_end=to_message_end))
        line: dict[str, object] = {
            "file": name,
            "answered_by": None if verdict is None else str(verdict.answered_by),
            "duration_ms": None if verdict is None else verdict.at_ms,
        }
        if with_segments:
            line["segments"] = [[str(one.kind), one.ms, one.hz] for one in segments_of(audio)]
        print(orjson.dumps(line).decode())
    return failed


def read_audio(path: Path) -> bytes:
    """The samples of a WAV. Raises OSError, wave.Error, and ValueError if its shape is another."""
    with wave.open(str(path)) as file:
        if (file.getframerate(), file.getnchannels(), file.getsampwidth()) != SHAPE:
            raise ValueError("has to be 8 kHz, mono, 16 bits: sox IN.wav -r 8000 -c 1 -b 16 OUT.wav")
        audio: bytes = file.readframes(file.getnframes())
        return audio


def judge(audio: bytes, tuning: Tuning) -> Verdict | None:
    """Return who picked up, or None if the audio ends before that is clear."""
    heard = Heard()
    for segment in _segments(audio):
        after = hear(heard, segment, tuning)
        if isinstance(after, Verdict):
            return after
        heard = after
    return None


def segments_of(audio: bytes) -> list[Segment]:
    """All of it, each as long as it lasts."""
    found: list[Segment] = []
    for segment in _segments(audio):
        append(found, segment)
    return found


def _segments(audio: bytes) -> Iterator[Segment]:
    segmenter = Segmenter()
    for start in range(0, len(audio), BLOCK_BYTES):
        yield from segmenter.feed(audio[start : start + BLOCK_BYTES])
