"""Every rule that changes a Recording: pure. Late news changes nothing. (The law is that of transitions.py.)"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final, cast

from orchestrator.domain.events import Event
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
    TOO_SHORT,
    Part,
    Recording,
    RecordingStatus,
)
from orchestrator.domain.recording_events import (
    DeleteRequested,
    PartEnded,
    PartRefused,
    PartStarted,
    PauseRequested,
    Processed,
    ProcessingFailed,
    RecordingAbsent,
    RecordingCompleted,
    RecordingFailed,
    RecordingInterrupted,
    RecordingPaused,
    RecordingResumed,
    RecordingStarted,
    RecordingStopped,
    ResumeRequested,
    SourceEnded,
    StopRequested,
)

MOST_PARTS: Final = 500
"""Whatever is paused, or breaks off, more often than this ends there, with what there is."""

MUST_BE_SOMETHING_SECONDS: Final = 2.0
"""What was recorded for longer and is empty was not short: a full disk, a file that somebody has removed."""

UNWRITTEN: Final = 20500
"""There was something to record, and it could not be kept; Twilio has no code of its own for that."""

Applied = tuple[Recording, tuple[Event, ...]]
Rule = Callable[[Recording, Event], Applied]


def _part_started(recording: Recording, event: Event) -> Applied:
    number = cast(PartStarted, event).number
    parts = tuple(
        replace(part, started_at=event.at) if part.number == number and part.started_at is None else part
        for part in recording.parts
    )
    if parts == recording.parts:
        return recording, ()
    if recording.started_at is not None:
        return replace(recording, parts=parts), ()
    return replace(recording, parts=parts, started_at=event.at), (RecordingStarted(event.at),)


def _part_ended(recording: Recording, event: Event) -> Applied:
    ended = cast(PartEnded, event)
    parts = tuple(
        replace(part, started_at=part.started_at or event.at, ended_at=event.at)
        if part.number == ended.number and part.ended_at is None
        else part
        for part in recording.parts
    )
    recording = replace(recording, parts=parts)
    if ended.source_ended and not recording.is_of_conference:
        return _stopped(recording, event)
    return _closed(recording), ()


def _refused(recording: Recording, event: Event) -> Applied:
    """The first part is the recording; of a later one the next look tries again."""
    refused = cast(PartRefused, event)
    if refused.number != recording.parts[-1].number or recording.parts[-1].started_at is not None:
        return recording, ()
    if recording.started_at is None:
        return _failed(recording, event, refused.reason)
    parts = (*recording.parts[:-1], replace(recording.parts[-1], started_at=event.at, ended_at=event.at))
    return replace(recording, parts=parts), ()


def _interrupted(recording: Recording, event: Event) -> Applied:
    number = cast(RecordingInterrupted, event).number
    last = recording.parts[-1]
    if last.number != number:
        return recording, ()
    ended = replace(last, started_at=last.started_at or event.at, ended_at=last.ended_at or event.at)
    recording = replace(recording, parts=(*recording.parts[:-1], ended))
    if number >= MOST_PARTS:
        return _stopped(recording, event)
    return replace(recording, parts=(*recording.parts, Part(number + 1, fills_gap=True))), ()


def _paused(recording: Recording, event: Event) -> Applied:
    fills = cast(PauseRequested, event).fills_gap
    return replace(recording, status=PAUSED, pause_fills_gap=fills), (RecordingPaused(event.at),)


def _resumed(recording: Recording, event: Event) -> Applied:
    last = recording.parts[-1]
    if last.number >= MOST_PARTS:
        return _stopped(recording, event)
    parts = recording.parts if last.ended_at else (*recording.parts[:-1], replace(last, ended_at=event.at))
    following = Part(last.number + 1, fills_gap=recording.pause_fills_gap)
    return replace(recording, status=IN_PROGRESS, parts=(*parts, following)), (RecordingResumed(event.at),)


def _stopped(recording: Recording, event: Event) -> Applied:
    """Also because what was recorded has ended."""
    events: tuple[Event, ...] = ()
    if recording.status in ACTIVE:
        recording = replace(recording, status=STOPPED)
        events = (RecordingStopped(event.at),) if recording.started_at is not None else ()
    if isinstance(event, SourceEnded) and event.is_closed:
        last = recording.parts[-1]
        ended = replace(last, ended_at=last.ended_at or event.at)
        recording = replace(recording, parts=(*recording.parts[:-1], ended))
    return _closed(recording), events


def _stop_requested(recording: Recording, event: Event) -> Applied:
    return _stopped(replace(recording, request_id=cast(StopRequested, event).request_id), event)


def _closed(recording: Recording) -> Recording:
    """What nobody writes any more can be processed."""
    if recording.status is STOPPED and recording.open_part is None:
        return replace(recording, status=PROCESSING)
    return recording


def _processed(recording: Recording, event: Event) -> Applied:
    processed = cast(Processed, event)
    if processed.error_code == TOO_SHORT and _open_seconds(recording) > MUST_BE_SOMETHING_SECONDS:
        return _failed(recording, event, "nothing of it was written")
    if processed.error_code is not None:
        absent = replace(recording, status=ABSENT, error_code=processed.error_code, duration_ms=0)
        return absent, (RecordingAbsent(event.at),)
    completed = replace(recording, status=COMPLETED, duration_ms=processed.duration_ms, sizes=processed.sizes)
    if recording.started_at is not None:
        return completed, (RecordingCompleted(event.at),)
    # Its leg was gone before anybody had heard of the beginning; there is sound, so it has begun.
    begun = replace(completed, started_at=recording.created_at)
    return begun, (RecordingStarted(event.at), RecordingCompleted(event.at))


def _open_seconds(recording: Recording) -> float:
    """Return how long the recording's files were open."""
    return sum(
        (part.ended_at - part.started_at).total_seconds()
        for part in recording.parts
        if part.started_at and part.ended_at
    )


