"""What a play command can name: our own tones, silence, and audio that the orchestrator serves itself.

Nothing that a client sends is ever part of one: workers fetch and decode a client's audio, the switch fetches the
result from us under a name that we made.
"""

from __future__ import annotations

import re
from typing import Final, Literal

BEEPS: Final[dict[Literal["enter", "exit"], str]] = {
    "enter": "tone_stream://v=-13;%(100,0,2200);%(100,0,2400)",
    "exit": "tone_stream://v=-13;%(100,0,2400);%(100,0,2200)",
}
"""When somebody comes or goes: two rising tones, two falling ones, 0.2 s."""

_CHORDS: Final = ("450,600,750,600", "500,600,750,600", "400,500,600,500", "450,600,750,600")

STOCK_MUSIC: Final = (
    "tone_stream://v=-14;"
    + ";".join(f"%(640,0,300,{note})" for chord in _CHORDS for note in chord.split(","))
    + ";loops=-1"
)
"""Slow arpeggios over a low 300 Hz, 10 s, for ever: music without a file or a licence. FreeSWITCH makes it by itself,
so it goes on whatever becomes of us; for 100 members it cost no more than silence."""

PLAY_PARAMETER: Final = "orchestrator_play"
PLAY_TAG: Final = re.compile(r"(?P<lane>CA[0-9a-f]{32}|conference)\.(?P<play_id>[0-9a-f]{16})", re.ASCII)


def tagged(file: str, lane: str, play_id: str) -> str:
    """Return a file whose events say which play they are about."""
    return f"{{{PLAY_PARAMETER}={lane}.{play_id}}}{file}"


def silence(milliseconds: int) -> str:
    """Return a pause that ends with an event like any file."""
    return f"silence_stream://{milliseconds}"
