"""Record transcripts anew on a real FreeSWITCH: `python -m tests.transcripts.record [NAME…]`; git diff shows more.

What the sandbox needs to know of its headers and commands is written, too: orchestrator/sandbox/recorded.json.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

from tests.harness.freeswitch import FarEnd, FreeSwitch
from tests.harness.transcript import Conversation, Player

HERE = Path(__file__).parent
RECORDED = HERE.parents[1] / "orchestrator" / "sandbox" / "recorded.json"
# Each stage of a call: in which transcript, and at which event, its variables are first seen.
STAGES = {
    "created": ("call_answers", "CHANNEL_CREATE"),
    "rings": ("call_answers", "CHANNEL_PROGRESS"),
    "early": ("call_early_media_answered", "CHANNEL_PROGRESS_MEDIA"),
    "media": ("call_answers", "CHANNEL_ANSWER"),
    "refused": ("call_busy", "CHANNEL_HANGUP"),
    "ended": ("call_busy", "CHANNEL_HANGUP_COMPLETE"),
    "media_ended": ("call_answers", "CHANNEL_HANGUP_COMPLETE"),
}
_NAMES = (
    (r"\$A", "$uuid"),
    (r"%2B1555000\d000", "$encoded"),
    (r"\+1555000(?:[23]000|7001)", "$number"),
    (r"\+15550009999|0000000000", "$caller"),
    (r"\$phones", "$host"),
    (r"FreeSWITCH <n> <n>", "FreeSWITCH 1700000000 1700000001"),
    (r"<n>", "1"),
    (r"<address>", "127.0.0.1"),
    (r"<time>", "$time"),
    (r"<uuid>", "$call_id"),
    (r"\\r\\n", "\r\n"),
)
_OF_THIS_CALL = ("variable_origination_", "variable_originate_timeout", "variable_progress_stamp", "variable_last_a")


def main(names: list[str]) -> None:
    """Record those that are named, or all."""
    paths = [HERE / f"{name}.txt" for name in names] or sorted(HERE.glob("*.txt"))
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        with FarEnd(home / "farend") as phones, FreeSwitch(home / "node") as node:
            for path in paths:
                record(path, node, phones, home)
            write_recorded(node.api)
            phones.kill_9()
            node.kill_9()


def record(path: Path, node: FreeSwitch, phones: FarEnd, home: Path) -> None:
    """Play one conversation, and write down what has come of it."""
    directory = home / path.stem
    directory.mkdir()
    player = Player(node.esl_port, node.password, phones.sip_host, directory)
    try:
        played = player.play(Conversation.read(path.read_text()), record=True)
    finally:
        player.close()
    path.write_text(played.text())


def write_recorded(api: Callable[[str], str]) -> None:
    """The stages of a call, and the names of all that the real one has."""
    stages = {stage: _variables(*where) for stage, where in STAGES.items()}
    for later, former in (("media_ended", "ended"), ("early", "rings")):
        stages[later] = {name: value for name, value in stages[later].items() if name not in stages[former]}
    usages = [line.split(" ", 3)[2:] for line in api("conference").splitlines() if line.startswith("<conf name>")]
    recorded = {
        "stages": stages,
        "api": _column(api("show api")),
        "applications": _column(api("show application")),
        "conference": {name: " ".join(usage) for name, *usage in usages},
        "endpoints": _column(api("show endpoint"), 1),
        "globals": sorted(line.partition("=")[0] for line in api("global_getvar").splitlines()),
        "xml": _places(api("xml_locate root")),
    }
    RECORDED.write_text(json.dumps(recorded, indent=1, sort_keys=True) + "\n")


def _variables(name: str, label: str) -> dict[str, str]:
    """The variables that the transcript shows under the first event with this label."""
    lines = (HERE / f"{name}.txt").read_text().splitlines()
    start = lines.index(f"  $A {label}") + 1
    found = {}
    for line in lines[start:]:
        if not line.startswith("      "):
            break
        header, _, value = line.strip().partition(": ")
        if header.startswith("variable_") and not header.startswith(_OF_THIS_CALL):
            for pattern, replacement in _NAMES:
                value = re.sub(pattern, replacement, value)
            found[header.removeprefix("variable_")] = value
    return found


def _column(listed: str, column: int = 0) -> list[str]:
    """The names in a column of a `show`."""
    names = {line.split(",")[column] for line in listed.splitlines()[1:] if "," in line}
    return sorted(names)


def _places(document: str) -> list[str]:
    """The sections of the configuration, and what is in them by name: as `xml_locate` takes them."""
    sections = list(ElementTree.fromstring(document))  # noqa: S314 -- our own configuration
    return [section.get("name", "") for section in sections] + [
        f"{section.get('name')} {child.tag} name {child.get('name')}" for section in sections for child in section
    ]


if __name__ == "__main__":
    main(sys.argv[1:])
