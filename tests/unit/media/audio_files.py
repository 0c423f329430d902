"""Half a second of 440 Hz in every kind of file that people name in a <Play>, made here but for GSM, which is kept
(`sox -n -r 8000 -c 1 sine.gsm synth 0.5 sine 440 gain -10`; sine49.wav with `-e gsm-full-rate`): no encoder is at hand.
"""

from __future__ import annotations

import io
import math
import struct
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream

KEPT: Final = Path(__file__).parent / "audio"
SECONDS: Final = 0.5
HZ: Final = 440


def make_audio(
    container: str, codec: str, rate: int, channels: int = 1, seconds: float = SECONDS, hz: int = HZ
) -> bytes:
    """A file of ffmpeg's names for it."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as output:
        stream = output.add_stream(codec, rate=rate)
        assert isinstance(stream, AudioStream)
        layout = "mono" if channels == 1 else "stereo"
        stream.codec_context.layout = layout
        formats = stream.codec_context.codec.audio_formats
        sample_format = formats[0].name if formats else "s16"
        stream.codec_context.format = sample_format
        resampler = AudioResampler(sample_format, layout, rate, stream.codec_context.frame_size or None)
        for frame in [*resampler.resample(_sine(rate, seconds, hz)), *resampler.resample(None)]:
            frame.pts = None
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return buffer.getvalue()


def _sine(rate: int, seconds: float, hz: int) -> AudioFrame:
    count = round(rate * seconds)
    samples = (round(9_000 * math.sin(2 * math.pi * hz * number / rate)) for number in range(count))
    frame = AudioFrame("s16", "mono", count)
    frame.planes[0].update(struct.pack(f"<{count}h", *samples).ljust(frame.planes[0].buffer_size, b"\0"))
    frame.sample_rate = rate
    frame.time_base = Fraction(1, rate)
    return frame


def _id3(data: bytes) -> bytes:
    """With a tag before it, as tools write a song's title."""
    return b"ID3\x03\0\0" + bytes([0, 0, 7, 104]) + bytes(1000) + data


def _extensible(data: bytes) -> bytes:
    """A WAV file's format as WAVE_FORMAT_EXTENSIBLE says it."""
    guid = bytes.fromhex("0100000000001000800000aa00389b71")
    rate, channels = struct.unpack_from("<I", data, 24)[0], struct.unpack_from("<H", data, 22)[0]
    fmt = struct.pack("<HHIIHHHHI", 0xFFFE, channels, rate, rate * 2 * channels, 2 * channels, 16, 22, 16, 4) + guid
    pcm = data[data.index(b"data") + 8 :]
    body = b"WAVEfmt " + struct.pack("<I", len(fmt)) + fmt + b"data" + struct.pack("<I", len(pcm)) + pcm
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _streamed(data: bytes) -> bytes:
    """Lengths that nobody knew when it was written, as `ffmpeg … -f wav -` leaves them."""
    at = data.index(b"data")
    return data[:4] + b"\xff" * 4 + data[8 : at + 4] + b"\xff" * 4 + data[at + 8 :]


def audio_files() -> dict[str, bytes]:
    """Name -> a file of it."""
    wav, mp3 = make_audio("wav", "pcm_s16le", 44_100, 2), make_audio("mp3", "libmp3lame", 44_100, 2)
    files = {f"mp3 of {rate} Hz": make_audio("mp3", "libmp3lame", rate) for rate in MP3_RATES}
    files |= {f"mp2 of {rate} Hz": make_audio("mp2", "mp2", rate) for rate in (16_000, 24_000, 44_100, 48_000)}
    files |= {f"wav of {rate} Hz": make_audio("wav", "pcm_s16le", rate, channels) for rate, channels in WAV_RATES}
    files |= {f"wav, {codec}": make_audio("wav", codec, 44_100) for codec in WAV_CODECS}
    files |= {f"aiff, {codec}": make_audio("aiff", codec, 44_100) for codec in AIFF_CODECS}
    files |= {f"au, {codec}": make_audio("au", codec, 8_000) for codec in ("pcm_mulaw", "pcm_alaw", "pcm_s16be")}
    return files | {
        "mp3 in stereo": mp3, "mp3 behind a tag": _id3(mp3), "mp3 behind zeros": bytes(3000) + mp3,
        "mp3 cut short": mp3[:-500], "mp3 with an old tag": mp3 + b"TAG".ljust(128, b"\0"),
        "wav, extensible": _extensible(wav), "wav of unknown length": _streamed(wav), "wav cut short": wav[:-2000],
        "wav, junk behind it": wav + b"LIST\1\0\0\0" + bytes(99),
        "aiff, junk behind it": make_audio("aiff", "pcm_s16be", 8_000) + b"junk" * 9,
        "wave64": make_audio("w64", "pcm_s16le", 44_100),
        "wav, gsm": (KEPT / "sine49.wav").read_bytes(),
    }  # fmt: skip


MP3_RATES: Final = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 48_000)
"""MPEG 2.5, 2 and 1."""

WAV_RATES: Final = ((8_000, 1), (8_000, 2), (11_025, 1), (44_100, 2), (96_000, 2))
WAV_CODECS: Final = (
    "pcm_u8", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_f64le", "pcm_mulaw", "pcm_alaw", "adpcm_ima_wav", "adpcm_ms",
)  # fmt: skip
AIFF_CODECS: Final = ("pcm_s16be", "pcm_s24be", "pcm_f32be", "pcm_mulaw", "pcm_s16le")
