"""Parts become one recording: joined, cut to its channels, trimmed to 20 ms, and the files are what they say."""

from __future__ import annotations

import io
from array import array
from pathlib import Path

import av
import pytest

from orchestrator.recordings import sound
from orchestrator.recordings.sound import Piece
from orchestrator.recordings.wav import HEADER_BYTES, RATE, NotPcm, Pcm, header, read_header
from tests.harness.sound import level
from tests.unit.recordings.audio import silence, stereo, tone, write

OPENED = (
    b"RIFF\x08\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x80\x3e\x00\x00\x02\x00\x10\x00data"
    + bytes(4)
)
"""The header of a file that the real switch has opened and never closed."""


def joined(pieces: list[Piece], channels: int = 1, track: str = "") -> array[int]:
    output = io.BytesIO()
    frames = sound.join(pieces, channels, track, output)
    samples = array("h", output.getvalue())
    assert len(samples) == frames * channels
    return samples


@pytest.mark.parametrize("head", [OPENED, bytes(HEADER_BYTES), header(800, 1)], ids=["opened", "zeros", "outgrown"])
def test_a_file_that_was_never_closed_is_whole(tmp_path: Path, head: bytes) -> None:
    """A killed switch leaves a header without, or with an old, length: all that is behind it is sound."""
    path = write(tmp_path / "a.wav", tone(3, 1000), head=head)

    assert read_header(path, 1).frames == 3 * RATE


def test_half_a_sample_at_the_end_is_none(tmp_path: Path) -> None:
    """The kernel may have been in the middle of a frame."""
    path = write(tmp_path / "a.wav", stereo(tone(1, 1000), tone(1, 1200)), 2, head=bytes(HEADER_BYTES))
    path.write_bytes(path.read_bytes()[:-3])

    assert read_header(path, 2).frames == RATE - 1


def test_a_title_behind_the_samples_is_no_sound(tmp_path: Path) -> None:
    """FreeSWITCH may write one when it closes a file."""
    path = write(tmp_path / "a.wav", tone(1, 1000))
    path.write_bytes(path.read_bytes() + b"LIST\x1a\x00\x00\x00INFO" + bytes(22))

    assert read_header(path, 1).frames == RATE


def test_what_is_no_wav_is_refused(tmp_path: Path) -> None:
    """Nothing is guessed."""
    path = tmp_path / "a.wav"
    path.write_bytes(b"ID3" + bytes(100))

    with pytest.raises(NotPcm):
        read_header(path, 1)


def test_parts_are_joined_with_the_silence_that_is_owed(tmp_path: Path) -> None:
    """A gap is silence as long, or nothing; a part that was never written counts as the rest of a gap."""
    one, two = write(tmp_path / "1.wav", tone(1, 1000)), write(tmp_path / "2.wav", tone(1, 2000))
    lost = Piece(tmp_path / "lost.wav", 1500, fills_gap=True)

    skipped = joined([Piece(one, 0, False), Piece(two, 3000, False)])
    filled = joined([Piece(one, 0, False), Piece(two, 3000, True)])
    with_lost = joined([Piece(one, 0, False), lost, Piece(two, 3000, False)])

    assert len(skipped) == 2 * RATE
    assert len(filled) == len(with_lost) == 4 * RATE
    assert not any(filled[RATE : 3 * RATE])
    assert level(filled[3 * RATE :], 2000) > -30


@pytest.mark.parametrize(("track", "heard"), [("inbound", {1000}), ("outbound", {2000}), ("both", {1000, 2000})])
def test_a_track_is_one_side_of_a_leg_or_both(tmp_path: Path, track: str, heard: set[int]) -> None:
    """Left is what it says, right what it hears; both together are as loud as each is alone."""
    path = write(tmp_path / "a.wav", stereo(tone(1, 1000), tone(1, 2000)), 2)

    samples = joined([Piece(path, 0, False)], 1, track)

    assert {hz for hz in (1000, 2000) if level(samples, hz) > -25} == heard


def test_two_channels_are_kept_apart(tmp_path: Path) -> None:
    """What it says is on the first, what it hears on the second."""
    path = write(tmp_path / "a.wav", stereo(tone(1, 1000), tone(1, 2000)), 2)

    samples = joined([Piece(path, 0, False)], 2, "both")

    assert level(samples[::2], 1000) > -25 > -60 > level(samples[::2], 2000)
    assert level(samples[1::2], 2000) > -25 > -60 > level(samples[1::2], 1000)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(("before", "after"), [(0.0, 0.0), (1.25, 0.5), (40.0, 70.0)])
def test_silence_at_the_ends_is_found(tmp_path: Path, before: float, after: float, channels: int) -> None:
    """To 20 ms; comfort noise is silence, a pause in the middle is none of the ends."""
    mono = silence(before) + tone(0.5, 1000) + silence(2) + tone(0.5, 1000) + silence(after)
    samples = mono if channels == 1 else stereo(silence(before + 3 + after), mono)
    path = tmp_path / "body"
    path.write_bytes(samples.tobytes())

    first, last = sound.sounding(path, len(mono), channels)

    assert first == pytest.approx(before * RATE, abs=0.02 * RATE)
    assert last == pytest.approx((before + 3) * RATE, abs=0.02 * RATE)


def test_nothing_but_silence_has_no_ends(tmp_path: Path) -> None:
    """Then the recording is absent."""
    path = tmp_path / "body"
    path.write_bytes(silence(60).tobytes())

    assert sound.sounding(path, 60 * RATE, 1) == (0, 0)


@pytest.mark.parametrize("channels", [1, 2])
def test_the_mp3_is_the_same_sound(tmp_path: Path, channels: int) -> None:
    """Another decoder than the one that made it finds the tones, as long, on their channels; its bit rate is constant,
    so that a player finds every moment."""
    samples = tone(5, 1000) if channels == 1 else stereo(tone(5, 1000), tone(5, 2000))
    (tmp_path / "body").write_bytes(samples.tobytes())
    body = Pcm(tmp_path / "body", channels, 0, len(samples) * 2)
    path = tmp_path / "a.mp3"
    with path.open("wb") as output:
        sound.write_mp3(body.read(), channels, output)

    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        frames = list(container.decode(stream))
        sides = [array("f") for _ in range(channels)]
        for frame in frames:
            for side, plane in zip(sides, frame.planes, strict=True):
                side.frombytes(bytes(plane)[: frame.samples * 4])
    assert stream.codec_context.sample_rate == RATE
    assert len(sides[0]) == pytest.approx(5 * RATE, abs=0.2 * RATE)
    for side, hz in zip(sides, (1000, 2000), strict=False):
        middle = [round(value * 32767) for value in side[RATE : 4 * RATE]]
        assert level(middle, hz) > -25
    assert path.stat().st_size == pytest.approx(5 * 4000 * channels, rel=0.1)
