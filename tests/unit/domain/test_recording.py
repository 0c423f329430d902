"""The life of a recording: what each event means in each status, what is told, and which part should run."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from orchestrator.domain.events import Event
from orchestrator.domain.recording import (
    SILENT,
    TOO_SHORT,
    Recording,
    RecordingSource,
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
    RecordingInterrupted,
    ResumeRequested,
    SourceEnded,
    StopRequested,
)
from orchestrator.domain.recording_transitions import (
    MOST_PARTS,
    RULES,
    apply,
)
from orchestrator.sids import mint_sid

T0 = datetime(2026, 11, 28, 20, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def begun() -> Recording:
    return Recording(
        recording_sid=mint_sid("RE"),
        account_sid=mint_sid("AC"),
        conference_sid=mint_sid("CF"),
        call_sid=None,
        node="fs1",
        channel_uuid="u",
        source=RecordingSource.CONFERENCE,
        created_at=T0,
        updated_at=T0,
    )


def after(recording: Recording, *events: Event) -> tuple[Recording, list[str]]:
    told = []
    for event in events:
        recording, some = apply(recording, event)
        told += [type(one).__name__.removeprefix("Recording") for one in some]
    return recording, told


def running(recording: Recording) -> int | None:
    part = recording.running_part
    return part.number if part else None


def test_from_start_to_end() -> None:
    """Begun, stopped by a client, closed, processed: each told once."""
    recording, told = after(begun(), PartStarted(at(0), 1), StopRequested(at(5)))
    assert (recording.status, running(recording)) == ("stopped", None)

    recording, more = after(recording, PartEnded(at(5), 1), Processed(at(6), 5000, ((".wav", 80_044),)))

    assert told + more == ["Started", "Stopped", "Completed"]
    assert (recording.status, recording.duration_ms, recording.started_at) == ("completed", 5000, at(0))


def test_a_source_that_ends_ends_it() -> None:
    """The file is closed by the switch itself, with the leg: nothing more is waited for."""
    of_call = replace(begun(), call_sid=mint_sid("CA"))
    recording, told = after(of_call, PartStarted(at(0), 1), PartEnded(at(5), 1, source_ended=True))

    assert (recording.status, told) == ("processing", ["Started", "Stopped"])


def test_a_conference_goes_on_without_the_leg_that_listened() -> None:
    """Only its part has ended; whether somebody is still there a look finds out."""
    recording, told = after(begun(), PartStarted(at(0), 1), PartEnded(at(5), 1, source_ended=True))
    assert (recording.status, running(recording), told) == ("in-progress", None, ["Started"])

    recording, told = after(recording, RecordingInterrupted(at(6), 1))
    assert (running(recording), recording.parts[1].fills_gap, told) == (2, True, [])


def test_a_source_that_ended_while_nobody_looked() -> None:
    """No event of its file will come: a look says that it is closed."""
    recording, _ = after(begun(), PartStarted(at(0), 1), SourceEnded(at(9)))
    assert recording.status == "stopped"

    recording, _ = after(recording, SourceEnded(at(10), is_closed=True))
    assert recording.status == "processing"


@pytest.mark.parametrize("fills", [True, False])
def test_pause_and_resume(fills: bool) -> None:
    """A pause ends a part, a resume begins the next one, which knows what the gap is."""
    recording, told = after(begun(), PartStarted(at(0), 1), PauseRequested(at(2), fills))
    assert (recording.status, running(recording)) == ("paused", None)

    recording, more = after(recording, PartEnded(at(2), 1), ResumeRequested(at(4)), PartStarted(at(4), 2))

    assert (recording.status, running(recording), recording.parts[1].fills_gap) == ("in-progress", 2, fills)
    assert told + more == ["Started", "Paused", "Resumed"]


def test_a_resume_before_the_pause_has_come_through() -> None:
    """The late end of the first part ends no other."""
    recording, _ = after(
        begun(), PartStarted(at(0), 1), PauseRequested(at(2), True), ResumeRequested(at(2)), PartStarted(at(2), 2)
    )
    recording, _ = after(recording, PartEnded(at(2.1), 1))

    assert (recording.status, running(recording)) == ("in-progress", 2)


def test_stopped_while_paused() -> None:
    """There is no open file to wait for."""
    recording, told = after(
        begun(), PartStarted(at(0), 1), PauseRequested(at(2), True), PartEnded(at(2), 1), StopRequested(at(3))
    )

    assert (recording.status, told) == ("processing", ["Started", "Paused", "Stopped"])


def test_what_breaks_off_goes_on_as_another_part() -> None:
    """Its gap is silence, so that what is said later is heard at its time; nobody is told, nothing has ended."""
    recording, told = after(begun(), PartStarted(at(0), 1), RecordingInterrupted(at(5), 1))

    assert (running(recording), recording.parts[1].fills_gap, told) == (2, True, ["Started"])
    assert after(recording, RecordingInterrupted(at(5), 1))[0] == recording, "seen twice, it has broken off once"


def test_what_is_there_has_begun() -> None:
    """Though its leg was gone before anybody had heard of the beginning: that is told before the end, once."""
    recording, told = after(begun(), RecordingInterrupted(at(1), 1), PartStarted(at(1), 1), SourceEnded(at(2)))
    assert (recording.status, told) == ("processing", [])

    recording, told = after(recording, Processed(at(3), 900, ((".wav", 14_444),)))
    assert (recording.status, told, recording.started_at) == ("completed", ["Started", "Completed"], T0)


def test_what_breaks_off_all_the_time_ends() -> None:
    """With what there is."""
    recording, told = after(begun(), PartStarted(at(0), 1))
    for number in range(1, MOST_PARTS + 1):
        recording, some = after(recording, RecordingInterrupted(at(number), number))
        told += some

    assert (recording.status, len(recording.parts), told) == ("processing", MOST_PARTS, ["Started", "Stopped"])


def test_a_recording_that_cannot_begin_has_failed() -> None:
    """With the switch's own reason; a later part that is refused is tried again by the next look."""
    failed, told = after(begun(), PartRefused(at(0), 1, "-ERR Cannot record session!"))
    assert (failed.status, failed.reason, told) == ("failed", "-ERR Cannot record session!", ["Failed"])

    recording, _ = after(begun(), PartStarted(at(0), 1), RecordingInterrupted(at(5), 1))
    recording, told = after(recording, PartRefused(at(5), 2, "-ERR Cannot record session!"))
    assert (recording.status, running(recording), told) == ("in-progress", None, [])


