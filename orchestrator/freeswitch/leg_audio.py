"""What a called party says, as a file that grows while they say it; and who wants it.

A leg whose answerer is to be detected carries the wish in a channel variable, which its CHANNEL_ANSWER shows. The file
is raw, 16 bits and 8 kHz, and grows with 20 ms of delay (switch_ivr_async.c, switch_ivr_record_session_event).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from orchestrator.domain.commands import CreateParticipant

DETECTION_VARIABLE: Final = "orchestrator_detection"
CONFERENCE_HEADER: Final = "variable_orchestrator_conference_sid"
HOW: Final = (
    "RECORD_READ_ONLY=true,enable_file_write_buffering=false,RECORD_PRE_BUFFER_FRAMES=1,record_sample_rate=8000,"
    "RECORD_USE_THREAD=false"
)
"""Without the second nothing reaches the file for 4 s, without the third nothing for half a second; without the last a
leg that hangs up just then stays for ever (freeswitch/recordings.py)."""

DETECTION_EVENTS: Final = "CHANNEL_ANSWER CHANNEL_HANGUP"

_WANTED: Final = re.compile(r"(Enable|DetectMessageEnd)/(\d{1,2})/(\d{4})/(\d{3,4})/(\d{4,5})", re.ASCII)


@dataclass(frozen=True, slots=True)
class DetectionWanted:
    """A leg's MachineDetection and its parameters, in ms but for the timeout."""

    to_message_end: bool
    timeout_seconds: int
    speech_threshold_ms: int
    speech_end_threshold_ms: int
    silence_timeout_ms: int


@dataclass(frozen=True, slots=True)
class AnsweredLeg:
    """A leg that was answered, and whose answerer is to be detected."""

    channel_uuid: str
    conference_sid: str
    at: datetime
    wanted: DetectionWanted


def detection_wanted(command: CreateParticipant) -> str | None:
    """Return the channel variable of a call to be dialled; None if nobody wants to know who picks up."""
    if command.machine_detection is None:
        return None
    return "/".join(
        map(
            str,
            (
                command.machine_detection,
                command.machine_detection_timeout_seconds,
                command.machine_detection_speech_threshold_ms,
                command.machine_detection_speech_end_threshold_ms,
                command.machine_detection_silence_timeout_ms,
            ),
        )
    )


def parse_answered(headers: Mapping[str, str]) -> AnsweredLeg | None:
    """Read a CHANNEL_ANSWER; None for calls of which nobody wants to know who picks up."""
    match = _WANTED.fullmatch(headers.get(f"variable_{DETECTION_VARIABLE}", ""))
    if match is None or headers.get("Call-Direction") != "outbound":
        return None
    word, *numbers = match.groups()
    at = datetime.fromtimestamp(int(headers["Event-Date-Timestamp"]) / 1_000_000, UTC)
    wanted = DetectionWanted(word == "DetectMessageEnd", *map(int, numbers))
    return AnsweredLeg(headers["Unique-ID"], headers.get(CONFERENCE_HEADER, ""), at, wanted)


@dataclass(frozen=True, slots=True)
class StartLegAudio:
    """Write what the far end says to `path`, unbuffered, for so many seconds at most."""

    channel_uuid: str
    path: str
    seconds: int

    def render(self) -> str:
        """`uuid_record … start`."""
        return f"uuid_record {self.channel_uuid} start {self.path} {self.seconds} {{{HOW}}}"
