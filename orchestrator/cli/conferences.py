"""orchestrator conferences: see conferences, of any account."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from orchestrator.cli.printing import print_json, print_rows, refuse
from orchestrator.console.views import conference_row, moment_row, person_row
from orchestrator.settings import Settings
from orchestrator.store.history import History, timeline
from orchestrator.wiring.stores import build_history


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True)
    listing = actions.add_parser("list", help="the open ones, newest first; of an account all that are kept")
    listing.add_argument("--account", default="", help="AccountSid")
    listing.add_argument("--json", action="store_true", help="a line of JSON each")
    show = actions.add_parser("show", help="its people and what happened, also after its end")
    show.add_argument("name", help="ConferenceSid, CallSid, FriendlyName, label or number")
    show.add_argument("--json", action="store_true")


def run(settings: Settings, options: argparse.Namespace) -> int:
    history = build_history(settings)
    if options.action == "show":
        return _show(history, options)
    columns = ("conference_sid", "account_sid", "friendly_name", "status", "people", "node", "created_at")
    print_rows(columns, _rows(history, options.account), options.json)
    return 0


def _rows(history: History, account_sid: str) -> Iterator[dict[str, object]]:
    if account_sid:
        yield from map(conference_row, history.list_conferences(account_sid))
        return
    for sid in history.list_open():
        found = history.load_conference(sid)
        if found is not None:
            yield conference_row(found)


def _show(history: History, options: argparse.Namespace) -> int:
    found = next(iter(history.find(options.name)), None)
    conference = history.load_conference(found) if found else None
    if conference is None:
        return refuse(f"nothing is known of {options.name}")
    people = history.list_people(conference)
    moments = [moment_row(moment) for moment in timeline(conference, people)]
    if options.json:
        print_json({**conference_row(conference), "calls": list(map(person_row, people)), "timeline": moments})
        return 0
    print_rows(tuple(conference_row(conference)), [conference_row(conference)], False)
    print()
    print_rows(("call_sid", "label", "status", "to", "muted", "hold", "cause"), map(person_row, people), False)
    print()
    print_rows(("at", "what", "call_sid", "detail"), moments, False)
    return 0
