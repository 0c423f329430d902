"""Children that process recordings: kept while there is something to do, replaced when they die, and few."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import gevent
import pytest

from orchestrator.recordings import process, worker
from orchestrator.recordings.look import NotProcessed
from orchestrator.recordings.process import Job
from orchestrator.recordings.storage import SCRATCH
from orchestrator.recordings.worker import Processor
from tests.unit.recordings.audio import tone, write


@pytest.fixture
def job(tmp_path: Path) -> Job:
    part = write(tmp_path / "1.wav", tone(1, 1000))
    return Job("AC1/RE1", ((str(part), 0, False),), 1, "", False, str(tmp_path))


@pytest.fixture
def processor(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(worker, "CHILDREN_AT_ONCE", 1)
    made = Processor()
    yield made
    for child in made._idle:
        child.end()


def child_of(processor: Processor) -> Any:
    (child,) = processor._idle
    return child


def test_one_child_does_one_job_after_the_other(processor: Processor, job: Job, tmp_path: Path) -> None:
    """Its start takes ten times as long as a short recording."""
    first = processor.process(job)
    child = child_of(processor)
    second = processor.process(job)

    assert first == second
    assert first is not None
    assert (first.duration_ms, dict(first.sizes)[".wav"]) == (1000, 16_044)
    assert (child_of(processor) is child, child.jobs) == (True, 2)
    assert not list((tmp_path / "kept" / SCRATCH).iterdir())


def test_a_child_that_dies_is_replaced(processor: Processor, job: Job) -> None:
    """Between two jobs nobody notices; in one, it is to be tried again."""
    processor.process(job)
    child = child_of(processor)
    os.kill(child._process.pid, 9)
    child._process.wait()
    assert processor.process(job) is not None

    dying = child_of(processor)
    os.kill(dying._process.pid, 19)  # stopped: it will never answer
    gevent.spawn_later(0.1, os.kill, dying._process.pid, 9)
    with pytest.raises(NotProcessed, match="died"):
        processor.process(job)
    assert processor.process(job) is not None
    assert child_of(processor) is not dying


def test_a_job_that_takes_too_long_is_ended(processor: Processor, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its child: nothing may hold up the others for ever."""
    processor.process(job)
    child = child_of(processor)
    monkeypatch.setattr(worker, "JOB_SECONDS", 0.2)
    os.kill(child._process.pid, 19)

    with pytest.raises(NotProcessed, match=r"0 s"):
        processor.process(job)
    assert child._process.poll() == -9


def test_what_cannot_be_kept_is_said(processor: Processor, job: Job, tmp_path: Path) -> None:
    """With the system's own reason, and the next job is done."""
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "AC1").write_text("a file where the account's directory should be")
    with pytest.raises(NotProcessed, match="exists"):
        processor.process(job)

    (tmp_path / "kept" / "AC1").unlink()
    assert processor.process(job) is not None


def test_who_comes_when_too_many_wait_comes_back(
    processor: Processor, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looks at what is being recorded must not wait behind what is processed."""
    monkeypatch.setattr(worker, "WAITING_AT_MOST", 2)
    done = [gevent.spawn(processor.process, job) for _ in range(3)]
    gevent.joinall(done)

    assert [one.value is None for one in done] == [False, False, True]


def test_an_idle_child_goes(processor: Processor, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes memory that calls may need."""
    monkeypatch.setattr(worker, "IDLE_SECONDS", 0.05)
    processor.process(job)
    child = child_of(processor)
    gevent.sleep(0.3)

    assert (processor._idle, child._process.poll()) == ([], -9)


def test_what_killed_jobs_have_left_is_removed(job: Job, tmp_path: Path) -> None:
    """When nobody can work on it any more; what somebody may work on stays."""
    scratch = tmp_path / "kept" / SCRATCH
    for name, age in (("old", process.ABANDONED_SECONDS + 60), ("new", 60)):
        (scratch / name).mkdir(parents=True)
        (scratch / name / "samples").write_bytes(bytes(10))
        os.utime(scratch / name, (time.time() - age,) * 2)

    process.do(job)

    assert [left.name for left in scratch.iterdir()] == ["new"]


def test_a_result_is_what_is_kept(job: Job, tmp_path: Path) -> None:
    """Both files, of the size that is told, and nothing else."""
    result = process.do(job)

    kept = {path.name: path.stat().st_size for path in (tmp_path / "kept" / "AC1").iterdir()}
    assert kept == {f"RE1{end}": size for end, size in result.sizes}
