"""Writes what is learnt of a recording, with the callbacks that follow, in one commit; and has the switch do what
follows: the part that should be running runs, and no other.

What is lost on the way (a crash, a switch that is away) a look makes up for (look.py).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import structlog

from orchestrator import logs, metrics
from orchestrator.callbacks.recordings import (
    RecordingCallback,
    kept_recording_callback,
    plan_recording_callbacks,
)
from orchestrator.domain.events import Event
from orchestrator.domain.recording import (
    ACTIVE,
    FAILED,
    Part,
    Recording,
)
from orchestrator.domain.recording_events import (
    PartRefused,
    Requested,
    SourceEnded,
)
from orchestrator.domain.recording_transitions import (
    apply,
)
from orchestrator.errors import Unavailable
from orchestrator.freeswitch.client import CommandRefused, NodeUnavailable
from orchestrator.freeswitch.commands import ChannelExists, KillChannel, SwitchCommand
from orchestrator.freeswitch.recordings import LEG_GONE, JoinRecorder, PartFile, StartPart, StopWriting
from orchestrator.store.accounts import AccountStore
from orchestrator.store.lanes import Lane
from orchestrator.store.leases import Lease
from orchestrator.store.recordings import RecordingStore, VersionedRecording, lane_of

Send = Callable[[SwitchCommand], str]
"""To the recording's node. Raises CommandRefused, NodeUnavailable."""

Serialize = Callable[[RecordingCallback], Sequence[tuple[str, str]]]
Wake = Callable[[Sequence[object]], None]

MOST_ROUNDS: Final = 20
"""Somebody changes the same recording all the time."""

log = structlog.get_logger("recordings")


def parts_directory(directory: str) -> str:
    """Return the directory in which switches write parts. They and the workers share it."""
    return f"{directory}/parts"


