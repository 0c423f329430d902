"""Audio of any kind that we accept becomes 8 kHz mono 16-bit WAV; anything else becomes an exit status."""

from __future__ import annotations

import io
import math
import struct
import subprocess
import sys
import wave
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.media import decode as decode_module
from orchestrator.media.decode import TooLong, Unreadable, decode
from tests.unit.media.audio_files import KEPT, audio_files, make_audio

MP3 = (Path(__file__).parent / "audio" / "sine.mp3").read_bytes()
"""Half a second of 440 Hz: ffmpeg -f lavfi -i sine=440:duration=0.5 -ac 1 -ar 22050 -b:a 32k sine.mp3"""


HEADED = [("aiff", "pcm_s16be"), ("w64", "pcm_s16le"), ("mp3", "libmp3lame"), ("mp2", "mp2")]
"""Containers and codecs of files that say what they are."""


def a_wav(rate: int = 44_100, channels: int = 2, seconds: float = 0.5, frequency: int = 440) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        for n in range(int(rate * seconds)):
            file.writeframes(struct.pack("<h", round(9000 * math.sin(2 * math.pi * frequency * n / rate))) * channels)
    return buffer.getvalue()


def a_aiff() -> bytes:
    """Half a second of 440 Hz: big-endian, its rate of 44,100 an 80-bit float."""
    pcm = struct.unpack("<22050h", a_wav(44_100, 1)[44:])
    common = b"COMM" + struct.pack(">IhIh", 18, 1, len(pcm), 16) + bytes.fromhex("400eac44000000000000")
    sound = b"SSND" + struct.pack(">III", 8 + 2 * len(pcm), 0, 0) + struct.pack(f">{len(pcm)}h", *pcm)
    return b"FORM" + struct.pack(">I", 4 + len(common) + len(sound)) + b"AIFF" + common + sound


def a_ulaw_wav(data: bytes) -> bytes:
    head = b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 7, 1, 8000, 8000, 1, 8) + b"data" + struct.pack("<I", len(data))
    return b"RIFF" + struct.pack("<I", len(head) + len(data)) + head + data


def decoded(data: bytes) -> tuple[wave._wave_params, bytes]:
    output = io.BytesIO()
    decode(data, output)
    output.seek(0)
    with wave.open(output) as file:
        return file.getparams(), file.readframes(file.getnframes())


def crossings(pcm: bytes) -> int:
    samples = struct.unpack(f"<{len(pcm) // 2}h", pcm)
    return sum(1 for one, two in pairwise(samples) if one < 0 <= two)


@pytest.mark.parametrize("data", [a_wav(), a_wav(8_000, 1), a_wav(48_000, 1), a_wav(11_025, 2), MP3, a_aiff()])
def test_any_rate_and_number_of_channels_becomes_8_khz_mono(data: bytes) -> None:
    """With the same duration and the same pitch."""
    parameters, pcm = decoded(data)

    assert (parameters.framerate, parameters.nchannels, parameters.sampwidth) == (8000, 1, 2)
    assert 3_950 <= parameters.nframes <= 4_600
    assert 215 <= crossings(pcm[: 4_000 * 2]) <= 225


FILES = audio_files()


@pytest.mark.parametrize("name", FILES)
def test_every_kind_of_audio_is_known_by_what_it_is(name: str) -> None:
    """Nobody says what it is: at its own pitch and, give or take what encoders put around it, for its time."""
    parameters, pcm = decoded(FILES[name])
    middle = pcm[1_000 * 2 : 3_000 * 2]

    assert 3_500 <= parameters.nframes <= 5_000
    assert 107 <= crossings(middle) <= 113


@pytest.mark.parametrize(("rate", "channels"), [(44_100, 1), (48_000, 2), (22_050, 1)])
def test_a_file_may_go_on_at_another_rate_or_with_other_channels(tmp_path: Path, rate: int, channels: int) -> None:
    """A jingle and a song put behind one another, as it has always been done; also as the renderer runs it."""
    joined = FILES["mp3 in stereo"] + make_audio("mp3", "libmp3lame", rate, channels)
    command = [sys.executable, "-I", "-m", "orchestrator.media.decode"]
    with (tmp_path / "out.wav").open("wb") as output:
        subprocess.run(command, input=joined, stdout=output, check=True)
    parameters, pcm = decoded(joined)

    assert 7_500 <= parameters.nframes <= 10_000
    assert 107 <= crossings(pcm[5_500 * 2 : 7_500 * 2]) <= 113
    assert (tmp_path / "out.wav").read_bytes()[44:] == pcm


