"""What happens to a recording, in the past tense; and what a client may be told of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from orchestrator.domain.events import Event

# ---------------------------------------------------------------- what happens to a recording


@dataclass(frozen=True, slots=True)
class PartStarted(Event):
    """The switch has opened a part's file."""

    number: int


@dataclass(frozen=True, slots=True)
class PartEnded(Event):
    """The switch has closed a part's file, because it was told to or, `source_ended`, because its leg has ended:
    the call, or only what listens to a conference."""

    number: int
    source_ended: bool = False


@dataclass(frozen=True, slots=True)
class PartRefused(Event):
    """The switch cannot write a part's file."""

    number: int
    reason: str


@dataclass(frozen=True, slots=True)
class RecordingInterrupted(Event):
    """The running part has broken off and what is recorded goes on."""

    number: int


@dataclass(frozen=True, slots=True)
class SourceEnded(Event):
    """There is nothing to record any more. `is_closed`: no news of an open file will come."""

    is_closed: bool = False


@dataclass(frozen=True, slots=True)
class Requested(Event):
    """Somebody asks something of the recording. `request_id`: the client's request, '' if it is none of a client."""

    request_id: str = field(default="", kw_only=True)


@dataclass(frozen=True, slots=True)
class PauseRequested(Requested):
    """A client pauses the recording. `fills_gap`: with silence as long as the pause."""

    fills_gap: bool


@dataclass(frozen=True, slots=True)
class ResumeRequested(Requested):
    """A client has the recording go on."""


@dataclass(frozen=True, slots=True)
class StopRequested(Requested):
    """A client ends the recording."""


@dataclass(frozen=True, slots=True)
class DeleteRequested(Requested):
    """A client deletes the recording, or its age does."""


@dataclass(frozen=True, slots=True)
class Processed(Event):
    """A worker is done: what is kept is `duration_ms` long; or nothing is, for the reason that `error_code` names."""

    duration_ms: int = 0
    sizes: tuple[tuple[str, int], ...] = ()
    error_code: int | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ProcessingFailed(Event):
    """A worker could not process the recording; it is tried again, unless `is_final`."""

    reason: str
    is_final: bool = False


# ---------------------------------------------------------------- what a client may be told


@dataclass(frozen=True, slots=True)
class RecordingStarted(Event):
    """Derived: the first part is being written."""


@dataclass(frozen=True, slots=True)
class RecordingPaused(Event):
    """Derived: nothing is being written, and it may go on."""


@dataclass(frozen=True, slots=True)
class RecordingResumed(Event):
    """Derived: it goes on after a pause."""


@dataclass(frozen=True, slots=True)
class RecordingStopped(Event):
    """Derived: exactly one of each recording that had started."""


@dataclass(frozen=True, slots=True)
class RecordingCompleted(Event):
    """Derived: it can be fetched."""


@dataclass(frozen=True, slots=True)
class RecordingAbsent(Event):
    """Derived: there was nothing in it."""


@dataclass(frozen=True, slots=True)
class RecordingFailed(Event):
    """Derived: there was, and it could not be kept."""