def test_nothing_in_it() -> None:
    """Absent, with Twilio's code."""
    recording, told = after(
        begun(), PartStarted(at(0), 1), SourceEnded(at(9), True), Processed(at(9), error_code=SILENT)
    )

    assert (recording.status, recording.error_code, told[-1]) == ("absent", 16102, "Absent")


def test_an_empty_file_of_a_long_recording_is_no_short_one() -> None:
    """A disk was full, or somebody has removed it: that has failed, and must not pass for a call of a moment."""
    recording, _ = after(begun(), PartStarted(at(0), 1), SourceEnded(at(9), True))
    failed, told = after(recording, Processed(at(10), error_code=TOO_SHORT))
    assert (failed.status, failed.error_code, told) == ("failed", 20500, ["Failed"])

    recording, _ = after(begun(), PartStarted(at(0), 1), SourceEnded(at(1), True))
    absent, told = after(recording, Processed(at(2), error_code=TOO_SHORT))
    assert (absent.status, absent.error_code, told) == ("absent", 16101, ["Absent"])


def test_processing_is_tried_again() -> None:
    """Until it is given up, which is told with the reason."""
    recording, _ = after(
        begun(), PartStarted(at(0), 1), SourceEnded(at(9), True), ProcessingFailed(at(10), "disk full")
    )
    assert (recording.status, recording.attempts) == ("processing", 1)

    recording, told = after(recording, ProcessingFailed(at(20), "disk full", is_final=True))
    assert (recording.status, recording.reason, told) == ("failed", "disk full", ["Failed"])


def test_one_that_never_began_is_told_of_only_at_its_end() -> None:
    """Nothing has been stopped that had not been started."""
    recording, told = after(begun(), SourceEnded(at(1), True))

    assert (recording.status, told) == ("processing", [])


@pytest.mark.parametrize("status", list(RecordingStatus))
@pytest.mark.parametrize("event", list(RULES), ids=lambda event: event.__name__)
def test_late_news_changes_nothing(event: type[Event], status: RecordingStatus) -> None:
    """What is not expected in a status leaves the very same recording."""
    statuses, _ = RULES[event]
    if status in statuses:
        return
    recording, _ = after(begun(), PartStarted(at(0), 1))
    recording = type(recording)(**{name: getattr(recording, name) for name in recording.__slots__} | {"status": status})
    some = {
        PartStarted: PartStarted(at(9), 1),
        PartEnded: PartEnded(at(9), 1),
        PartRefused: PartRefused(at(9), 1, ""),
        RecordingInterrupted: RecordingInterrupted(at(9), 1),
        SourceEnded: SourceEnded(at(9)),
        PauseRequested: PauseRequested(at(9), True),
        ResumeRequested: ResumeRequested(at(9)),
        StopRequested: StopRequested(at(9)),
        DeleteRequested: DeleteRequested(at(9)),
        Processed: Processed(at(9)),
        ProcessingFailed: ProcessingFailed(at(9), ""),
    }

    assert apply(recording, some[event]) == (recording, ())
