"""Record transcripts anew on a real FreeSWITCH: `python -m tests.transcripts.record [NAME…]`; git diff shows more."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.harness.freeswitch import FarEnd, FreeSwitch
from tests.harness.transcript import Conversation, Player

HERE = Path(__file__).parent


def main(names: list[str]) -> None:
    """Record those that are named, or all."""
    paths = [HERE / f"{name}.txt" for name in names] or sorted(HERE.glob("*.txt"))
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        with FarEnd(home / "farend") as phones, FreeSwitch(home / "node") as node:
            for path in paths:
                directory = home / path.stem
                directory.mkdir()
                player = Player(node.esl_port, node.password, phones.sip_host, directory)
                try:
                    played = player.play(Conversation.read(path.read_text()), record=True)
                finally:
                    player.close()
                path.write_text(played.text())
            phones.kill_9()
            node.kill_9()


if __name__ == "__main__":
    main(sys.argv[1:])
