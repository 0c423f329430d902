"""A recorder writes what has happened with what is told of it, and has the switch do what follows, once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import redis
from structlog.testing import capture_logs

from orchestrator import logs
from orchestrator.callbacks.entry import Entry
from orchestrator.domain.conference import CallbackSettings
from orchestrator.domain.recording import Recording
from orchestrator.domain.recording_events import (
    DeleteRequested,
    PartEnded,
    PartStarted,
    PauseRequested,
    Processed,
    RecordingInterrupted,
    ResumeRequested,
    SourceEnded,
    StopRequested,
)
from orchestrator.freeswitch.commands import KillChannel, SwitchCommand
from orchestrator.freeswitch.recordings import JoinRecorder, StartPart, StopWriting
from orchestrator.recordings.recorder import Recorder
from orchestrator.sids import mint_sid
from orchestrator.store import keys
from orchestrator.store.recordings import lane_of
from tests.unit.domain.test_recording import begun
from tests.unit.outbox import waiting
from tests.unit.recorder import make_recorder
from tests.unit.recordings.switch import FakeSwitch

EVERYTHING = CallbackSettings(
    "https://app.example/rec", "POST", ("in-progress", "paused", "resumed", "stopped", "completed", "failed", "absent")
)


class Scene:
    """A recording of a conference, and the switch on which it is."""

    def __init__(self, client: redis.Redis, directory: Path) -> None:
        self.client = client
        self.switch = FakeSwitch()
        self.callbacks: list[object] = []
        self.looks: list[object] = []
        self.recorder: Recorder = make_recorder(client, self.callbacks, self.looks, str(directory))
        self.recorder.make_directory()
        self.recording: Recording = replace(begun(), channel_uuid="leg", callbacks=EVERYTHING)

    def begin(self) -> None:
        self.recorder.begin(self.recording, self.switch.send)
        self.load()

    def apply(self, *events: Any) -> None:
        for event in events:
            self.recorder.apply(lane_of(self.recording), event, self.switch.send)
        self.load()

    def load(self) -> None:
        known = self.recorder.store.load(self.recording.conference_sid, self.recording.recording_sid)
        assert known is not None
        self.recording = known.recording

    def path(self, number: int) -> str:
        return self.recorder.path_of(self.recording, self.recording.parts[number - 1])

    @property
    def told(self) -> int:
        return len(waiting(self.client, lane_of(self.recording)))


@pytest.fixture
def scene(client: redis.Redis, tmp_path: Path) -> Scene:
    return Scene(client, tmp_path)


def now() -> datetime:
    return datetime.now(UTC)


def test_a_conference_is_listened_to_by_one_leg_of_ours(scene: Scene) -> None:
    """Which joins first; a second begin of the same recording does nothing."""
    scene.begin()
    scene.begin()

    assert scene.switch.of(JoinRecorder) == [JoinRecorder("leg", scene.recording.conference_sid)]
    assert scene.switch.of(StartPart) == [StartPart("leg", scene.path(1), stereo=False)]
    assert scene.looks == [lane_of(scene.recording)]


def test_a_leg_that_comes_when_its_recording_is_over_is_ended(scene: Scene) -> None:
    """The last person leaves while the leg is on the way: whoever ends the recording finds no leg to end yet."""
    was_told: list[SwitchCommand] = []

    def send(command: SwitchCommand) -> str:
        if isinstance(command, JoinRecorder):
            scene.apply(SourceEnded(now()))
        was_told.append(command)
        return scene.switch.send(command)

    scene.recorder.begin(scene.recording, send)

    assert was_told[-1] == KillChannel("leg")
    assert scene.switch.up == set()


def test_a_call_is_recorded_itself(scene: Scene) -> None:
    """Both its sides; no leg joins."""
    scene.recording = replace(scene.recording, call_sid="CA" + "1" * 32)
    scene.switch.up.add("leg")
    scene.begin()

    assert scene.switch.of(JoinRecorder) == []
    assert scene.switch.of(StartPart) == [StartPart("leg", scene.path(1), stereo=True)]


def test_what_the_switch_refuses_has_failed_and_is_told(scene: Scene, tmp_path: Path) -> None:
    """With its own words as the reason."""
    (tmp_path / "parts").rmdir()
    (tmp_path / "parts").write_text("no directory")
    scene.begin()

    assert (scene.recording.status, scene.recording.reason) == ("failed", "-ERR Cannot record session!")
    assert (scene.told, scene.callbacks) == (1, [lane_of(scene.recording)])
    assert scene.switch.up == set()


def test_a_call_that_has_gone_meanwhile_has_nothing_to_record(scene: Scene) -> None:
    """That is no failure: a worker finds that there is nothing."""
    scene.recording = replace(scene.recording, call_sid="CA" + "1" * 32)
    scene.begin()

    assert (scene.recording.status, scene.told) == ("processing", 0)


def test_an_account_that_keeps_too_much_records_nothing_more(scene: Scene, client: redis.Redis) -> None:
    """It is told so, and the switch is not asked."""
    limit = scene.recorder.accounts.load_limits(scene.recording.account_sid).kept_recording_megabytes
    client.hset(f"account:{{{scene.recording.account_sid}}}:recordings:bytes", "all", limit * 1_000_000)
    scene.begin()

    assert (scene.recording.status, "quota" in scene.recording.reason) == ("failed", True)
    assert scene.switch.of(StartPart) == []


def test_a_pause_closes_the_file_and_a_resume_opens_the_next(scene: Scene) -> None:
    """The leg stays; each step is told."""
    scene.begin()
    first = scene.path(1)
    scene.apply(PartStarted(now(), 1), PauseRequested(now(), fills_gap=True))
    assert (scene.switch.of(StopWriting), scene.switch.files) == ([StopWriting("leg", first)], {})

    scene.apply(PartEnded(now(), 1), ResumeRequested(now()))
    assert (list(scene.switch.files), scene.switch.of(KillChannel)) == ([scene.path(2)], [])
    assert scene.told == 3


def test_a_stop_ends_the_leg_that_listened(scene: Scene) -> None:
    """It would keep its conference alive; what remains to be done a worker is told at once."""
    scene.begin()
    scene.apply(PartStarted(now(), 1))
    scene.looks.clear()
    scene.apply(StopRequested(now()))

    assert (scene.switch.up, scene.switch.of(KillChannel)) == (set(), [KillChannel("leg")])
    assert scene.looks == [lane_of(scene.recording)]


def test_late_and_doubled_news_is_neither_written_nor_told(scene: Scene) -> None:
    """Two processes may learn the same."""
    scene.begin()
    scene.apply(PartStarted(now(), 1), PartStarted(now(), 1), StopRequested(now()), StopRequested(now()))
    commands = len(scene.switch.told)
    scene.apply(PauseRequested(now(), fills_gap=False), RecordingInterrupted(now(), 1))

    assert (scene.recording.status, scene.told, len(scene.switch.told)) == ("stopped", 2, commands)


def test_a_switch_that_is_away_loses_nothing_that_was_decided(scene: Scene) -> None:
    """It is written; a look repeats what the switch has not heard."""
    scene.begin()
    scene.switch.is_away = True
    scene.apply(PartStarted(now(), 1), StopRequested(now()))

    assert (scene.recording.status, scene.told) == ("stopped", 2)


def test_a_conference_that_is_over_ends_all_its_recordings(scene: Scene, client: redis.Redis) -> None:
    """And none that has ended already."""
    scene.begin()
    other = Scene(client, Path(scene.recorder.directory))
    other.recording = replace(other.recording, conference_sid=scene.recording.conference_sid)
    other.begin()
    other.apply(PartStarted(now(), 1), StopRequested(now()))
    told = other.told
    scene.recorder.end_conference(scene.recording.conference_sid, scene.switch.send)
    scene.load()
    other.load()

    assert (scene.recording.status, other.recording.status, other.told) == ("processing", "stopped", told)


def test_all_that_comes_of_a_recording_names_who_asked_for_it(scene: Scene) -> None:
    """Whoever learns of it, and whatever that process is at: the start, then the stop; a pause and a resume theirs."""
    started, paused, resumed, stopped, deleted = (mint_sid("RQ") for _ in range(5))
    scene.recording = replace(scene.recording, request_id=started)
    woken = list[str]()
    scene.recorder = replace(scene.recorder, wake_looks=lambda _: woken.append(logs.request_id()))
    with capture_logs(processors=[logs.add_names]) as lines, logs.bound(request_id=mint_sid("RQ")):
        scene.begin()
        scene.apply(PartStarted(now(), 1), PauseRequested(now(), fills_gap=True, request_id=paused))
        scene.apply(PartEnded(now(), 1), ResumeRequested(now(), request_id=resumed))
        scene.apply(PartStarted(now(), 2), StopRequested(now(), request_id=stopped))
        scene.apply(PartEnded(now(), 2), Processed(now(), 1000, ((".wav", 100),)))
        scene.apply(DeleteRequested(now(), request_id=deleted))

    assert told_by(scene) == [started, paused, resumed, stopped, stopped]
    assert [(line.get("status"), line.get("request_id")) for line in lines] == [
        (None, started), ("paused", paused), ("in-progress", resumed), ("stopped", stopped), ("processing", stopped),
        ("completed", stopped), ("deleted", deleted),
    ]  # fmt: skip
    assert {line["recording_sid"] for line in lines} == {scene.recording.recording_sid}
    assert woken == [started, paused, resumed, stopped, stopped, stopped, deleted]


def test_what_ends_by_itself_is_due_to_whoever_asked_for_it(scene: Scene) -> None:
    """A call that ends, after a pause and a resume; its age, by which it is deleted, is nobody's request."""
    started = mint_sid("RQ")
    scene.recording = replace(scene.recording, request_id=started)
    scene.begin()
    scene.apply(PartStarted(now(), 1), PauseRequested(now(), fills_gap=False, request_id=mint_sid("RQ")))
    scene.apply(PartEnded(now(), 1), ResumeRequested(now(), request_id=mint_sid("RQ")), PartStarted(now(), 2))
    scene.apply(SourceEnded(now(), is_closed=True), Processed(now(), 1000, ((".wav", 100),)))
    assert told_by(scene)[3:] == [started, started]

    scene.apply(DeleteRequested(now()))
    assert scene.recording.request_id == ""


def told_by(scene: Scene) -> list[str]:
    """The request that each callback names, in order."""
    sid, tokens = scene.recording.conference_sid, waiting(scene.client, lane_of(scene.recording))
    texts: list[Any] = [scene.client.hget(keys.callback(sid, token), "entry") for token in tokens]
    return [Entry.load(text).request_id for text in texts]
