"""Recording: a frozen value, changed only by `recording_transitions.apply`. The statuses are the wire's, exactly.

A recording consists of parts, one file each. A pause ends a part and a resume begins the next; so does whatever ends a
file that should go on. Which part runs follows from the state (`running_part`), so whoever commits a change can see
what the switch has to do because of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from orchestrator.domain.conference import CallbackSettings

TOO_SHORT: Final = 16101
SILENT: Final = 16102
"""Twilio's codes for recordings that are absent: https://www.twilio.com/docs/api/errors/16101"""


class RecordingStatus(StrEnum):
    """`stopped` until the last part is closed, `processing` until a worker is done."""

    IN_PROGRESS = "in-progress"
    PAUSED = "paused"
    STOPPED = "stopped"
    PROCESSING = "processing"
    COMPLETED = "completed"
    ABSENT = "absent"
    FAILED = "failed"
    DELETED = "deleted"


IN_PROGRESS, PAUSED, STOPPED, PROCESSING, COMPLETED, ABSENT, FAILED, DELETED = RecordingStatus
ACTIVE: Final = frozenset({IN_PROGRESS, PAUSED})
UNFINISHED: Final = frozenset({IN_PROGRESS, PAUSED, STOPPED, PROCESSING})


class RecordingSource(StrEnum):
    """Who asked for the recording, in Twilio's words."""

    PARTICIPANT = "OutboundAPI"
    CALL = "StartCallRecordingAPI"
    CONFERENCE = "Conference"
    CONFERENCE_API = "StartConferenceRecordingAPI"


@dataclass(frozen=True, slots=True)
class Part:
    """One file. `fills_gap`: what has passed since the part before it is silence, not skipped."""

    number: int
    fills_gap: bool = False
    started_at: datetime | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Recording:
    """One recording of a call, or of a conference where `call_sid` is None.

    `channel_uuid` is the leg that is recorded: the call's, or one of our own that listens to the conference.
    `sizes`: the bytes of each file that is kept, by the end of its name. `reason` says what failed.
    `request_id` is the client's request to which all that comes of the recording is due: the one that asked for it, its
    start or a create with Record or ConferenceRecord; then the one that stops or deletes it. A pause and a resume
    themselves are due to their own, and leave it as it is.
    """

    recording_sid: str
    account_sid: str
    conference_sid: str
    call_sid: str | None
    node: str
    channel_uuid: str
    source: RecordingSource
    created_at: datetime
    updated_at: datetime
    channels: int = 1
    track: str = "both"
    trims: bool = False
    callbacks: CallbackSettings | None = None
    status: RecordingStatus = IN_PROGRESS
    started_at: datetime | None = None
    parts: tuple[Part, ...] = (Part(1),)
    pause_fills_gap: bool = False
    duration_ms: int | None = None
    error_code: int | None = None
    reason: str = ""
    sizes: tuple[tuple[str, int], ...] = ()
    attempts: int = 0
    request_id: str = ""

    @property
    def is_of_conference(self) -> bool:
        """Whether it is a recording of a conference, not of one call."""
        return self.call_sid is None

    @property
    def running_part(self) -> Part | None:
        """Return the part that the switch should be writing."""
        last = self.parts[-1]
        return last if self.status is IN_PROGRESS and last.ended_at is None else None

    @property
    def open_part(self) -> Part | None:
        """Return the part that the switch writes, or has not said to have closed yet."""
        last = self.parts[-1]
        return last if last.started_at is not None and last.ended_at is None else None
