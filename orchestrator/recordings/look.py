"""Looks at a recording: whether what should be recorded is, whether what was recorded is kept, and whether it may go.

Runs in workers, for each recording every few seconds while it is under way, and when something has happened to it. So
whatever is lost elsewhere, a commit's effects or a switch's event, is made up for here. Looking once too often does no
harm.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import gevent
import structlog

from orchestrator.domain.conference import ConferenceStatus
from orchestrator.domain.recording import (
    ABSENT,
    ACTIVE,
    COMPLETED,
    DELETED,
    FAILED,
    IN_PROGRESS,
    PAUSED,
    PROCESSING,
    STOPPED,
    Part,
    Recording,
)
from orchestrator.domain.recording_events import (
    DeleteRequested,
    PartEnded,
    PartStarted,
    Processed,
    ProcessingFailed,
    RecordingInterrupted,
    SourceEnded,
)
from orchestrator.freeswitch.client import CommandRefused, NodeUnavailable
from orchestrator.freeswitch.commands import ChannelExists, KillChannel
from orchestrator.freeswitch.nodes import Nodes
from orchestrator.freeswitch.recordings import StopWriting
from orchestrator.recordings.process import Job, JobResult
from orchestrator.recordings.recorder import Recorder, Send, bound_to
from orchestrator.recordings.storage import Storage
from orchestrator.store.commits import CommitStore
from orchestrator.store.lanes import Lane
from orchestrator.store.recordings import lane_of

LOOK_SECONDS: Final = 5.0
SOON_SECONDS: Final = 1.0
GROWTH_LOOKS: Final = 6
GROWTH_SECONDS: Final = 0.2
"""A switch writes every 20 ms; one that has written nothing for so many looks, so far apart, does not write."""

MOST_ATTEMPTS: Final = 15
"""At processing, with growing pauses: an hour and a half, in which an operator can make room on a disk."""

FIRST_PAUSE_SECONDS: Final = 2.0
LONGEST_PAUSE_SECONDS: Final = 600.0

log = structlog.get_logger("recordings")


class NotProcessed(Exception):
    """The work was kept from being done; it can be tried again."""


Process = Callable[[Job], JobResult | None]
"""Does a job. Raises NotProcessed; None: all children are busy, come back soon."""


@dataclass(frozen=True, slots=True)
class Looks:
    """Looks at recordings, put together once for each worker. `keep_days` 0: for ever."""

    recorder: Recorder
    commits: CommitStore
    nodes: Nodes
    storage: Storage
    process: Process
    make_job: Callable[[Recording, list[tuple[str, int, bool]]], Job]
    keep_days: int

    def look(self, lane: Lane) -> float | None:
        """Do what a recording needs now; returns in how many seconds somebody has to look again, None for never. Raises
        Unavailable."""
        known = self.recorder.store.load(lane.sid, lane.name)
        if known is None:
            return None
        with bound_to(known.recording):
            return self._look(known.recording)

    def _look(self, recording: Recording) -> float | None:
        if recording.status in (*ACTIVE, STOPPED):
            try:
                return self._watch(recording, self.nodes.get(recording.node).send)
            except NodeUnavailable as error:
                return self._without_node(recording, error.message)
        if recording.status is PROCESSING:
            return self._process(recording)
        return self._tidy(recording)

    # ------------------------------------------------------------ while it is recorded

    def _watch(self, recording: Recording, send: Send) -> float | None:
        is_up = send(ChannelExists(recording.channel_uuid)).strip() == "true"
        if self._is_over(recording) or (not is_up and not recording.is_of_conference):
            return self._end(recording, send, is_up=is_up)
        if recording.status is not IN_PROGRESS:
            return self._close(recording, send, is_up=is_up)
        if is_up:
            return self._watch_part(recording, send)
        if self._is_somebody_there(recording, send):
            self._go_on(recording, recording.parts[-1], send)
        return LOOK_SECONDS

    def _without_node(self, recording: Recording, reason: str) -> float | None:
        """Do what needs no node: a recording that is over, and whose file does not grow, need not wait for its node to
        come back."""
        log.info("recording_not_watched", error=reason)
        part = recording.open_part
        if not self._is_over(recording) or (part is not None and self._grows(recording, part)):
            return LOOK_SECONDS
        self.recorder.apply(lane_of(recording), SourceEnded(datetime.now(UTC), is_closed=True), _nobody)
        return SOON_SECONDS

    def _end(self, recording: Recording, send: Send, *, is_up: bool) -> float | None:
        if is_up and recording.is_of_conference:
            _end_leg(recording, send)
        else:
            self.recorder.apply(lane_of(recording), SourceEnded(datetime.now(UTC), is_closed=not is_up), send)
        return SOON_SECONDS

    def _watch_part(self, recording: Recording, send: Send) -> float | None:
        part = recording.running_part
        if part is None:
            self._go_on(recording, recording.parts[-1], send)
        elif part.started_at is None and not self._is_written(recording, part):
            self.recorder.start_part(recording, send)
            return SOON_SECONDS
        elif not self._grows(recording, part):
            self._stop(recording, part, send)
            self._go_on(recording, part, send)
        elif part.started_at is None:
            self.recorder.apply(lane_of(recording), PartStarted(datetime.now(UTC), part.number), send)
        return LOOK_SECONDS

    def _go_on(self, recording: Recording, broken: Part, send: Send) -> None:
        """Go on recording in another file, in which what has been missed is silence."""
        log.error("recording_broken_off", part=broken.number)
        self.recorder.apply(lane_of(recording), RecordingInterrupted(datetime.now(UTC), broken.number), send)

    def _is_over(self, recording: Recording) -> bool:
        """Return whether what is recorded has ended, as far as our state knows."""
        sid, call_sid = recording.conference_sid, recording.call_sid
        conferences, participants = self.commits.load([(sid, call_sid)] if call_sid else (), [sid])
        if call_sid is not None:
            return call_sid not in participants or participants[call_sid].ended_at is not None
        return sid not in conferences or conferences[sid].conference.status is ConferenceStatus.COMPLETED

    def _is_somebody_there(self, recording: Recording, send: Send) -> bool:
        """Return whether the switch knows somebody in the conference or on the way to it: we may not have heard yet
        that it is over."""
        people = self.commits.list_live(recording.conference_sid)
        return any(send(ChannelExists(person.switch.channel_uuid)).strip() == "true" for person in people)

    def _close(self, recording: Recording, send: Send, *, is_up: bool) -> float | None:
        """Close the last file of a recording that is paused or stopped, and make sure that we know of it."""
        part = recording.open_part
        if part is not None:
            self._stop(recording, part, send)
            self.recorder.apply(lane_of(recording), PartEnded(datetime.now(UTC), part.number), send)
        if recording.status is STOPPED and recording.is_of_conference and is_up:
            _end_leg(recording, send)
        return LOOK_SECONDS if recording.status is PAUSED else SOON_SECONDS

    def _stop(self, recording: Recording, part: Part, send: Send) -> None:
        try:
            send(StopWriting(recording.channel_uuid, self.recorder.path_of(recording, part)))
        except CommandRefused as error:  # it is closed
            log.info("part_is_closed", part=part.number, error=str(error).strip()[:200])

    def _is_written(self, recording: Recording, part: Part) -> bool:
        return _size(self.recorder.path_of(recording, part)) > 0

    def _grows(self, recording: Recording, part: Part) -> bool:
        path = self.recorder.path_of(recording, part)
        before = _size(path)
        for _ in range(GROWTH_LOOKS):
            gevent.sleep(GROWTH_SECONDS)
            if _size(path) > before:
                return True
        return False

    # ------------------------------------------------------------ afterwards

    def _process(self, recording: Recording) -> float | None:
        lane, send = lane_of(recording), _nobody
        pieces = [
            (self.recorder.path_of(recording, part), int(part.started_at.timestamp() * 1000), part.fills_gap)
            for part in recording.parts
            if part.started_at is not None
        ]
        try:
            result = self.process(self.make_job(recording, pieces))
        except NotProcessed as error:
            return self._try_again(recording, str(error))
        if result is None:
            return SOON_SECONDS
        now = datetime.now(UTC)
        done = Processed(now, result.duration_ms, tuple(result.sizes), result.error_code)
        after = self.recorder.apply(lane, done, send)
        return self._tidy(after) if after is not None else None

    def _try_again(self, recording: Recording, reason: str) -> float | None:
        is_final = recording.attempts + 1 >= MOST_ATTEMPTS
        log.error(
            "recording_not_processed",
            attempt=recording.attempts + 1,
            error=reason,
            parts_stay_in=os.path.dirname(self.recorder.path_of(recording, recording.parts[0])) if is_final else None,
        )
        event = ProcessingFailed(datetime.now(UTC), reason, is_final)
        self.recorder.apply(lane_of(recording), event, _nobody)
        return None if is_final else min(FIRST_PAUSE_SECONDS * 2**recording.attempts, LONGEST_PAUSE_SECONDS)

    def _tidy(self, recording: Recording) -> float | None:
        """Delete files that nobody needs: the parts of a recording that is kept, all files of one that is deleted or
        too old. Parts of one that failed are left."""
        try:
            if recording.status in (COMPLETED, ABSENT, DELETED):
                for part in recording.parts:
                    Path(self.recorder.path_of(recording, part)).unlink(missing_ok=True)
            if recording.status is DELETED:
                for end, _ in recording.sizes:
                    self.storage.delete(file_name(recording, end))
                return None
        except OSError as error:
            log.warning("recording_not_tidied", error=str(error)[:200])
            return LONGEST_PAUSE_SECONDS
        if not self.keep_days or recording.status not in (COMPLETED, ABSENT, FAILED):
            return None
        left = recording.updated_at.timestamp() + self.keep_days * 86_400 - time.time()
        if left > 0:
            return left
        log.info("recording_too_old", days=self.keep_days)
        deleted = self.recorder.apply(lane_of(recording), DeleteRequested(datetime.now(UTC)), _nobody)
        return self._tidy(deleted) if deleted is not None else None


def _end_leg(recording: Recording, send: Send) -> None:
    with contextlib.suppress(CommandRefused):  # it has gone this moment
        send(KillChannel(recording.channel_uuid))


def file_name(recording: Recording, end: str) -> str:
    """Return the name under which a file of the recording is kept."""
    return f"{recording.account_sid}/{recording.recording_sid}{end}"


def _nobody(command: object) -> str:
    """Send nothing: of what is over the switch need not hear."""
    raise CommandRefused(f"not for a switch: {command!r}")


def _size(path: str) -> int:
    """Return the size of a file, -1 if there is none. Opened, so that a network's file system says what is so now."""
    try:
        with open(path, "rb") as file:
            return os.fstat(file.fileno()).st_size
    except OSError:
        return -1