def test_gsm_has_no_header_and_is_known_all_the_same() -> None:
    """By its frames, of which the library wants to see some."""
    gsm = (KEPT / "sine.gsm").read_bytes()

    assert decoded(gsm * 4)[0].nframes == 4 * 4_000
    with pytest.raises(Unreadable):
        decode(gsm, io.BytesIO())
    decode(gsm, io.BytesIO(), "gsm")


def test_there_are_forty_of_them() -> None:
    """At least."""
    assert len(FILES) >= 40


def test_ulaw_is_expanded() -> None:
    """0xFF is silence, 0x80 the loudest; in a WAV file or bare."""
    parameters, pcm = decoded(a_ulaw_wav(b"\xff" * 400 + b"\x80" * 400))

    assert parameters.nframes == 800
    assert (pcm[:4], max(struct.unpack("<800h", pcm)) > 32_000) == (bytes(4), True)


@pytest.mark.parametrize(
    "data",
    [b"", b"RIFF", b"<html>", a_wav()[:40], b"RIFF\xff\xff\xff\xffWAVE" + b"\xff" * 200, b"ID3" + b"\xff" * 500,
     b"\xff\xfb\x90\x00" + bytes(5000), b"fLaC" + bytes(100), b"OggS" + bytes(100), a_ulaw_wav(b""),
     a_wav()[:34] + bytes(2) + a_wav()[36:], a_wav()[:20] + b"\x99\x99" + a_wav()[22:]],
)  # fmt: skip
def test_what_is_no_audio_is_an_error(data: bytes) -> None:
    """Whatever it says that it is; formats that Twilio does not play are not tried."""
    with pytest.raises(Unreadable):
        decode(data, io.BytesIO())


def test_length_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A header is not believed: what comes out is counted."""
    monkeypatch.setattr(decode_module, "MAX_SECONDS", 1)
    with pytest.raises(TooLong):
        decode(a_wav(seconds=1.5), io.BytesIO())

    decode(a_wav(seconds=0.9), io.BytesIO())


@pytest.mark.parametrize(
    ("bare", "data"),
    [
        ("mulaw", FILES["au, pcm_mulaw"]), ("gsm", FILES["wav, gsm"]),
        *((bare, make_audio(*kind, 44_100)) for bare in ("mulaw", "gsm") for kind in HEADED),
    ],
)  # fmt: skip
def test_what_is_said_to_be_bare_may_still_be_a_file(bare: str, data: bytes) -> None:
    """audio/basic is the type of .au files, and of whatever ends in .snd: their headers are not played as sound."""
    output = io.BytesIO()
    decode(data, output, bare)

    assert abs(len(output.getvalue()) - 44 - 8_000) <= 400


@pytest.mark.parametrize(
    ("container", "codec"),
    [("flac", "flac"), ("ogg", "libopus"), ("adts", "aac"), ("mp4", "aac"), ("wav", "adpcm_yamaha")],
)
def test_what_twilio_does_not_play_is_not_tried(container: str, codec: str) -> None:
    """However well the library knows it, and whatever file it is in: each parser more is one more for hostile bytes."""
    with pytest.raises(Unreadable):
        decode(make_audio(container, codec, 48_000), io.BytesIO())


@given(
    st.binary(max_size=400), st.sampled_from([b"", a_wav()[:44], a_ulaw_wav(b"")[:44], MP3[:200], b"FORM\0\0\1\0AIFF"])
)
def test_hostile_bytes_decode_or_end_as_an_error(data: bytes, start: bytes) -> None:
    """In this process, so that a crash of the decoder would be seen here."""
    output = io.BytesIO()
    try:
        decode(start + data, output)
    except Unreadable:
        return

    assert output.getvalue()[:4] == b"RIFF"


@pytest.mark.parametrize(("arguments", "data", "status"), [([], MP3, 0), ([], b"x", 3), (["--ulaw"], b"\xff" * 80, 0)])
def test_the_program_ends_with_a_status(tmp_path: Path, arguments: list[str], data: bytes, status: int) -> None:
    """As the renderer runs it: standard output is a file, which it goes back to the start of."""
    command = [sys.executable, "-I", "-m", "orchestrator.media.decode", *arguments]
    with (tmp_path / "out.wav").open("wb") as output:
        ended = subprocess.run(command, input=data, stdout=output, check=False)

    assert ended.returncode == status
    if status == 0:
        with wave.open(str(tmp_path / "out.wav")) as file:
            assert file.getframerate() == 8000
