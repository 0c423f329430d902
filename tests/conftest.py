"""Which switch the scenarios run against, and the last lines that say how many ran against which."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.freeswitch import find_freeswitch
from tests.harness.room import TABLE, Room
from tests.harness.stack import RealSwitch, SandboxSwitch, Stack, Switch
from tests.harness.web import Web

SWITCHES = ("sandbox", "freeswitch")
_ran: Counter[str] = Counter()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every test that uses a stack runs against the sandbox, and again against a real FreeSWITCH."""
    if "switch_name" in metafunc.fixturenames:
        metafunc.parametrize("switch_name", SWITCHES, indirect=True, scope="session")


@pytest.fixture(scope="session")
def switch_name(request: pytest.FixtureRequest) -> str:
    name = str(request.param)
    if name == "freeswitch" and find_freeswitch() is None:
        if os.environ.get("REQUIRE_FREESWITCH"):
            pytest.fail("no FreeSWITCH: set FREESWITCH_BIN or put freeswitch on PATH", pytrace=False)
        pytest.skip("no FreeSWITCH: set FREESWITCH_BIN or put freeswitch on PATH")
    return name


def make_switch(name: str, directory: Path, record: bool = False) -> Switch:
    directory.mkdir(parents=True, exist_ok=True)
    return SandboxSwitch(directory) if name == "sandbox" else RealSwitch(directory, record)


@pytest.fixture(scope="session")
def stack(switch_name: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One running service for all scenarios that do not break it."""
    directory = tmp_path_factory.mktemp(switch_name)
    running = Stack(make_switch(switch_name, directory / "switch"), directory)
    with running:
        yield running


@pytest.fixture
def own_stack(switch_name: str, tmp_path: Path) -> Iterator[Stack]:
    """A service of the test's own, to be broken."""
    running = Stack(make_switch(switch_name, tmp_path / "switch"), tmp_path, workers=2)
    with running:
        yield running


@pytest.fixture
def recorded_room(switch_name: str, tmp_path: Path) -> Iterator[Room]:
    """A conference in a service of the test's own, whose phones record whole calls."""
    running = Stack(make_switch(switch_name, tmp_path / "switch", record=True), tmp_path)
    try:
        running.start()
        yield Room(running)
    finally:
        running.stop()


@pytest.fixture
def web() -> Iterator[Web]:
    """A tenant's web server."""
    server = Web()
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def room(stack: Stack) -> Iterator[Room]:
    """A conference of the test's own, in the common service."""
    made = Room(stack)
    try:
        yield made
    finally:
        if made.conference_sid:
            made.end()


@pytest.hookimpl(trylast=True)
def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" and "scenarios/" in report.nodeid and report.passed:
        for name in SWITCHES:
            if f"[{name}" in report.nodeid:
                _ran[name] += 1


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    binary = find_freeswitch()
    for row in (row for row in TABLE if row.switch == "freeswitch"):
        terminalreporter.write_line(str(row))
    terminalreporter.write_line(f"scenarios passed against the sandbox: {_ran['sandbox']}")
    against = binary or "none found; set FREESWITCH_BIN"
    terminalreporter.write_line(f"scenarios passed against a real FreeSWITCH: {_ran['freeswitch']} ({against})")
