"""`python -m orchestrator.media.decode`: audio on standard input -> an 8 kHz mono 16-bit WAV file on standard output.

A process of its own, because what it reads is a stranger's and what reads it is C: hostile bytes can crash it, or keep
it busy until its limits end it (media.confined), and nothing else. `--ulaw`: the input is bare G.711 at 8 kHz.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator
from typing import BinaryIO, Final

import miniaudio

from orchestrator.media.wav import HEADER_BYTES, RATE, wav_header

MAX_SECONDS: Final = 30 * 60
UNREADABLE: Final = 3
TOO_LONG: Final = 4
_FRAMES: Final = 65_536


class TooLong(Exception):
    """More than MAX_SECONDS of audio."""


def decode(data: bytes, output: BinaryIO) -> None:
    """Write `data`, in any rate and number of channels, as a WAV file to the start of `output`.

    Raises TooLong, and miniaudio.DecodeError for what is no WAV, AIFF or MP3, or holds no sound.
    """
    if not _is_audio(data):
        raise miniaudio.DecodeError("neither WAV, AIFF nor MP3")
    output.write(bytes(HEADER_BYTES))
    pcm_bytes = 0
    for piece in _pieces(data):
        pcm_bytes += len(piece)
        if pcm_bytes > MAX_SECONDS * RATE * 2:
            raise TooLong
        output.write(piece)
    if not pcm_bytes:
        raise miniaudio.DecodeError("no sound")
    output.seek(0)
    output.write(wav_header(pcm_bytes))


def _pieces(data: bytes) -> Iterator[bytes]:
    stream = miniaudio.stream_memory(data, miniaudio.SampleFormat.SIGNED16, 1, RATE, frames_to_read=_FRAMES)
    for samples in stream:
        yield samples.tobytes()


def _is_audio(data: bytes) -> bool:
    """miniaudio tries every decoder that it has: it is to guess at nothing that does not begin as audio does."""
    kind = data[8:12]
    return (
        (data[:4] in (b"RIFF", b"RF64") and kind == b"WAVE")
        or (data[:4] == b"FORM" and kind in (b"AIFF", b"AIFC"))
        or data[:3] == b"ID3"
        or (len(data) > 1 and data[0] == 0xFF and data[1] & 0xE0 == 0xE0)
    )


def _wrap_ulaw(data: bytes) -> bytes:
    fmt = struct.pack("<HHIIHH", 7, 1, RATE, RATE, 1, 8)
    riff = b"WAVEfmt " + struct.pack("<I", len(fmt)) + fmt + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(riff)) + riff


def main(arguments: list[str]) -> int:
    """The exit status: 0, UNREADABLE or TOO_LONG."""
    data = sys.stdin.buffer.read()
    try:
        decode(_wrap_ulaw(data) if "--ulaw" in arguments else data, sys.stdout.buffer)
    except TooLong:
        return TOO_LONG
    except miniaudio.MiniaudioError:
        return UNREADABLE
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
