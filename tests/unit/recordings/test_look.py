"""A look does what nobody else has done: what should be recorded is, what is over ends, what is kept has no parts."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import gevent
import pytest
import redis

from orchestrator.domain.conference import ConferenceStatus, RecordingSettings
from orchestrator.domain.recording import Recording, RecordingSource
from orchestrator.domain.recording_events import PartEnded, PartStarted, PauseRequested, StopRequested
from orchestrator.freeswitch.recordings import JoinRecorder, StartPart
from orchestrator.recordings import look as look_module
from orchestrator.recordings.beginning import of_call, of_conference
from orchestrator.recordings.look import MOST_ATTEMPTS, Looks, NotProcessed
from orchestrator.recordings.process import Job, JobResult
from orchestrator.recordings.storage import Directory
from orchestrator.store.recordings import lane_of
from tests.unit.examples import a_conference, a_participant
from tests.unit.recorder import make_recorder
from tests.unit.recordings.switch import FakeSwitch

SETTINGS = RecordingSettings()


class Scene:
    """A conference with one person in it, a switch, and looks at one recording."""

    def __init__(self, client: redis.Redis, directory: Path) -> None:
        self.switch = FakeSwitch()
        self.person = a_participant(answered_at=datetime.now(UTC))
        self.conference = a_conference(conference_sid=self.person.conference_sid)
        self.switch.up.add(self.person.switch.channel_uuid)
        self.recorder = make_recorder(client, directory=str(directory))
        self.recorder.make_directory()
        self.jobs: list[list[Any]] = []
        self.result: JobResult | NotProcessed | None = JobResult(1000, ((".wav", 100),))
        nodes: Any = SimpleNamespace(get=lambda _: self.switch)
        commits: Any = SimpleNamespace(load=self._load, list_live=lambda _: [self.person])
        self.looks = Looks(
            self.recorder, commits, nodes, Directory(directory / "kept"), self._process, self._make_job, 0
        )
        self.recording: Recording = cast(Recording, None)

    def record(self, of: str) -> None:
        """Begin to record, as a client asks for it."""
        if of == "call":
            self.recording = of_call(self.person, SETTINGS, RecordingSource.CALL)
        else:
            self.recording = of_conference(self.conference, SETTINGS, RecordingSource.CONFERENCE_API)
        self.recorder.begin(self.recording, self.switch.send)

    def look(self) -> float | None:
        seconds = self.looks.look(lane_of(self.recording))
        known = self.recorder.store.load(self.recording.conference_sid, self.recording.recording_sid)
        assert known is not None
        self.recording = known.recording
        return seconds

    def apply(self, *events: Any) -> None:
        for event in events:
            self.recording = cast(Recording, self.recorder.apply(lane_of(self.recording), event, self.switch.send))

    def path(self, number: int) -> Path:
        return Path(self.recorder.path_of(self.recording, self.recording.parts[number - 1]))

    def end(self) -> None:
        """As our state knows it."""
        self.conference = replace(self.conference, status=ConferenceStatus.COMPLETED)
        self.person = replace(self.person, ended_at=now())

    def _load(self, *_: object) -> Any:
        row = SimpleNamespace(conference=self.conference)
        return {self.conference.conference_sid: row}, {self.person.call_sid: self.person}

    def _make_job(self, recording: Recording, pieces: list[Any]) -> Job:
        self.jobs.append(pieces)
        return cast(Job, None)

    def _process(self, _: Job) -> JobResult | None:
        if isinstance(self.result, NotProcessed):
            raise self.result
        return self.result


@pytest.fixture
def scene(client: redis.Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    monkeypatch.setattr(look_module, "GROWTH_SECONDS", 0.01)
    made = Scene(client, tmp_path)
    writer = gevent.spawn(made.switch.write)
    yield made
    writer.kill()


def now() -> datetime:
    return datetime.now(UTC)


BOTH = pytest.mark.parametrize("of", ["call", "conference"])


@BOTH
def test_what_is_recorded_goes_on(scene: Scene, of: str) -> None:
    """A start that nobody told of is found out by the file itself; nothing else is done."""
    scene.record(of)
    scene.look()
    scene.look()

    assert (scene.recording.status, len(scene.recording.parts), len(scene.switch.of(StartPart))) == (
        "in-progress",
        1,
        1,
    )
    assert scene.recording.started_at is not None


@BOTH
@pytest.mark.parametrize("how", ["the file does not grow", "the file is gone", "somebody has stopped it"])
def test_what_does_not_grow_goes_on_in_another_part(scene: Scene, of: str, how: str) -> None:
    """The first one is closed, and the gap is silence."""
    scene.record(of)
    scene.look()
    path = scene.path(1)
    if how == "somebody has stopped it":
        del scene.switch.files[str(path)]
        scene.apply(PartEnded(now(), 1))
    elif how == "the file is gone":
        path.unlink()
    else:
        scene.switch.stuck.add(str(path))
    scene.look()
    scene.look()

    assert (scene.recording.status, [part.fills_gap for part in scene.recording.parts]) == (
        "in-progress",
        [False, True],
    )
    assert list(scene.switch.files) == [str(scene.path(2))]


def test_a_full_disk_ends_nothing(scene: Scene) -> None:
    """The switch refuses further files until there is room; then it goes on."""
    scene.record("call")
    scene.look()
    scene.switch.is_full = True
    for _ in range(3):
        scene.look()
    assert (scene.recording.status, scene.switch.files) == ("in-progress", {})

    scene.switch.is_full = False
    scene.look()

    assert (scene.recording.status, list(scene.switch.files)) == (
        "in-progress",
        [str(scene.path(len(scene.recording.parts)))],
    )


def test_a_lost_recorder_is_put_back_while_somebody_is_there(scene: Scene) -> None:
    """In the conference, or on the way to it."""
    scene.record("conference")
    scene.look()
    scene.switch.up.discard(scene.recording.channel_uuid)
    scene.switch.files.clear()
    scene.look()

    assert (len(scene.recording.parts), scene.recording.channel_uuid in scene.switch.up) == (2, True)


def test_a_recorder_is_not_put_into_an_empty_conference(scene: Scene) -> None:
    """Nobody has told us yet that it is over, and the recording must not be longer than it was."""
    scene.record("conference")
    scene.look()
    scene.switch.up.clear()
    scene.switch.files.clear()
    scene.look()

    assert (scene.recording.status, len(scene.recording.parts), len(scene.switch.of(JoinRecorder))) == (
        "in-progress",
        1,
        1,
    )


@BOTH
def test_what_is_over_ends(scene: Scene, of: str) -> None:
    """Although no event of it has come; the leg that listened goes, too."""
    scene.record(of)
    scene.look()
    scene.switch.up.discard(scene.person.switch.channel_uuid)
    scene.end()
    for _ in range(3):
        scene.look()

    assert (scene.recording.status, scene.switch.up, len(scene.jobs)) == ("completed", set(), 1)


def test_what_is_over_does_not_wait_for_a_node_that_is_away(scene: Scene) -> None:
    """What it has written is there; while it may still write, it is waited for."""
    scene.record("call")
    scene.look()
    scene.switch.is_away = True
    scene.look()
    assert scene.recording.status == "in-progress"
    scene.end()
    scene.look()
    assert scene.recording.status == "in-progress", "the file grows"

    scene.switch.files.clear()
    scene.look()
    scene.look()
    assert scene.recording.status == "completed"


def test_a_leg_that_goes_while_it_is_looked_at_is_no_accident(scene: Scene) -> None:
    """It is up when the look asks, and gone when it is to be ended: by whoever stopped the recording, or by the end."""
    for is_over in (False, True):
        scene.record("conference")
        scene.look()
        scene.switch.is_away = True
        scene.apply(StopRequested(now()))
        scene.switch.is_away = False
        scene.switch.going = {scene.recording.channel_uuid}
        if is_over:
            scene.end()
        for _ in range(3):
            scene.look()

        assert scene.recording.status == "completed"


def test_a_stop_that_the_switch_never_heard_is_repeated(scene: Scene) -> None:
    """And its file is closed before it is processed."""
    scene.record("call")
    scene.look()
    scene.switch.is_away = True
    scene.apply(StopRequested(now()))
    scene.switch.is_away = False
    assert scene.switch.files

    scene.look()
    assert (scene.recording.status, scene.switch.files, scene.jobs) == ("processing", {}, [])
    scene.look()
    assert scene.recording.status == "completed"


def test_a_pause_that_the_switch_never_heard_is_repeated(scene: Scene) -> None:
    """What is said in it must not be recorded any longer."""
    scene.record("call")
    scene.look()
    scene.switch.is_away = True
    scene.apply(PauseRequested(now(), fills_gap=True))
    scene.switch.is_away = False

    scene.look()
    assert (scene.recording.status, scene.switch.files) == ("paused", {})


def stopped(scene: Scene) -> None:
    scene.record("call")
    scene.apply(PartStarted(now(), 1), StopRequested(now()), PartEnded(now(), 1))
    assert scene.recording.status == "processing"


def test_what_cannot_be_kept_is_tried_again_and_its_parts_stay(scene: Scene) -> None:
    """With growing pauses, for long enough that somebody can make room; then it has failed, with the last reason."""
    stopped(scene)
    scene.result = NotProcessed("[Errno 28] No space left on device")
    pauses = [scene.look() for _ in range(MOST_ATTEMPTS)]

    assert pauses[:3] == [2, 4, 8]
    assert sum(pause or 0 for pause in pauses) > 3600
    assert (scene.recording.status, scene.recording.error_code) == ("failed", 20500)
    assert "No space left" in scene.recording.reason
    assert scene.path(1).exists()


def test_what_is_kept_leaves_no_parts(scene: Scene) -> None:
    """They would fill the disk of the switches."""
    stopped(scene)
    assert scene.path(1).exists()
    scene.look()

    assert (scene.recording.status, scene.path(1).exists()) == ("completed", False)


def test_who_finds_everybody_busy_comes_back_soon(scene: Scene) -> None:
    """Nothing has failed."""
    stopped(scene)
    scene.result = None

    assert scene.look() == look_module.SOON_SECONDS
    assert (scene.recording.status, scene.recording.attempts) == ("processing", 0)


def test_what_is_older_than_the_operator_keeps_it_is_deleted(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not before; with its files."""
    stopped(scene)
    scene.looks = replace(scene.looks, keep_days=2)
    assert scene.look() == pytest.approx(2 * 86_400, abs=10)
    kept = tmp_path / "kept" / scene.recording.account_sid / f"{scene.recording.recording_sid}.wav"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(bytes(100))
    in_two_days = time.time() + 2 * 86_400
    monkeypatch.setattr("orchestrator.recordings.look.time.time", lambda: in_two_days)

    assert scene.look() is None
    assert (scene.recording.status, kept.exists()) == ("deleted", False)
