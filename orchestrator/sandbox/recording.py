"""Write files of what phones say, for `uuid_record` of a leg and `record` of a conference.

A phone that talks has a tone of its own, one that is quiet is silence, and what is played to people is not in it. A
file is written while time passes, as the real one writes: through a buffer of 64 KiB unless it is told otherwise, its
header completed when it is closed (src/switch_core_file.c).
"""

from __future__ import annotations

import math
import time
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import BinaryIO

import gevent
import structlog
from gevent.event import Event as Signal

from orchestrator.sandbox.clock import FRAME_SECONDS, FRAMES_PER_SECOND
from orchestrator.sandbox.switch_strings import parse_variable_blocks

RATE = 8000
FRAME_SAMPLES = RATE // FRAMES_PER_SECOND
_BYTES_PER_SAMPLE = 2
_BLOCK_SAMPLES = 800
"""Every tone has a multiple of 10 Hz, so that a block of a tenth of a second can be repeated."""
_AMPLITUDE = 4600
"""-20 dBFS, as the phones of tests/farend/phones.xml play it."""
_BUFFER_BYTES = 65536
_FRAMES_AT_ONCE = 5
_HEADER_BYTES = 44
_FORMATS = {".wav": _HEADER_BYTES, ".raw": 0}

log = structlog.get_logger(__name__)

Tones = frozenset[int]
SILENCE: Tones = frozenset()
Heard = Callable[[], tuple[Tones, ...]]
"""For each channel of the file the tones, in Hz, that sound in it now."""


class CannotRecord(Exception):
    """The file cannot be opened."""


@dataclass(slots=True, eq=False)
class Recording:
    """One file that is being written."""

    path: str
    heard: Heard
    buffered: bool = True
    mask: bool = False
    samples: int = 0
    arrived: float = field(default_factory=time.monotonic)
    arrived_at: int = field(default_factory=lambda: int(time.time()))
    given: dict[str, str] = field(default_factory=dict)
    shortest_samples: int = 0
    shortest_seconds: int = 0
    is_open: bool = False
    bytes_written: int = 0
    stopped: Signal = field(default_factory=Signal)
    paused: bool = False
    _until: float = field(default_factory=time.monotonic)
    _file: BinaryIO | None = None
    _header_bytes: int = 0

    @property
    def name(self) -> str:
        """The path without the parameters in front of it."""
        blocks = parse_variable_blocks(self.path)
        return self.path if blocks is None else blocks[1]

    def open(self) -> None:
        """Make the file and its directory; the ending decides the format."""
        target = Path(self.name)
        if target.suffix not in _FORMATS:
            raise CannotRecord(f"{target.suffix} is not simulated")
        self._header_bytes = _FORMATS[target.suffix]
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            self._file = target.open("wb", _BUFFER_BYTES if self.buffered else 0)
            self._file.write(bytes(self._header_bytes))
        except OSError as error:
            raise CannotRecord(str(error)) from error
        self._until = time.monotonic()
        self.is_open = True

    def write_while(self, goes_on: Callable[[], bool]) -> None:
        """Write what has become due, again and again."""
        ticks = 0
        while goes_on():
            gevent.sleep(FRAME_SECONDS)
            ticks += 1
            if ticks % _FRAMES_AT_ONCE == 0:
                self.write_due()

    def pause(self, paused: bool) -> None:
        """Leave out what is said from now on, or go on."""
        self.write_due()
        self.paused = paused

    def set_mask(self, mask: bool) -> None:
        """Write silence from now on, or what is said again."""
        self.write_due()
        self.mask = mask

    def write_due(self) -> None:
        """Write the whole frames of the time since the last call."""
        frames = int((time.monotonic() - self._until) * FRAMES_PER_SECOND)
        self._until += frames / FRAMES_PER_SECOND
        if self._file is None or self.paused or not frames:
            return
        tones = self.heard()
        sound = _sound(tuple(SILENCE for _ in tones) if self.mask else tones)
        wanted, start = frames * FRAME_SAMPLES, self.samples % _BLOCK_SAMPLES
        width = _BYTES_PER_SAMPLE * len(tones)
        repeated = sound * ((start + wanted) // _BLOCK_SAMPLES + 1)
        try:
            self.samples += self._file.write(repeated[start * width : (start + wanted) * width]) // width
        except OSError as error:  # a full disk ends no recording (record_callback: `Error writing`)
            log.warning("recording_not_written", path=self.path, error=str(error))

    def close(self) -> None:
        """Write the rest and the header."""
        if self._file is None:
            return
        self.write_due()
        channels = len(self.heard())
        self.bytes_written = self.samples * _BYTES_PER_SAMPLE * channels + self._header_bytes
        if self._header_bytes:
            self._file.seek(0)
            self._file.write(_wav_header(self.bytes_written, channels))
        self._file.close()
        self._file, self.is_open = None, False

    def discard(self) -> None:
        """Delete the file, which is too short."""
        Path(self.name).unlink(missing_ok=True)


def _wav_header(size: int, channels: int) -> bytes:
    """RIFF, `fmt ` of 16-bit PCM, and the head of `data`."""
    width = _BYTES_PER_SAMPLE * channels
    return b"".join(
        (
            b"RIFF" + (size - 8).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little"),
            (1).to_bytes(2, "little") + channels.to_bytes(2, "little"),
            RATE.to_bytes(4, "little") + (RATE * width).to_bytes(4, "little"),
            width.to_bytes(2, "little") + (8 * _BYTES_PER_SAMPLE).to_bytes(2, "little"),
            b"data" + (size - _HEADER_BYTES).to_bytes(4, "little"),
        )
    )


@cache
def _tone(hertz: int) -> array[int]:
    return array("h", (round(_AMPLITUDE * math.sin(math.tau * hertz * n / RATE)) for n in range(_BLOCK_SAMPLES)))


@cache
def _sound(channels: tuple[Tones, ...]) -> bytes:
    """A block in which those tones sound, channels interleaved."""
    mixed = [[sum(_tone(hertz)[n] for hertz in tones) for n in range(_BLOCK_SAMPLES)] for tones in channels]
    clipped = (max(-32768, min(32767, sample)) for samples in zip(*mixed, strict=True) for sample in samples)
    return array("h", clipped).tobytes()
