"""`python -m orchestrator.media.decode`: audio on standard input -> an 8 kHz mono 16-bit WAV file on standard output.

A process of its own, because what it reads is a stranger's and what reads it is C: hostile bytes can crash it, or keep
it busy until its limits end it (media.confined), and nothing else. Once all is imported and read, and before the first
byte is looked at, it gives up every system call that computing does not need (media.syscalls).

What a file is, the library finds out by its own probing. `--ulaw`, `--gsm`: if it is no file of any kind that has a
header, it is bare G.711 or GSM 6.10 at 8 kHz.
"""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Iterator
from typing import BinaryIO, Final

import av
from av.audio.fifo import AudioFifo
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.container import InputContainer

from orchestrator.media.syscalls import COMPUTING, allow_only, make_undumpable
from orchestrator.media.wav import HEADER_BYTES, RATE, wav_header

MAX_SECONDS: Final = 30 * 60
UNREADABLE: Final = 3
TOO_LONG: Final = 4

AT_ONCE: Final = 16_384
"""Samples that are resampled together: one frame at a time takes twice as long."""

FORMATS: Final = {
    "wav": "WAV, RF64", "w64": "Sony Wave64", "aiff": "AIFF, AIFF-C", "mp3": "MPEG audio: MP3, MP2; MPEG 1, 2, 2.5",
    "au": "Sun/NeXT .au", "gsm": "GSM 6.10",
}  # fmt: skip
"""Kinds of files that are tried, by ffmpeg's names; none of its hundreds of other parsers is."""

CODECS: Final = {
    "pcm_u8": "8 bits", "pcm_s8": "", "pcm_s16le": "16 bits", "pcm_s16be": "", "pcm_s24le": "24 bits", "pcm_s24be": "",
    "pcm_s32le": "32 bits", "pcm_s32be": "", "pcm_f32le": "floating point", "pcm_f32be": "", "pcm_f64le": "",
    "pcm_f64be": "", "pcm_mulaw": "µ-law", "pcm_alaw": "A-law", "adpcm_ima_wav": "IMA ADPCM", "adpcm_ms": "MS ADPCM",
    "adpcm_ima_qt": "IMA4", "gsm": "GSM", "gsm_ms": "GSM", "mp3float": "MP3", "mp3": "", "mp2float": "MP2", "mp2": "",
    "mp1float": "MP1", "mp1": "",
}  # fmt: skip
"""Codecs that are tried, likewise; each with its name for people, where it is the first of its kind."""

BARE: Final = {"--ulaw": "mulaw", "--gsm": "gsm"}


class Unreadable(Exception):
    """The data is no audio, of no kind that is known, or without sound in it."""


class TooLong(Exception):
    """The audio is longer than MAX_SECONDS."""


def decode(data: bytes, output: BinaryIO, bare: str = "") -> None:
    """Write `data`, in any rate and number of channels, as a WAV file to the start of `output`; `bare` is ffmpeg's name
    of what it is if it is no file of a known kind. What is damaged is played as far as it is not, as by players. Raises
    TooLong, Unreadable."""
    output.write(bytes(HEADER_BYTES))
    pcm_bytes = 0
    try:
        for piece in _pieces(_open(data, bare)):
            pcm_bytes += len(piece)
            if pcm_bytes > MAX_SECONDS * RATE * 2:
                raise TooLong
            output.write(piece)
    except av.FFmpegError as error:
        if not pcm_bytes:
            raise Unreadable(str(error)) from error
    if not pcm_bytes:
        raise Unreadable("no sound")
    output.seek(0)
    output.write(wav_header(pcm_bytes))


class _Stream:
    """Bytes that cannot be gone back in, so that nothing is looked for behind the sound, where tools leave junk."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def read(self, count: int) -> bytes:
        """Return the next bytes."""
        return self._data.read(count)


def _open(data: bytes, bare: str) -> InputContainer:
    formats = ",".join(FORMATS.keys() - {"gsm"} if bare else FORMATS)
    options = {"format_whitelist": formats, "codec_whitelist": ",".join(CODECS)}
    for source in (io.BytesIO(data), _Stream(data)):
        with contextlib.suppress(av.FFmpegError):
            return av.open(source, "r", options=options)
    if not bare:
        raise Unreadable("no file of a known kind")
    options |= {"format_whitelist": bare, "sample_rate": str(RATE)}
    return av.open(io.BytesIO(data), "r", format=bare, options=options)


def _pieces(container: InputContainer) -> Iterator[bytes]:
    if not container.streams.audio:
        raise Unreadable("no sound")
    stream = container.streams.audio[0]
    # A file's header may name any other of hundreds, or none that there is: then there is no context.
    if getattr(stream.codec_context, "name", "") not in CODECS:
        raise Unreadable("of no codec that is known")
    stream.codec_context.thread_count = 1  # another thread would be a system call
    resampler, fifo, kind = _make_resampler(), AudioFifo(), None
    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except av.InvalidDataError:
            continue
        for frame in frames:
            before, kind = kind, (frame.format.name, frame.layout.name, frame.sample_rate)
            if before not in (None, kind):  # a jingle in mono before a song in stereo
                yield from _rest(resampler, fifo)
                resampler, fifo = _make_resampler(), AudioFifo()
            frame.pts = None
            fifo.write(frame)
            if fifo.samples >= AT_ONCE:
                yield from _samples(resampler, fifo.read())
    yield from _rest(resampler, fifo)


def _make_resampler() -> AudioResampler:
    return AudioResampler(format="s16", layout="mono", rate=RATE)


def _rest(resampler: AudioResampler, fifo: AudioFifo) -> Iterator[bytes]:
    if fifo.samples:
        yield from _samples(resampler, fifo.read())
    yield from _samples(resampler, None)


def _samples(resampler: AudioResampler, frame: AudioFrame | None) -> Iterator[bytes]:
    for out in resampler.resample(frame):
        yield bytes(out.planes[0])[: out.samples * 2]  # planes are padded


def confine() -> None:
    """Give up what decoding does not need, for good. A first file makes the library import all that it does late."""
    decode(wav_header(320) + bytes(320), io.BytesIO())
    make_undumpable()
    allow_only(COMPUTING)


def main(arguments: list[str]) -> int:
    """Decode standard input; returns the exit status: 0, UNREADABLE or TOO_LONG."""
    data = sys.stdin.buffer.read()
    confine()
    try:
        decode(data, sys.stdout.buffer, next((BARE[word] for word in arguments if word in BARE), ""))
    except TooLong:
        return TOO_LONG
    except Unreadable:
        return UNREADABLE
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
