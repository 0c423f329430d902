"""The files that a switch has written: 16-bit PCM at 8 kHz behind a header that is only right if it was closed."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

RATE: Final = 8000
SAMPLE_BYTES: Final = 2
CHUNK_BYTES: Final = 1 << 19
HEADER_BYTES: Final = 44
_CHUNK_HEAD: Final = struct.Struct("<4sI")
_FORMAT: Final = struct.Struct("<HHIIHH")


class NotPcm(Exception):
    """The file is none that our switches write."""


@dataclass(frozen=True, slots=True)
class Pcm:
    """Where the samples of a file are. A file that was never closed names no length, or an old one: then all that
    follows is samples, whole ones."""

    path: Path
    channels: int
    offset: int
    length: int

    @property
    def frames(self) -> int:
        """Count the samples of each channel."""
        return self.length // (SAMPLE_BYTES * self.channels)

    def read(self, first: int = 0, last: int | None = None) -> Iterator[bytes]:
        """Yield the frames from `first` up to `last`, in pieces."""
        width = SAMPLE_BYTES * self.channels
        end = self.frames if last is None else min(last, self.frames)
        with self.path.open("rb") as file:
            file.seek(self.offset + first * width)
            left = (end - first) * width
            while left > 0:
                piece = file.read(min(CHUNK_BYTES, left))
                if not piece:
                    return
                left -= len(piece)
                yield piece


def read_header(path: Path, expected_channels: int) -> Pcm:
    """Find where a file's samples are; in one whose header was never written, where they were to be. Raises NotPcm,
    OSError."""
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(12)
        if not start.strip(b"\0"):
            return _samples(path, expected_channels, min(HEADER_BYTES, size), 0, size)
        if start[:4] != b"RIFF" or start[8:] != b"WAVE":
            raise NotPcm(path.name)
        channels = 0
        while len(head := file.read(_CHUNK_HEAD.size)) == _CHUNK_HEAD.size:
            name, length = _CHUNK_HEAD.unpack(head)
            if name == b"data":
                return _samples(path, channels, file.tell(), length, size)
            body = file.read(min(length + length % 2, 1 << 16))
            if name == b"fmt ":
                channels = _channels(path, body)
    raise NotPcm(path.name)


def _channels(path: Path, body: bytes) -> int:
    if len(body) < _FORMAT.size:
        raise NotPcm(path.name)
    kind, channels, rate, _, _, bits = _FORMAT.unpack(body[: _FORMAT.size])
    if kind != 1 or channels not in (1, 2) or rate != RATE or bits != 8 * SAMPLE_BYTES:
        raise NotPcm(path.name)
    return int(channels)


def _samples(path: Path, channels: int, offset: int, length: int, size: int) -> Pcm:
    if not channels:
        raise NotPcm(path.name)
    there = size - offset
    was_closed = 0 < length <= there and there - length < 1024  # behind the samples a title may stand, nothing more
    used = length if was_closed else there
    return Pcm(path, channels, offset, used - used % (SAMPLE_BYTES * channels))


def header(frames: int, channels: int) -> bytes:
    """Return the 44 bytes that stand before so many frames."""
    width = SAMPLE_BYTES * channels
    length = frames * width
    return (
        _CHUNK_HEAD.pack(b"RIFF", 36 + length)
        + b"WAVE"
        + _CHUNK_HEAD.pack(b"fmt ", _FORMAT.size)
        + _FORMAT.pack(1, channels, RATE, RATE * width, width, 8 * SAMPLE_BYTES)
        + _CHUNK_HEAD.pack(b"data", length)
    )


def write_silence(file: BinaryIO, frames: int, channels: int) -> None:
    """Write so many frames without sound."""
    left = frames * SAMPLE_BYTES * channels
    nothing = bytes(min(left, CHUNK_BYTES))
    while left > 0:
        left -= file.write(nothing[: min(left, len(nothing))])
