"""orchestrator follow CF…: what happens in a conference, as it happens."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from orchestrator.cli.printing import plain, refuse
from orchestrator.console.views import moment_row
from orchestrator.domain.conference import Participant
from orchestrator.settings import Settings
from orchestrator.store.history import Moment, timeline
from orchestrator.wiring.stores import build_history

INTERVAL_SECONDS = 0.5

PASSING: Final = {
    "muted": ("unmuted", "muted"),
    "hold": ("off hold", "on hold"),
    "coaching": ("coaches no more", "coaches"),
}
"""What a record shows only while it is so -> what is said when it ends, and when it begins."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", help="ConferenceSid, CallSid, FriendlyName, label or number")


def run(settings: Settings, options: argparse.Namespace) -> int:
    """Print what happens until the conference has ended, or Ctrl-C."""
    history = build_history(settings)
    sid = next(iter(history.find(options.name)), "")
    printed: set[Moment] = set()
    before: dict[str, Participant] = {}
    while (conference := history.load_conference(sid)) is not None:
        people = history.list_people(conference)
        moments = {*timeline(conference, people), *_changes(before, people)}
        for moment in sorted(moments - printed, key=lambda one: one.at):
            row = moment_row(moment)
            print("  ".join(plain(row[name]) for name in ("at", "what", "call_sid", "detail")), flush=True)
        printed |= moments
        before = {person.call_sid: person for person in people}
        if conference.status == "completed":
            return 0
        time.sleep(INTERVAL_SECONDS)
    return refuse(f"nothing is known of {options.name}")


def _changes(before: Mapping[str, Participant], people: Sequence[Participant]) -> Iterator[Moment]:
    """What has become of people since they were looked at last."""
    for person in people:
        known = before.get(person.call_sid, person)
        for name, words in PASSING.items():
            if getattr(person, name) is not getattr(known, name):
                yield Moment(person.updated_at, words[getattr(person, name)], person.call_sid)
