"""Cuts audio into timed segments: a frame of 20 ms is a tone, speech (WebRTC's voice activity detector) or silence."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

import numpy as np
import webrtcvad

from orchestrator.detection.decision import TICK_MS, Kind, Segment
from orchestrator.detection.tones import FRAME, RATE, WINDOW, pitches

FRAME_BYTES: Final = 2 * FRAME
AGGRESSIVENESS: Final = 3
"""How much it takes to be speech, from 0 to 3."""

NOTHING: Final = 8
"""Samples up to the first step of G.711 are what is sent where there is no sound. The detector of voices is not shown
them: it would measure the line's noise by them, and take the noise itself for speech, for seconds."""

TONE_FRAMES: Final = 6
STEADY_HZ: Final = 16
"""A pitch that stays within this for so long is a tone; until then frames are kept back, so segments come that much
later."""

BEATING_FRAMES: Final = 9
BEATING_HZ: Final = 64
"""One that wavers a little for longer is two tones close together: ring-back of North America and of Britain."""

GAP_FRAMES: Final = 2
"""Frames for which a tone may be lost and go on, as where its phase is reversed (ITU-T V.8)."""


@dataclass(frozen=True, slots=True)
class _Frame:
    """`hz` is 0 where it is no tone."""

    hz: int
    is_speech: bool


class Segmenter:
    """Segments the audio of one call. `feed` takes any number of bytes: 16 bits, little-endian, 8 kHz, mono."""

    def __init__(self) -> None:
        self._vad = webrtcvad.Vad(AGGRESSIVENESS)
        self._rest = b""
        self._past = np.zeros(WINDOW - FRAME, dtype=np.int16)
        self._waiting: deque[_Frame] = deque()
        self._tone: Segment | None = None
        self._tone_hz = 0

    def feed(self, audio: bytes) -> list[Segment]:
        """Return the segments that are certain now; the last one may go on in what comes next."""
        audio = self._rest + audio
        whole = len(audio) - len(audio) % FRAME_BYTES
        audio, self._rest = audio[:whole], audio[whole:]
        if not audio:
            return []
        samples = np.concatenate((self._past, np.frombuffer(audio, dtype="<i2")))
        self._past = samples[-(WINDOW - FRAME) :]
        found: list[Segment] = []
        for number, hz in enumerate(pitches(samples)):
            chunk = audio[number * FRAME_BYTES : (number + 1) * FRAME_BYTES]
            frame = samples[WINDOW - FRAME + number * FRAME :][:FRAME]
            is_speech = bool(np.abs(frame).max() > NOTHING) and self._vad.is_speech(chunk, RATE)
            self._add(_Frame(hz, is_speech), found)
        return found

    def _add(self, frame: _Frame, found: list[Segment]) -> None:
        if self._tone is None:
            self._add_outside(frame, found)
            return
        self._waiting.append(frame)
        tolerated = STEADY_HZ if self._tone.hz else BEATING_HZ
        if frame.hz and abs(frame.hz - self._tone_hz) <= tolerated:
            self._give_out(found, self._tone)
        elif len(self._waiting) > GAP_FRAMES:
            self._tone = None
            frames = list(self._waiting)
            self._waiting.clear()
            for each in frames:
                self._add_outside(each, found)

    def _add_outside(self, frame: _Frame, found: list[Segment]) -> None:
        if not frame.hz:
            self._give_out(found)
            append(found, _of_speech(frame))
            return
        while self._waiting and abs(frame.hz - self._waiting[0].hz) > BEATING_HZ:
            append(found, _of_speech(self._waiting.popleft()))
        self._waiting.append(frame)
        hertz = [each.hz for each in self._waiting]
        last = sorted(hertz[-TONE_FRAMES:])
        if len(last) == TONE_FRAMES and last[-1] - last[0] <= STEADY_HZ:
            self._tone = Segment(Kind.TONE, TICK_MS, last[TONE_FRAMES // 2])
        elif len(hertz) >= BEATING_FRAMES and max(hertz) - min(hertz) <= BEATING_HZ:
            self._tone = Segment(Kind.TONE, TICK_MS)
        if self._tone is not None:
            self._tone_hz = last[TONE_FRAMES // 2]
            self._give_out(found, self._tone)

    def _give_out(self, found: list[Segment], tone: Segment | None = None) -> None:
        """Append the frames that were kept back: to the tone that they turned out to be, or as what each is without
        one."""
        while self._waiting:
            frame = self._waiting.popleft()
            append(found, tone or _of_speech(frame))


def _of_speech(frame: _Frame) -> Segment:
    return Segment(Kind.SPEECH if frame.is_speech else Kind.SILENCE, TICK_MS)


def append(found: list[Segment], segment: Segment) -> None:
    """Add a segment to those before it; the same sound goes on in the last one."""
    if found and (found[-1].kind, found[-1].hz) == (segment.kind, segment.hz):
        found[-1] = Segment(segment.kind, found[-1].ms + segment.ms, segment.hz)
    else:
        found.append(segment)
