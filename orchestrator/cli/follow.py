"""orchestrator follow CF…: what happens in a conference, as it happens."""

from __future__ import annotations

import argparse
import time

from orchestrator.cli.printing import plain, refuse
from orchestrator.console.views import moment_row
from orchestrator.settings import Settings
from orchestrator.store.history import timeline
from orchestrator.wiring.stores import build_history

INTERVAL_SECONDS = 0.5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", help="ConferenceSid, CallSid, FriendlyName, label or number")


def run(settings: Settings, options: argparse.Namespace) -> int:
    """Print what happens until the conference has ended, or Ctrl-C."""
    history = build_history(settings)
    sid = next(iter(history.find(options.name)), "")
    told = 0
    while (conference := history.load_conference(sid)) is not None:
        moments = timeline(conference, history.list_people(conference))
        for moment in moments[told:]:
            row = moment_row(moment)
            print("  ".join(plain(row[name]) for name in ("at", "what", "call_sid", "detail")), flush=True)
        told = max(told, len(moments))
        if conference.status == "completed":
            return 0
        time.sleep(INTERVAL_SECONDS)
    return refuse(f"nothing is known of {options.name}")
