"""Parts -> one recording: joined, cut to its channels, without silence at its ends; as WAV and as MP3. Pure files.

Trimming: a frame of 20 ms has sound in it if any sample is louder than -48 dBFS. A conference's comfort noise is at -62
(measured), so a room in which nobody speaks is silent.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

import lameenc

from orchestrator.recordings.wav import CHUNK_BYTES, RATE, SAMPLE_BYTES, NotPcm, Pcm, header, read_header, write_silence

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame

FRAME: Final = RATE // 50
SOUND_LEVEL: Final = 128
MP3_KILOBITS_PER_CHANNEL: Final = 32
"""A second, constant: so a player finds every moment of a file that it has not read."""

MP3_QUALITY: Final = 5
"""LAME's, and ffmpeg's default."""

SIDES: Final = {"inbound": 0, "outbound": 1}
"""Of a leg that was recorded in stereo: left is what it says, right what it hears (freeswitch/recordings.py)."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part's file, which may be missing. `fills_gap`: silence stands for the time since the piece before."""

    path: Path
    started_ms: int
    fills_gap: bool


def join(pieces: Sequence[Piece], channels: int, track: str, output: BinaryIO) -> int:
    """Write all pieces as bare samples in `channels` channels; returns how many frames they are. `track` '': they have
    one side, as a conference has."""
    frames = 0
    clock_ms: int | None = None
    owed = False
    for piece in pieces:
        owed = owed or piece.fills_gap
        pcm = _look(piece.path, 2 if track else 1)
        if pcm is None or not pcm.frames:
            continue
        if owed and clock_ms is not None and piece.started_ms > clock_ms:
            gap = (piece.started_ms - clock_ms) * RATE // 1000
            write_silence(output, gap, channels)
            frames += gap
        for chunk in _as_channels(pcm, channels, track):
            output.write(chunk)
        frames += pcm.frames
        clock_ms, owed = piece.started_ms + pcm.frames * 1000 // RATE, False
    return frames


def _look(path: Path, channels: int) -> Pcm | None:
    try:
        return read_header(path, channels)
    except (FileNotFoundError, NotPcm):  # nothing was written into it, or not even a header
        return None


def _as_channels(pcm: Pcm, channels: int, track: str) -> Iterator[bytes]:
    if pcm.channels == channels:
        yield from pcm.read()
    elif channels == 2:  # a file of one side where two were asked for: both are the same
        for chunk in pcm.read():
            doubled = array("h", bytes(2 * len(chunk)))
            doubled[::2] = doubled[1::2] = array("h", chunk)
            yield doubled.tobytes()
    elif track in SIDES:
        for chunk in pcm.read():
            yield array("h", chunk)[SIDES[track] :: 2].tobytes()
    else:
        yield from mix(pcm.read())


def mix(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Add up both sides of stereo samples, as a phone would."""
    from av.filter import Graph

    graph = Graph()
    nodes = (
        graph.add_abuffer(format="s16", sample_rate=RATE, layout="stereo", time_base=Fraction(1, RATE)),
        graph.add("pan", "mono|c0=c0+c1"),
        graph.add("aformat", "sample_fmts=s16:channel_layouts=mono"),
        graph.add("abuffersink"),
    )
    graph.link_nodes(*nodes).configure()
    for chunk in chunks:
        graph.push(_stereo_frame(chunk))
        out = graph.pull()
        yield bytes(out.planes[0])[: out.samples * SAMPLE_BYTES]  # type: ignore[union-attr]  # planes are padded


def _stereo_frame(chunk: bytes) -> AudioFrame:
    from av.audio.frame import AudioFrame

    frame = AudioFrame(format="s16", layout="stereo", samples=len(chunk) // (2 * SAMPLE_BYTES))
    plane = frame.planes[0]
    plane.update(chunk + bytes(plane.buffer_size - len(chunk)))
    frame.sample_rate = RATE
    return frame


def sounding(path: Path, frames: int, channels: int) -> tuple[int, int]:
    """Find the first and the last frame, rounded to 20 ms, between which there is sound; (0, 0) if there is none."""
    width = SAMPLE_BYTES * channels
    step = FRAME * width
    with path.open("rb") as file:
        first = _first_sound(file, range(0, frames * width, step), step)
        if first is None:
            return 0, 0
        last = _first_sound(file, range((frames * width - 1) // step * step, -1, -step), step)
    return first // width, min(frames, ((last or 0) + step) // width)


def _first_sound(file: BinaryIO, positions: range, step: int) -> int | None:
    """The first of these positions where a frame has sound. Silence is looked at in large pieces."""
    per_read = max(1, CHUNK_BYTES // step)
    for start in range(0, len(positions), per_read):
        some = positions[start : start + per_read]
        low = min(some[0], some[-1])
        file.seek(low)
        samples = array("h", _whole(file.read(len(some) * step)))
        if not samples or (max(samples) < SOUND_LEVEL and min(samples) > -SOUND_LEVEL):
            continue
        for position in some:
            at = (position - low) // SAMPLE_BYTES
            frame = samples[at : at + step // SAMPLE_BYTES]
            if len(frame) and (max(frame) >= SOUND_LEVEL or min(frame) <= -SOUND_LEVEL):
                return position
    return None


def _whole(data: bytes) -> bytes:
    return data[: len(data) - len(data) % SAMPLE_BYTES]


def write_wav(body: Pcm, first: int, last: int, output: BinaryIO) -> None:
    """Write the frames from `first` to `last` of bare samples as a WAV file."""
    output.write(header(last - first, body.channels))
    for chunk in body.read(first, last):
        output.write(chunk)


def write_mp3(chunks: Iterable[bytes], channels: int, output: BinaryIO) -> None:
    """Write samples as an MP3 file."""
    encoder = lameenc.Encoder()
    encoder.silence()
    encoder.set_in_sample_rate(RATE)
    encoder.set_out_sample_rate(RATE)
    encoder.set_channels(channels)
    encoder.set_bit_rate(MP3_KILOBITS_PER_CHANNEL * channels)
    encoder.set_quality(MP3_QUALITY)
    for chunk in chunks:
        output.write(encoder.encode(chunk))
    output.write(encoder.flush())