@dataclass(frozen=True, slots=True)
class Recorder:
    """Writes recordings and their events. `directory`: RECORDINGS_DIR. Not bound to a node: every method takes the way
    to the recording's. `lease`: that of the listener whose recorder this is; every method raises LeaseLost if another
    has it."""

    store: RecordingStore
    accounts: AccountStore
    serialize: Serialize
    wake_callbacks: Wake
    wake_looks: Wake
    directory: str
    lease: Lease | None = None

    def make_directory(self) -> None:
        """Make the directory of parts, into which switches may write, whoever they run as."""
        directory = Path(parts_directory(self.directory))
        with contextlib.suppress(OSError):
            directory.mkdir(parents=True)
            directory.chmod(0o777)

    def begin(self, recording: Recording, send: Send) -> None:
        """Write a new recording and have it begin; nothing if it is there already. Raises Unavailable."""
        if self.lease is not None:
            self.lease.check()
        if not self.store.create(recording):
            return
        with bound_to(recording):
            log.info("recording_begins", source=str(recording.source))
            if self.has_room(recording.account_sid):
                self.start_part(recording, send)
            else:
                refused = PartRefused(datetime.now(UTC), 1, "the account's quota is used up")
                self.apply(lane_of(recording), refused, send)
            self.wake_looks([lane_of(recording)])

    def has_room(self, account_sid: str) -> bool:
        """Whether the account may keep further recordings."""
        most = self.accounts.load_limits(account_sid).kept_recording_megabytes
        return self.store.kept_bytes(account_sid) < most * 1_000_000

    def apply(self, lane: Lane, event: Event, send: Send) -> Recording | None:
        """Write what an event changes; returns the recording as it is then, None if there is none. Raises
        Unavailable."""
        for _ in range(MOST_ROUNDS):
            known = self.store.load(lane.sid, lane.name)
            if known is None:
                return None
            after, events = apply(known.recording, event)
            if after == known.recording and not events:
                return after
            with bound_to(after, event):
                if self._commit(known, after, events):
                    self._follow(known.recording, after, send)
                    return after
        raise Unavailable("The recording is being changed by others: try again")

    def end_conference(self, conference_sid: str, send: Send) -> None:
        """End the recordings of a conference that is over. Raises Unavailable."""
        for recording in self.store.list_of(conference_sid):
            if recording.status in ACTIVE:
                self.apply(lane_of(recording), SourceEnded(datetime.now(UTC)), send)

    def _commit(self, before: VersionedRecording, after: Recording, events: Iterable[Event]) -> bool:
        callbacks = plan_recording_callbacks(after, events)
        request_id = logs.request_id()
        kept = [kept_recording_callback(callback, self.serialize(callback), request_id) for callback in callbacks]
        epoch = None
        if self.lease is not None:
            self.lease.check()
            epoch = self.lease.epoch
        if not self.store.commit(before, after, kept, epoch):
            return False
        if after.status is not before.recording.status:
            metrics.RECORDINGS.labels(str(after.status)).inc()
            level = log.error if after.status is FAILED else log.info
            level("recording", status=str(after.status), reason=after.reason or None)
        if kept:
            self.wake_callbacks([lane_of(after)])
        return True

    def _follow(self, before: Recording, after: Recording, send: Send) -> None:
        was, runs = before.running_part, after.running_part
        is_closed = was is not None and after.parts[was.number - 1].ended_at is not None
        if was is not None and not is_closed and (runs is None or runs.number != was.number):
            self._tell(after, send, StopWriting(after.channel_uuid, self.path_of(after, was)))
        if runs is not None and (was is None or runs.number != was.number):
            self.start_part(after, send)
        if after.is_of_conference and before.status in ACTIVE and after.status not in ACTIVE:
            self._tell(after, send, KillChannel(after.channel_uuid))
        if after.status is not before.status:
            self.wake_looks([lane_of(after)])

    def start_part(self, recording: Recording, send: Send) -> None:
        """Have the part that should run begin, and note what the switch refuses. Raises Unavailable of the store."""
        part = recording.running_part
        if part is None:
            return
        try:
            if recording.is_of_conference and send(ChannelExists(recording.channel_uuid)).strip() != "true":
                send(JoinRecorder(recording.channel_uuid, recording.conference_sid))
            send(StartPart(recording.channel_uuid, self.path_of(recording, part), not recording.is_of_conference))
        except CommandRefused as error:
            reason, now = str(error).strip()[:200], datetime.now(UTC)
            log.warning("part_refused", part=part.number, error=reason)
            event = SourceEnded(now, is_closed=True) if LEG_GONE in reason else PartRefused(now, part.number, reason)
            self.apply(lane_of(recording), event, send)
        except NodeUnavailable as error:
            log.warning("part_not_begun", part=part.number, error=error.message)
        if recording.is_of_conference:
            self._end_late_leg(recording, send)

    def _end_late_leg(self, recording: Recording, send: Send) -> None:
        """End the leg of a recording that is over by now: whoever ended it has looked before the leg was there, and
        alone in its conference it would stay for ever."""
        known = self.store.load(recording.conference_sid, recording.recording_sid)
        if known is None or known.recording.status not in ACTIVE:
            self._tell(recording, send, KillChannel(recording.channel_uuid))

    def path_of(self, recording: Recording, part: Part) -> str:
        """Return the path at which the switch writes a part."""
        file = PartFile(recording.conference_sid, recording.recording_sid, part.number)
        return f"{parts_directory(self.directory)}/{file.name}"

    def _tell(self, recording: Recording, send: Send, command: SwitchCommand) -> None:
        try:
            send(command)
        except (CommandRefused, NodeUnavailable) as error:  # over already; or a look does it
            asked = repr(command)[:200]
            log.info("command_refused", command=asked, error=str(error).strip()[:200])


def bound_to(recording: Recording, event: Event | None = None) -> AbstractContextManager[None]:
    """Bind what the lines of a block are about: the recording, and the request to which an event of it is due, by what
    has asked for the event or else by the record; whoever does the work, and for whom."""
    request_id = event.request_id if isinstance(event, Requested) else recording.request_id
    sids = recording.account_sid, recording.conference_sid, recording.call_sid or "", recording.recording_sid
    return logs.bound(*sids, request_id=request_id)
