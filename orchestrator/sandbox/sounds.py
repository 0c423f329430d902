"""What can be played, and how long it is (switch_core_file.c, mod_tone_stream.c, mod_sndfile.c, mod_http_cache.c).

`{name=value,…}` in front sets parameters, which the events repeat. Of files only WAV is known, and no text to speech.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Protocol

from orchestrator.sandbox.not_simulated import NotSimulated
from orchestrator.sandbox.switch_strings import atoi, parse_variable_blocks

# Where a name that is no path is looked for.
SOUND_PREFIX = "/opt/freeswitch/sounds"
RATE = 8000
_TONES = re.compile(r"(?:v=-?\d+;)?(?:%\(\d+,\d+,[\d.,]+\);?)+")
_TONE = re.compile(r"%\((\d+),(\d+),")
_PARAMETERS = re.compile(r"(?:\{[^}]*\})*")
_SCHEME = re.compile(r"(\w+)://(.*)", re.DOTALL)
_ENDLESS_WORDS = ("inf", "infinite")
_TRUE_WORDS = ("yes", "on", "true", "t", "enabled", "active", "allow")


class Cache(Protocol):
    """What fetches http_cache:// files."""

    def get(self, url: str, *, refresh: bool = False) -> Path | None:
        """Return where the file is now; blocks until it is there; None if it cannot be had."""


@dataclass(frozen=True, slots=True)
class Sound:
    """One file that was opened. `samples` is None if it has no end; `counted` is how often each one is counted."""

    file: str
    path: str
    samples: int | None
    rate: int = RATE
    counted: int = 2
    parameters: dict[str, str] = field(default_factory=dict)
    can_be_rewound: bool = False

    @property
    def seconds(self) -> float | None:
        """Return how long it plays, once."""
        return None if self.samples is None else self.samples / self.rate

    @property
    def seconds_looped(self) -> float | None:
        """As often as its `loops` parameter says: only files that play to a whole conference obey it."""
        loops = _loops(self.parameters)
        if self.seconds is None or loops < 0:
            return None
        return self.seconds * max(1, loops) if self.can_be_rewound else self.seconds


def is_path(file: str) -> bool:
    """switch_is_file_path: everything else is a name below SOUND_PREFIX."""
    rest = file[len(_parameters(file)) :]
    return rest.startswith(("/", "{")) or "://" in rest


def with_prefix(file: str) -> str:
    """switch_separate_file_params, and the prefix between the two."""
    parameters = _parameters(file)
    return f"{parameters}{SOUND_PREFIX}/{file[len(parameters) :]}"


def open_sound(cache: Cache, file: str) -> Sound | None:
    """switch_core_file_open: None if it cannot be."""
    blocks = parse_variable_blocks(file) if file.startswith("{") else ({}, file)
    if blocks is None:
        raise NotSimulated("a bracket that is not closed, with which the real one loops for ever")
    parameters, rest = blocks
    found = _SCHEME.match(rest)
    scheme, path = found.groups() if found else ("file", rest)
    match scheme:
        case "tone_stream":
            return Sound(file, path, _tone_samples(path, parameters), parameters=parameters)
        case "silence_stream":
            milliseconds = atoi(path)
            samples = None if milliseconds < 0 else milliseconds * RATE // 1000
            return Sound(file, path, samples, parameters=parameters) if milliseconds else None
        case "http_cache":
            refresh = parameters.get("refresh", "").lower() in _TRUE_WORDS
            local = cache.get(path, refresh=refresh)
            return None if local is None else _wav(file, path, local, parameters, counted=1)
        case "file":
            return _wav(file, rest, Path(path), parameters, counted=2)
        case _:
            return None


def _parameters(file: str) -> str:
    found = _PARAMETERS.match(file)
    return found.group() if found else ""


def _loops(parameters: dict[str, str]) -> int:
    loops = parameters.get("loops", "")
    return -1 if loops.lower() in _ENDLESS_WORDS else atoi(loops)


def _tone_samples(path: str, parameters: dict[str, str]) -> int | None:
    """`;loops=n` behind the tones, or a parameter, which wins: 0 and 1 are once, -1 is for ever."""
    tones, _, loops_text = re.sub(";loops=", ";loops=", path, flags=re.IGNORECASE).partition(";loops=")
    loops = atoi(parameters.get("loops", loops_text))
    if not _TONES.fullmatch(tones):
        raise NotSimulated(f"tones but for v=…;%(on,off,hertz): {tones}")
    milliseconds = sum(int(on) + int(off) for on, off in _TONE.findall(tones))
    return None if loops < 0 else milliseconds * RATE // 1000 * max(1, loops)


def _wav(file: str, path: str, local: Path, parameters: dict[str, str], *, counted: int) -> Sound | None:
    """The ending decides the format, in small letters; a content type does not. Then the header is read."""
    if local.suffix != ".wav":
        return None
    try:
        with local.open("rb") as opened:
            length = wav_length(opened, local.stat().st_size)
    except OSError:
        return None
    if length is None:
        return None
    samples, rate = length
    return Sound(file, path, samples, rate, counted, parameters, can_be_rewound=True)


def wav_length(opened: BinaryIO, size: int) -> tuple[int, int] | None:
    """Samples and rate, from the chunks `fmt ` and `data`; one that promises more than there is, is not believed."""
    if opened.read(12)[8:] != b"WAVE":
        return None
    rate = bytes_per_second = 0
    while len(head := opened.read(8)) == 8:
        name, length = head[:4], int.from_bytes(head[4:], "little")
        if name == b"data":
            length = min(length, size - opened.tell())
            return (length * rate // bytes_per_second, rate) if rate >= 1000 and bytes_per_second else None
        if name == b"fmt ":
            fields = opened.read(length)
            rate, bytes_per_second = int.from_bytes(fields[4:8], "little"), int.from_bytes(fields[8:12], "little")
            continue
        opened.seek(length + length % 2, 1)
    return None
