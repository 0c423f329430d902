"""`orchestrator check` finds out before a caller does that nothing would be recorded."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from orchestrator.recordings import check
from orchestrator.recordings.check import directory_here, directory_of
from tests.unit.recordings.switch import FakeSwitch


def test_a_directory_that_can_be_written(tmp_path: Path) -> None:
    """Here and on the node; nothing is left of the try, on neither side."""
    switch = FakeSwitch()
    (tmp_path / "parts").mkdir()

    assert directory_here(str(tmp_path))[0] is not False
    assert directory_of(str(tmp_path), "fs1", switch.send) == (
        True, "node fs1 writes into RECORDINGS_DIR, and it is seen here",
    )  # fmt: skip
    assert (switch.up, switch.files, list((tmp_path / "parts").iterdir())) == (set(), {}, [])


def test_a_directory_that_was_never_made(tmp_path: Path) -> None:
    """Whoever records nothing need not have it: it is no mistake, and no node is asked."""
    switch = FakeSwitch()

    assert directory_here(str(tmp_path / "none"))[0] is None
    assert directory_of(str(tmp_path / "none"), "fs1", switch.send)[0] is None
    assert switch.told == []


def test_a_node_that_cannot_write(tmp_path: Path) -> None:
    """Its own words; the leg that was to be recorded is gone."""
    (tmp_path / "parts").write_text("no directory")
    switch = FakeSwitch()

    assert directory_of(str(tmp_path), "fs1", switch.send) == (
        False, f"node fs1 cannot write into {tmp_path}: -ERR Cannot record session!",
    )  # fmt: skip
    assert switch.up == set()


def test_a_node_that_writes_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same path on another machine, not shared."""
    monkeypatch.setattr(check, "SEEN_SECONDS", 0.1)
    is_fine, text = directory_of(str(tmp_path), "fs1", lambda _: "+OK")

    assert (is_fine, "not seen here" in text) == (False, True)


@pytest.mark.parametrize(("free", "is_fine"), [(1 << 32, True), (1 << 28, None)])
def test_little_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, is_fine: bool | None) -> None:
    """To be looked at, before it is full."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))

    assert directory_here(str(tmp_path))[0] is is_fine
