"""`orchestrator up`, as somebody tries it who has just cloned the repository: what it prints is typed, and works."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.harness.polling import eventually
from tests.harness.stack import free_port


@dataclass
class Up:
    """A running `orchestrator up` in a folder of its own."""

    folder: Path
    port: int

    def start(self) -> None:
        self.output = (self.folder / "output").open("ab")
        environment = self.environment | {"ORCHESTRATOR_BIND": f"127.0.0.1:{self.port}"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "orchestrator", "up"], cwd=self.folder, env=environment, stdout=self.output
        )
        eventually(lambda: self.said().count("Ctrl-C stops everything"), "it is up", 60)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGINT)
        self.process.wait(30)
        self.output.close()
        (self.folder / "output").unlink()

    @property
    def environment(self) -> dict[str, str]:
        """A shell's in which nothing is set."""
        ours = ("REDIS_", "QUEUE_", "FREESWITCH_", "ORCHESTRATOR_", "OUTBOUND_", "CLIENT_", "ALLOWED_")
        return {name: value for name, value in os.environ.items() if not name.startswith(ours)}

    def said(self) -> str:
        return (self.folder / "output").read_text()

    def type(self, command: str) -> str:
        """Type a command into another terminal, in the same folder; returns what it printed."""
        done = subprocess.run(
            ["/bin/sh", "-c", command], cwd=self.folder, env=self.environment,
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def printed(self, first: str, last: str) -> str:
        """The command between two lines of what was printed."""
        found = re.search(f"^({first}.*?{last})$", self.said(), re.DOTALL | re.MULTILINE)
        assert found is not None, self.said()
        return found[1]


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    running = Up(tmp_path, free_port())
    running.start()
    yield running
    running.stop()


def test_what_it_prints_tells_the_story_of_two_people(up: Up) -> None:
    """The curl line and the Python snippet, pasted one after the other: alice, bob, start, end. The mute, asked for
    while bob is being called, is told by itself if he has answered by then, else by his join."""
    assert '"label": "alice"' in up.type(up.printed("curl", "hold'")).replace('":"', '": "')
    eventually(lambda: "participant-join" in up.said(), "alice has joined")
    assert "conference-ended-via-api" in up.type(up.printed("[^ ]*python[^ ]* - <<'END'", "END"))
    eventually(lambda: "conference-end" in up.said(), "the end is told")
    shown = re.findall(r"^callback '([a-z -]+)'.* signature ok$", up.said(), re.MULTILINE)
    kinds = [kind for kind in shown if not kind.startswith("call ") and kind != "participant-mute"]

    assert kinds[0] == "participant-join"
    assert set(kinds[1:3]) == {"participant-join", "conference-start"}
    assert kinds[3:] == ["participant-leave", "participant-leave", "conference-end"]
    assert "SIGNATURE WRONG" not in up.said()


def test_operators_commands_typed_beside_it_find_its_redis_and_its_switch(up: Up) -> None:
    """Without any setting; and nothing of it is left when it has stopped."""
    orchestrator = f"{sys.executable} -m orchestrator"
    sid = up.printed("AccountSid", "").split()[-1]

    assert sid in up.type(f"{orchestrator} account list")
    up.type(f"{orchestrator} check")
    assert up.folder.joinpath("var/running.json").stat().st_mode & 0o077 == 0
    up.stop()
    assert not up.folder.joinpath("var/running.json").exists()
    up.start()


def test_the_next_run_goes_on_where_this_one_stopped(up: Up) -> None:
    """The account is the same, and so is the receiver's port, to which the last callbacks of yesterday go."""
    before = [up.printed(word, "") for word in ("AccountSid", "callbacks")]
    up.stop()
    up.start()

    assert [up.printed(word, "") for word in ("AccountSid", "callbacks")] == before