def _processing_failed(recording: Recording, event: Event) -> Applied:
    failed = cast(ProcessingFailed, event)
    if failed.is_final:
        return _failed(recording, event, failed.reason)
    return replace(recording, attempts=recording.attempts + 1, reason=failed.reason), ()


def _failed(recording: Recording, event: Event, reason: str) -> Applied:
    failed = replace(recording, status=FAILED, error_code=UNWRITTEN, reason=reason)
    return failed, (RecordingFailed(event.at),)


def _deleted(recording: Recording, event: Event) -> Applied:
    return replace(recording, status=DELETED, request_id=cast(DeleteRequested, event).request_id), ()


RULES: Final[dict[type[Event], tuple[frozenset[RecordingStatus], Rule]]] = {
    PartStarted: (frozenset({IN_PROGRESS, PAUSED, STOPPED}), _part_started),
    PartEnded: (frozenset({IN_PROGRESS, PAUSED, STOPPED}), _part_ended),
    PartRefused: (frozenset({IN_PROGRESS}), _refused),
    RecordingInterrupted: (frozenset({IN_PROGRESS}), _interrupted),
    PauseRequested: (frozenset({IN_PROGRESS}), _paused),
    ResumeRequested: (frozenset({PAUSED}), _resumed),
    StopRequested: (ACTIVE, _stop_requested),
    SourceEnded: (frozenset({IN_PROGRESS, PAUSED, STOPPED}), _stopped),
    Processed: (frozenset({PROCESSING}), _processed),
    ProcessingFailed: (frozenset({PROCESSING}), _processing_failed),
    DeleteRequested: (frozenset({COMPLETED, ABSENT, FAILED}), _deleted),
}
"""Event -> the statuses in which it is news, and its rule. In every other one it is late, and changes nothing."""


def apply(recording: Recording, event: Event) -> Applied:
    """Return the recording after an event, and what a client may be told. Late news leaves it as it is."""
    statuses, rule = RULES[type(event)]
    if recording.status not in statuses:
        return recording, ()
    after, events = rule(recording, event)
    return (replace(after, updated_at=event.at) if after != recording else after), events
