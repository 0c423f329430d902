"""orchestrator calls: see calls, and export them before they go."""

from __future__ import annotations

import argparse
import csv
import sys
from datetime import UTC, datetime

from orchestrator.cli.printing import print_json, print_rows, refuse
from orchestrator.console.views import CALL_COLUMNS, person_row
from orchestrator.errors import BadParameter
from orchestrator.settings import Settings
from orchestrator.wiring.stores import build_history


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True)
    for action, text in (
        ("list", "an account's calls that are kept (CALL_RETENTION_DAYS), the oldest first"),
        ("export", "the same as a record each, for billing and archives"),
    ):
        one = actions.add_parser(action, help=text)
        one.add_argument("--account", required=True, help="AccountSid")
        one.add_argument("--after", default="", help="created after this moment, as 2026-11-20T08:00:00Z")
        one.add_argument("--before", default="")
        if action == "list":
            one.add_argument("--json", action="store_true", help="a line of JSON each")
        else:
            one.add_argument("--format", choices=("jsonl", "csv"), default="jsonl")
    show = actions.add_parser("show", help="one call, live or not")
    show.add_argument("sid", help="CA…")


def run(settings: Settings, options: argparse.Namespace) -> int:
    history = build_history(settings)
    if options.action == "show":
        found = history.load_call(options.sid)
        if found is None:
            return refuse(f"nothing is known of {options.sid}")
        print_json(person_row(found))
        return 0
    rows = map(
        person_row, history.list_calls(options.account, _ms(options.after, 0), _ms(options.before, float("inf")))
    )
    if options.action == "list":
        print_rows(("call_sid", "created_at", "from", "to", "status", "seconds", "cause"), rows, options.json)
    elif options.format == "jsonl":
        print_rows((), rows, True)
    else:
        writer = csv.DictWriter(sys.stdout, CALL_COLUMNS)
        writer.writeheader()
        writer.writerows(map(_unformulated, rows))
    return 0


def _unformulated(row: dict[str, object]) -> dict[str, object]:
    """A spreadsheet takes a label that begins so for a formula (OWASP, "CSV Injection"); a number is left alone."""
    return {
        name: f"'{value}" if isinstance(value, str) and value[:1] in "=+-@\t\r" and not value[1:].isdigit() else value
        for name, value in row.items()
    }


def _ms(text: str, otherwise: float) -> float:
    if not text:
        return otherwise
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise BadParameter(f"{text} is no moment, as 2026-11-20T08:00:00Z") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000
