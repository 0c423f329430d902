"""The sandbox does what the real switch did, word for word: tests/transcripts, played once more."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import unified_diff
from pathlib import Path

import pytest

from tests.harness.stack import SandboxSwitch
from tests.harness.transcript import Conversation, Player

TRANSCRIPTS = sorted((Path(__file__).parents[2] / "transcripts").glob("*.txt"))


@pytest.fixture(scope="module")
def switch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxSwitch]:
    """One sandbox for all conversations."""
    started = SandboxSwitch(tmp_path_factory.mktemp("sandbox"))
    started.start()
    yield started
    started.kill_9()


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
def test_the_sandbox_says_what_the_switch_said(path: Path, switch: SandboxSwitch, tmp_path: Path) -> None:
    """Replies, events, their order for each subject, and their headers are those that were recorded."""
    recorded = Conversation.read(path.read_text())
    player = Player(switch.esl_port, switch.password, "phones.example", tmp_path)
    try:
        played = player.play(recorded, record=False)
    finally:
        player.close()
    switch_said, sandbox_said = (one.text().splitlines() for one in (recorded, played))
    difference = unified_diff(switch_said, sandbox_said, "switch", "sandbox", n=8, lineterm="")
    assert played.text() == recorded.text(), "\n".join(difference)
