"""From a hold's request to the first sound, by what the phone on hold records; beside it what FreeSWITCH alone takes
from a `play` of a local file to its sound. Each round has audio that nobody has fetched or decoded before.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench.report import Row, percentile
from tests.harness.ears import Ears
from tests.harness.polling import eventually
from tests.harness.room import SOUNDS, Room
from tests.harness.stack import RealSwitch, Stack
from tests.harness.web import Web, tone
from tests.unit.media.audio_files import make_audio

ROUNDS = 20
MOST_MS = 1_000.0
"""From a local server."""

SONGS = 15
FILE_HZ = SOUNDS["file"]

_numbers = itertools.count(1)


def measure(stack: Stack) -> list[Row]:
    """Stock music, a WAV file, fifteen songs of five minutes, the same songs again; then the switch alone."""
    if not isinstance(stack.switch, RealSwitch):
        print("first sound: needs a real FreeSWITCH")
        return []
    web, room = Web(), Room(stack)
    web.start()
    try:
        room.add("anna", 1)
        room.add("bert", 2)
        ears = Ears(stack.switch.far_end, [room.people["anna"].number])
        wav, song = tone(FILE_HZ, 10), make_audio("mp3", "libmp3lame", 44_100, 2, 300, FILE_HZ)
        stock = _rounds(ears, room, SOUNDS["music"], lambda: "")
        files = _rounds(ears, room, FILE_HZ, lambda: web.put(f"/{next(_numbers)}.wav", _unheard(wav)))
        songs = _rounds(ears, room, FILE_HZ, lambda: _document(web, song))
        again = _document(web, song)
        _rounds(ears, room, FILE_HZ, lambda: again, 1)
        known = _rounds(ears, room, FILE_HZ, lambda: again)
        local = Path(stack.directory, "local.wav")
        local.write_bytes(tone(FILE_HZ, 10, 8_000))
        alone = _alone(ears, room, local)
    finally:
        web.stop()
    return [
        row
        for what, took, goal in (
            ("stock music", stock, False),
            ("a WAV file from a local server", files, True),
            (f"{SONGS} songs of 5 minutes", songs, True),
            ("the same songs, held again", known, True),
        )
        for row in _rows(what, took, alone, has_goal=goal)
    ]


def _rows(what: str, took: list[float], alone: list[float], *, has_goal: bool) -> list[Row]:
    return [
        Row(
            f"first sound after a hold: {what}, {name}", value, "ms", floor, "FreeSWITCH, a local file",
            f"<= {MOST_MS:g} ms" if has_goal else "", value <= MOST_MS if has_goal else None,
        )
        for name, value, floor in (
            ("median", percentile(took, 0.5), percentile(alone, 0.5)), ("worst", max(took), max(alone)),
        )
    ]  # fmt: skip


def _rounds(ears: Ears, room: Room, hz: int, make_url: Callable[[], str], rounds: int = ROUNDS) -> list[float]:
    """In ms. '' is no HoldUrl."""
    took = []
    for _ in range(rounds):
        url = make_url()
        settings = {"hold_url": url} if url else {}

        def hold(settings: dict[str, str] = settings) -> None:
            room.update("anna", hold=True, **settings)

        took.append(ears.first_heard(room.people["anna"].number, hz, hold, 2.5) * 1000)
        room.update("anna", hold=False)
        eventually(lambda: not room.is_played_to("anna"), "the hold is over")
        time.sleep(0.1)  # what is still on the wire belongs to this round
    return took


def _alone(ears: Ears, room: Room, path: Path) -> list[float]:
    """No orchestrator: the command that it sends in the end, and a file on the switch's own disk."""
    member = room.members()[room.people["anna"].call_sid]["id"]
    took = []
    for _ in range(ROUNDS):
        play = lambda: room.stack.switch.api(f"conference {room.conference_sid} play {path} {member}")  # noqa: E731  # it is an argument
        took.append(ears.first_heard(room.people["anna"].number, FILE_HZ, play, 1.0) * 1000)
        room.stack.switch.api(f"conference {room.conference_sid} stop all {member}")
        time.sleep(0.1)  # as above
    return took


def _document(web: Web, song: bytes) -> str:
    """Songs that nobody has heard."""
    first = next(_numbers)
    for number in range(SONGS):
        web.put(f"/{first}-{number}.mp3", _unheard(song), "audio/mpeg")
    plays = "".join(f"<Play>/{first}-{number}.mp3</Play>" for number in range(SONGS))
    return web.put(f"/{first}.xml", f'<Response>{plays}<Redirect method="GET"/></Response>')


def _unheard(audio: bytes) -> bytes:
    """Another file with the same sound: what has been decoded once is known by its hash."""
    return audio + b"LIST" + (120).to_bytes(4, "little") + next(_numbers).to_bytes(120, "little")
