"""What can be opened, and how long it is."""

from __future__ import annotations

import io
import wave
from pathlib import Path

import pytest

from orchestrator.sandbox.not_simulated import NotSimulated
from orchestrator.sandbox.sounds import Sound, is_path, open_sound, wav_length, with_prefix


class Shelf:
    """A cache that has one file."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self.asked: list[tuple[str, bool]] = []

    def get(self, url: str, *, refresh: bool = False) -> Path | None:
        self.asked.append((url, refresh))
        return self.path


def write_wav(path: Path, *, rate: int = 8000, seconds: float = 0.5) -> Path:
    with wave.open(str(path), "wb") as opened:
        opened.setparams((1, 2, rate, 0, "NONE", ""))
        opened.writeframes(bytes(int(rate * seconds) * 2))
    return path


def opened(file: str, shelf: Shelf | None = None) -> Sound:
    sound = open_sound(shelf or Shelf(), file)
    assert sound is not None
    return sound


@pytest.mark.parametrize(
    ("file", "seconds"),
    [
        ("tone_stream://%(200,100,440)", 0.3),
        ("tone_stream://%(200,100,440);loops=0", 0.3),
        ("tone_stream://%(200,100,440);loops=2", 0.6),
        ("tone_stream://%(200,100,440);LOOPS=2", 0.6),
        ("{loops=3}tone_stream://%(200,100,440);loops=2", 0.9),
        ("tone_stream://%(200,100,440);loops=-1", None),
        ("silence_stream://300", 0.3),
        ("silence_stream://300,1400", 0.3),
        ("{loops=2}silence_stream://100", 0.1),
        ("silence_stream://-1", None),
    ],
)
def test_streams(file: str, seconds: float | None) -> None:
    """Tones obey `loops`, behind them or as a parameter; silence does not. -1 is for ever."""
    assert opened(file).seconds == seconds


@pytest.mark.parametrize("file", ["unknown://foo", "local_stream://default", "http://host/x.wav", "silence_stream://0"])
def test_what_cannot_be_opened(file: str) -> None:
    """Formats without a module, and silence of no length."""
    assert open_sound(Shelf(), file) is None


def test_wav_files(tmp_path: Path) -> None:
    """As long as the header says, at any rate, counted twice; the ending must be .wav in small letters."""
    short = write_wav(tmp_path / "short.wav", rate=16000)
    (tmp_path / "bad.wav").write_text("not a wav")
    upper = write_wav(tmp_path / "upper.WAV")

    assert (opened(f"{short}").seconds, opened(f"{short}").rate, opened(f"{short}").counted) == (0.5, 16000, 2)
    assert opened(f"file://{short}").path == f"file://{short}"
    assert open_sound(Shelf(), f"{tmp_path}/bad.wav") is None
    assert open_sound(Shelf(), f"{upper}") is None
    assert open_sound(Shelf(), "/no/such.wav") is None


def test_only_files_that_can_be_rewound_are_looped_by_the_conference(tmp_path: Path) -> None:
    """`{loops=2}` of a WAV counts when it plays to all, and not when it plays to one member."""
    short = write_wav(tmp_path / "short.wav")

    assert opened(f"{{loops=2}}{short}").seconds == 0.5
    assert opened(f"{{loops=2}}{short}").seconds_looped == 1.0
    assert opened(f"{{loops=inf}}{short}").seconds_looped is None
    assert opened("{loops=2}silence_stream://100").seconds_looped == 0.1


def test_cached_files(tmp_path: Path) -> None:
    """The URL is asked for as it stands; such files are counted once; `refresh` fetches it again."""
    shelf = Shelf(write_wav(tmp_path / "x.wav"))

    sound = opened("{refresh=true,id=7}http_cache://http://host/x.wav?a=b", shelf)

    assert shelf.asked == [("http://host/x.wav?a=b", True)]
    assert (sound.seconds, sound.counted, sound.path) == (0.5, 1, "http://host/x.wav?a=b")
    assert sound.parameters == {"refresh": "true", "id": "7"}
    assert open_sound(Shelf(), "http_cache://http://host/x.wav") is None


@pytest.mark.parametrize("file", ["{id=/x.wav", "tone_stream://d=100;w=50;1", "tone_stream://%(100,0,400"])
def test_what_is_not_copied_is_refused(file: str) -> None:
    """A bracket that is not closed, with which the real one loops for ever; and tones otherwise written."""
    assert is_path(file)
    with pytest.raises(NotSimulated):
        open_sound(Shelf(), file)


def test_names_are_looked_for_below_the_prefix() -> None:
    """What has neither a leading / nor a scheme; parameters stay in front."""
    assert not is_path("name")
    assert not is_path("{a=/}name")
    assert is_path("{a=b}/name")
    assert is_path("{a=b}tone_stream://1")
    assert with_prefix("{a=b}name") == "{a=b}/opt/freeswitch/sounds/name"


def test_wav_headers(tmp_path: Path) -> None:
    """Other chunks are skipped, a length that is not there is not believed, and what is cut off is no WAV."""
    plain = write_wav(tmp_path / "x.wav", seconds=0.01).read_bytes()
    with_chunk = plain[:12] + b"LIST\x03\0\0\0abc\0" + plain[12:]
    streamed = plain.replace(b"data\xa0\0\0\0", b"data\xff\xff\xff\xff")

    for content in (plain, with_chunk, streamed):
        assert wav_length(io.BytesIO(content), len(content)) == (80, 8000)
    assert wav_length(io.BytesIO(plain[:20]), 20) is None
    assert wav_length(io.BytesIO(b""), 0) is None
