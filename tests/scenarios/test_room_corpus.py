"""The corpus of documents (tests/unit/media/documents.py) by what a phone hears of each, one after the other."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from functools import partial
from itertools import groupby
from typing import Final

import pytest

from tests.harness.ears import Ears
from tests.harness.freeswitch import FarEnd
from tests.harness.polling import eventually
from tests.harness.room import Room
from tests.harness.sound import FRAME, HEARD_DBFS, RATE, Samples, frame_levels, loudness
from tests.harness.stack import RealSwitch
from tests.harness.web import Web, tone
from tests.unit.media.documents import HOSTED, SDKS
from tests.unit.media.documents import Row as DocumentRow

TONES: Final = {"a": 2600, "b": 2800}
"""What /a and /b are; a document behind a redirect plays /b."""

PLAY_SECONDS: Final = 0.5
FRAME_SECONDS: Final = FRAME / RATE
SOUND_DBFS: Final = -38.0
"""Above it somebody speaks; comfort noise is below."""

BREATH_SECONDS: Final = 0.75
"""A voice is silent between sentences for less than that."""

LEAST_VOICE_SECONDS: Final = 0.3
"""The last of what was before is shorter."""

TRIES: Final = 3
"""A machine with too much to do loses frames, and with them a tone; what is wrong is wrong each time."""

LEAST_TONE_SECONDS: Final = 0.3


def told(expected: list[str]) -> list[tuple[str, float]]:
    """What has to be heard: `a`, `b`, `voice`, or silence that is meant, and for how many seconds (0: as long as it
    takes)."""
    heard: list[tuple[str, float]] = []
    for word in expected:
        kind, _, rest = word.partition(" ")
        times = int(found[1]) if (found := re.search(r" x(\d+)$", rest)) else 1
        if kind == "play":
            heard.append(("b" if rest.startswith(("/b", "http://s3.example/two")) else "a", times * PLAY_SECONDS))
        elif kind in ("say", "digits"):
            heard.append(("voice", 0))
        elif kind == "pause":
            heard.append(("silence", float(rest)))
        elif kind == "->":
            heard.append(("b", PLAY_SECONDS))
    return heard


def heard(samples: Samples) -> list[tuple[str, float]]:
    """The same of a recording, without the silence around it and short ones in it."""
    tones = {name: frame_levels(samples, hz) for name, hz in TONES.items()}
    frames = [
        next(
            (name for name in TONES if tones[name][number] > HEARD_DBFS),
            "voice" if loudness(samples[number * FRAME : (number + 1) * FRAME]) > SOUND_DBFS else "silence",
        )
        for number in range(len(samples) // FRAME)
    ]
    pieces = _joined((name, FRAME_SECONDS) for name in frames)
    spoken = _joined(
        ("voice" if name in TONES and seconds < LEAST_TONE_SECONDS else name, seconds) for name, seconds in pieces
    )
    whole = _joined(piece for piece in spoken if piece[0] != "silence" or piece[1] > BREATH_SECONDS)
    kept = _joined(piece for piece in whole if piece[0] != "voice" or piece[1] > LEAST_VOICE_SECONDS)
    return kept[1:] if kept and kept[0][0] == "silence" else kept


def _joined(pieces: Iterable[tuple[str, float]]) -> list[tuple[str, float]]:
    """Neighbours of one name are one piece."""
    return [
        (name, round(sum(seconds for _, seconds in group), 2))
        for name, group in groupby(pieces, key=lambda one: one[0])
    ]


def is_endless(row: DocumentRow) -> bool:
    return any(word.endswith(" x0") or word == "-> POST " for word in row[3])


@pytest.mark.timeout(300)
def test_documents_are_heard_as_they_were_meant(room: Room, web: Web) -> None:
    """Each is announced to somebody who is alone: tones, voices, pauses in order; of what is refused nothing."""
    if not isinstance(room.stack.switch, RealSwitch):
        pytest.skip("the sandbox has no sound; in words: tests/unit/media/test_documents_of_the_world.py")
    for name, hz in TONES.items():
        web.put(f"/{name}", tone(hz, PLAY_SECONDS), "audio/wav")
    for path in ("/n", "/queue"):
        web.put(path, b"<Response><Play>/b</Play></Response>", "text/xml")
    room.add("anna", 1, to=FarEnd.SILENT)  # what a phone says is in its own recording, too
    ears = Ears(room.stack.switch.far_end, [FarEnd.SILENT])
    wrong, count = [], 0
    for row in (*SDKS, *HOSTED):
        name, content_type, content, expected = row
        speaks = any(word.startswith("say ") for word in expected)
        if is_endless(row) or (speaks and shutil.which("espeak-ng") is None):
            continue
        body = content if isinstance(content, bytes) else _at(web, content).encode()
        found, wanted = list[tuple[str, float]](), told(expected)
        for number in range(TRIES):
            url = web.put(f"/document-{count}-{number}", body, content_type)
            found = heard(ears.hear(FarEnd.SILENT, partial(_announce, room, url)))
            if _is_as(found, wanted):
                break
        else:
            wrong.append(f"{name}: heard {found}, not {wanted}")
        print(f"{name:<40} {found}")
        count += 1

    assert wrong == []
    assert count >= 12


def _announce(room: Room, url: str) -> None:
    """Until it is over, or has failed."""
    room.update("anna", announce_url=url)

    def is_over() -> bool:
        told = room.stack.receiver.of(room.conference_sid)
        return any(one.kind.startswith("announcement-") and one.parameters.get("AnnounceUrl") == url for one in told)

    eventually(is_over, f"the announcement of {url} is over", 20)


def _at(web: Web, text: str) -> str:
    """Songs on servers of the world are on this one."""
    return re.sub(r"http://[\w.]+/[\w.-]+\.mp3", lambda found: web.url("/b" if "two" in found[0] else "/a"), text)


def _is_as(found: list[tuple[str, float]], wanted: list[tuple[str, float]]) -> bool:
    """Silence behind it all counts only where it is meant: callbacks come when they come."""
    joined = _joined(wanted)
    if found[-1:] and found[-1][0] == "silence" and len(found) > len(joined):
        found = found[:-1]
    return [name for name, _ in found] == [name for name, _ in joined] and all(
        seconds == 0 or -0.35 < long - seconds < (1.0 if name == "silence" else 0.35)
        for (name, long), (_, seconds) in zip(found, joined, strict=True)
    )
