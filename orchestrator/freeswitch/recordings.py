"""How FreeSWITCH records: one file after the other of a leg, and what it says of each.

Measured on 1.10.12. `conference … record` keeps 64 kB (4 s) in a buffer that cannot be turned off, and says `+OK` to a
file that it cannot open. `uuid_record` writes every frame at once and says `-ERR`; so a conference is recorded by a leg
of our own that listens to it, muted and uncounted (`ghost`). RECORD_WRITE_ONLY would lose the first 240 ms; files under
3 s would be deleted without RECORD_MIN_SEC, and half a second be held back without RECORD_PRE_BUFFER_FRAMES
(switch_ivr_async.c, switch_ivr_record_session_event).

By default a thread of its own writes the file. A leg that hangs up within the 10 to 30 ms in which it starts is kept
by it for ever: 18 of 500, and none without it (recording_thread). So there is none, though whoever is recorded hangs
with the disk then, and the others do not hear them: that passes, and a far end that answers and hangs up at once could
take all of a node's sessions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Final

from orchestrator.domain.events import Event
from orchestrator.domain.recording_events import (
    PartEnded,
    PartStarted,
)

RECORDER: Final = "null/recording"
"""The channel of a leg that listens to a conference (mod_loopback.c, null_channel_outgoing_channel): no phone."""

_FILE: Final = re.compile(r"(?P<conference>CF[0-9a-f]{32})\.(?P<recording>RE[0-9a-f]{32})\.(?P<part>[0-9]{1,3})\.wav")

HUNG_UP: Final = frozenset({"success-silence", "no-input-timeout"})
"""Completion causes of a file that was closed because its leg ended; `success-maxtime` was closed by command."""

LEG_GONE: Final = "Cannot locate session"


@dataclass(frozen=True, slots=True)
class PartFile:
    """The file of one part, as its name tells it."""

    conference_sid: str
    recording_sid: str
    number: int

    @property
    def name(self) -> str:
        """Return the file's name in the directory of parts."""
        return f"{self.conference_sid}.{self.recording_sid}.{self.number}.wav"

    @classmethod
    def parse(cls, path: str) -> PartFile | None:
        """Read what a path names; None for files that are not ours."""
        match = _FILE.fullmatch(PurePosixPath(path).name)
        return None if match is None else cls(match["conference"], match["recording"], int(match["part"]))


@dataclass(frozen=True, slots=True)
class JoinRecorder:
    """Have a leg of ours listen to a conference. The conference lasts as long as the leg: end it in time."""

    channel_uuid: str
    conference_sid: str

    def render(self) -> str:
        """As the event socket takes it."""
        return (
            f"originate {{origination_uuid={self.channel_uuid}}}{RECORDER} "
            f"&conference({self.conference_sid}@orchestrator+flags{{mute|ghost}})"
        )


@dataclass(frozen=True, slots=True)
class StartPart:
    """Record a leg into a file, at once and unbuffered. `stereo`: what it says left, what it hears right."""

    channel_uuid: str
    path: str
    stereo: bool

    def render(self) -> str:
        """As the event socket takes it."""
        options = (
            "RECORD_USE_THREAD=false,RECORD_MIN_SEC=0,RECORD_PRE_BUFFER_FRAMES=5,enable_file_write_buffering=false"
        )
        stereo = ",RECORD_STEREO=true" if self.stereo else ""
        return f"uuid_record {self.channel_uuid} start {self.path} 0 {{{options}{stereo}}}"


@dataclass(frozen=True, slots=True)
class StopWriting:
    """Write no more of a leg into a file, and close it."""

    channel_uuid: str
    path: str

    def render(self) -> str:
        """As the event socket takes it."""
        return f"uuid_record {self.channel_uuid} stop {self.path}"


@dataclass(frozen=True, slots=True)
class OfPart:
    """What the switch says of a part's file."""

    file: PartFile
    event: Event


def translate_recording(headers: Mapping[str, str]) -> OfPart | None:
    """Translate a RECORD_START or RECORD_STOP of ours; None for every other event."""
    name = headers.get("Event-Name")
    if name not in ("RECORD_START", "RECORD_STOP"):
        return None
    file = PartFile.parse(headers.get("Record-File-Path", ""))
    if file is None:
        return None
    at = datetime.fromtimestamp(int(headers["Event-Date-Timestamp"]) / 1_000_000, UTC)
    if name == "RECORD_START":
        return OfPart(file, PartStarted(at, file.number))
    return OfPart(file, PartEnded(at, file.number, headers.get("Record-Completion-Cause") in HUNG_UP))
