"""Plans callbacks about recordings: event -> callback, as one table. Each recording has a lane of its own, which
outlives its conference. Subscription words and texts: wire-contract section 8.3."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from orchestrator.callbacks.entry import Entry
from orchestrator.domain.changes import NewCallback
from orchestrator.domain.conference import CallbackSettings
from orchestrator.domain.events import Event
from orchestrator.domain.recording import (
    Recording,
)
from orchestrator.domain.recording_events import (
    RecordingAbsent,
    RecordingCompleted,
    RecordingFailed,
    RecordingPaused,
    RecordingResumed,
    RecordingStarted,
    RecordingStopped,
)


@dataclass(frozen=True, slots=True)
class RecordingRow:
    """How an event of a recording becomes a callback. `words`: the subscriptions, any of which does. `status` is what
    the callback says, `kind` how it is kept."""

    words: frozenset[str]
    status: str

    @property
    def kind(self) -> str:
        """Return the callback's kind, a name of its own among all callbacks."""
        return f"recording-{self.status}"


RECORDING_PLAN: Final[dict[type[Event], RecordingRow]] = {
    RecordingStarted: RecordingRow(frozenset({"in-progress", "started"}), "in-progress"),
    RecordingPaused: RecordingRow(frozenset({"paused"}), "paused"),
    RecordingResumed: RecordingRow(frozenset({"resumed"}), "in-progress"),
    RecordingStopped: RecordingRow(frozenset({"stopped"}), "stopped"),
    RecordingCompleted: RecordingRow(frozenset({"completed"}), "completed"),
    RecordingAbsent: RecordingRow(frozenset({"absent"}), "absent"),
    RecordingFailed: RecordingRow(frozenset({"failed"}), "failed"),
}


@dataclass(frozen=True, slots=True)
class RecordingCallback:
    """One callback to be sent: the recording is as it was right after `event`."""

    row: RecordingRow
    settings: CallbackSettings
    event: Event
    recording: Recording


def plan_recording_callbacks(recording: Recording, events: Iterable[Event]) -> list[RecordingCallback]:
    """Plan the callbacks that these events lead to."""
    settings = recording.callbacks
    if settings is None:
        return []
    rows = ((event, RECORDING_PLAN[type(event)]) for event in events)
    return [
        RecordingCallback(row, settings, event, recording) for event, row in rows if row.words & set(settings.events)
    ]


def kept_recording_callback(
    callback: RecordingCallback, parameters: Sequence[tuple[str, str]], request_id: str
) -> NewCallback:
    """Return the callback as it is kept until its receiver has it. `request_id`: to which its event is due, or ''."""
    token, recording = str(uuid.uuid4()), callback.recording
    entry = Entry(
        token=token,
        account_sid=recording.account_sid,
        conference_sid=recording.conference_sid,
        call_sid=recording.call_sid or "",
        kind=callback.row.kind,
        url=callback.settings.url,
        method=callback.settings.method,
        parameters=tuple(parameters),
        planned_at=callback.event.at.timestamp(),
        dialect=callback.settings.dialect,
        request_id=request_id,
    )
    return NewCallback(token, int(entry.planned_at * 1000), entry.dump())
