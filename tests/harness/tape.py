"""Recordings as a client sees them: what was told of them, and what is heard in them.

Each phone plays a tone of its own (`tone_hz`), so a recording tells who was in it, and when. Moments are those of this
process; a switch may be a tenth of a second late.
"""

from __future__ import annotations

import io
import math
import time
import wave
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import requests

from orchestrator.recordings.wav import RATE
from tests.harness.freeswitch import tone_hz
from tests.harness.polling import eventually
from tests.harness.room import SOUNDS, Room
from tests.harness.sound import HEARD_DBFS, frame_levels
from tests.harness.stack import Stack

LATE_SECONDS: Final = 0.5
"""From a request to its sound, on a machine with other work."""

FRAMES: Final = 50
DONE_SECONDS: Final = 30.0


@dataclass(frozen=True)
class Tape:
    """A downloaded recording. `ended_at`: when its last sound was."""

    sides: tuple[array[int], ...]
    ended_at: float

    @property
    def seconds(self) -> float:
        return len(self.sides[0]) / RATE

    def heard(self, hz: int, start: float, end: float, side: int = 0) -> float:
        """The share of frames between two moments in which a tone is heard; away from the moments themselves."""
        levels = frame_levels(self.sides[side], hz)
        first, last = (round((self.seconds - (self.ended_at - at)) * FRAMES) for at in (start, end))
        some = levels[first + round(LATE_SECONDS * FRAMES) : last - 10]
        assert some, f"nothing between {start} and {end}: {self.seconds} s until {self.ended_at}"
        return sum(level > HEARD_DBFS for level in some) / len(some)

    def ever(self, hz: int, side: int = 0) -> int:
        """In how many frames it is heard."""
        return sum(level > HEARD_DBFS for level in frame_levels(self.sides[side], hz))


def auth(stack: Stack) -> tuple[str, str]:
    return stack.account_sid, stack.auth_token


def download(stack: Stack, media_url: str, ended_at: float = 0.0, **query: Any) -> Tape:
    answer = requests.get(f"{media_url}.wav", params=query, auth=auth(stack), timeout=10)
    assert answer.status_code == 200, answer.text
    with wave.open(io.BytesIO(answer.content)) as file:
        assert (file.getframerate(), file.getsampwidth()) == (RATE, 2)
        samples = array("h", file.readframes(file.getnframes()))
        count = file.getnchannels()
    return Tape(tuple(samples[side::count] for side in range(count)), ended_at)


def finished(room: Room, sid: str, status: str = "completed", seconds: float = DONE_SECONDS) -> Any:
    """The recording, when it is done."""

    def probe() -> Any:
        found = room.client.recordings(sid).fetch()
        assert found.status == status, found.status
        return found

    return eventually(probe, f"{sid} is {status}", seconds)


def told(stack: Stack, sid: str) -> list[dict[str, str]]:
    """The parameters of what was told of a recording, in order, each event once."""
    found: dict[str, dict[str, str]] = {}
    for received in list(stack.receiver.received):
        if received.parameters.get("RecordingSid") == sid:
            assert received.is_signed
            found.setdefault(received.headers["I-Twilio-Idempotency-Token"], received.parameters)
    return list(found.values())


def await_told(stack: Stack, sid: str, *statuses: str) -> list[dict[str, str]]:
    """The same, when these statuses have been told, and no others."""

    def probe() -> list[dict[str, str]]:
        found = told(stack, sid)
        assert [one["RecordingStatus"] for one in found] == list(statuses), found
        return found

    return eventually(probe, f"{sid} is told as {statuses}", DONE_SECONDS)


def hz_of(room: Room, label: str) -> int:
    return tone_hz(room.people[label].number)


def now() -> float:
    return time.time()


MUSIC: Final = SOUNDS["music"]
EVERY_WORD: Final = ["started", "in-progress", "paused", "resumed", "stopped", "completed", "failed", "absent"]


def callbacks(room: Room, prefix: str = "recording") -> dict[str, Any]:
    words = EVERY_WORD if prefix == "recording" else ["in-progress", "completed", "failed", "absent"]
    return {f"{prefix}_status_callback": room.stack.receiver.url(), f"{prefix}_status_callback_event": words}


def start(room: Room, parent: Any, **settings: Any) -> Any:
    """Of a conference twilio-python has no word for it."""
    if hasattr(parent.recordings, "create"):
        return parent.recordings.create(**callbacks(room), **settings)
    asked = {
        "Trim": settings.get("trim", "do-not-trim"),
        "RecordingStatusCallback": room.stack.receiver.url(),
        "RecordingStatusCallbackEvent": " ".join(EVERY_WORD),
    }
    url = f"{room.stack.base_url}/2010-04-01/Accounts/{room.stack.account_sid}/Conferences/{room.conference_sid}"
    answer = requests.post(f"{url}/Recordings.json", data=asked, auth=auth(room.stack), timeout=5)
    assert answer.status_code == 201, answer.text
    return parent.recordings(answer.json()["sid"]).fetch()


def part_of(stack: Stack, sid: str) -> Path | None:
    """The first file that the switch has of a recording."""
    return min((stack.directory / "recordings" / "parts").glob(f"*{sid}*"), default=None)


LEFT_ALONE_SECONDS: Final = 10


def lengthen(part: Path, seconds: int, second: array[int] | None = None) -> None:
    """Put sound behind what the switch is writing of a leg, in two channels; it goes on writing before it."""
    with part.open("r+b") as file:
        file.seek(LEFT_ALONE_SECONDS * RATE * 4)
        for _ in range(seconds):
            file.write((second or SECOND).tobytes())


SECOND: Final = array("h", (round(4000 * math.sin(math.tau * 700 * n / RATE)) for n in range(RATE) for _ in range(2)))
