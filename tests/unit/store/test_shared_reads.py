"""What several want at the same moment is read once."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from orchestrator.store.shared_reads import SharedReads
from tests.harness.polling import eventually

ASKING = 5


class Source:
    """Answers with how often it was read, when it is told to; the first one who asks may get an error instead."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.reads = 0
        self.told = threading.Event()
        self._error = error

    def __call__(self) -> int:
        self.reads += 1
        mine, error, self._error = self.reads, self._error, None
        self.told.wait(10)
        if error is not None:
            raise error
        return mine


class Counted(Future[int]):
    waiting = 0

    def result(self, timeout: float | None = None) -> int:
        Counted.waiting += 1
        return super().result(timeout)


def ask_together(shared: SharedReads[int], source: Source, monkeypatch: pytest.MonkeyPatch) -> list[Future[int]]:
    Counted.waiting = 0
    monkeypatch.setattr("orchestrator.store.shared_reads.Future", Counted)
    with ThreadPoolExecutor(ASKING) as executor:
        futures = [executor.submit(shared.read, "name", source)]
        eventually(lambda: source.reads == 1, "it is being read")
        futures += [executor.submit(shared.read, "name", source) for _ in range(ASKING - 1)]
        eventually(lambda: Counted.waiting == ASKING - 1, "the others wait")
        source.told.set()
    return futures


def test_it_is_read_once_for_all_who_ask_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """And again for who asks later, or something else."""
    shared: SharedReads[int] = SharedReads()
    source = Source()

    assert [future.result() for future in ask_together(shared, source, monkeypatch)] == [1] * ASKING
    assert (shared.read("name", source), shared.read("other", source)) == (2, 3)


def test_an_error_is_everybody_s(monkeypatch: pytest.MonkeyPatch) -> None:
    source = Source(OSError("away"))
    for future in ask_together(SharedReads(), source, monkeypatch):
        with pytest.raises(OSError, match="away"):
            future.result()
    assert source.reads == 1


class Killed(BaseException):
    pass


def test_if_the_one_who_reads_is_killed_another_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    first, *others = ask_together(SharedReads(), Source(Killed()), monkeypatch)

    with pytest.raises(Killed):
        first.result()
    assert all(future.result() >= 2 for future in others)


def test_who_asks_after_a_change_is_not_told_what_was_read_before() -> None:
    shared: SharedReads[int] = SharedReads()
    before, after = Source(), Source()
    after.reads = 10
    after.told.set()
    with ThreadPoolExecutor(1) as executor:
        early = executor.submit(shared.read, "name", before)
        eventually(lambda: before.reads == 1, "it is being read")
        shared.forget("name")
        assert shared.read("name", after) == 11
        before.told.set()
    assert early.result() == 1
