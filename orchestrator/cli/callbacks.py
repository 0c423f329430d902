"""orchestrator callbacks: what became of them, and sending them again."""

from __future__ import annotations

import argparse
import sys
from typing import Final

from orchestrator.cli.printing import print_json
from orchestrator.dialects.own import schemas, serializers
from orchestrator.dialects.own.serializers import iso
from orchestrator.services.callback_log import CallbackLog
from orchestrator.settings import Settings
from orchestrator.store.callbacks import CallbackFilter
from orchestrator.wiring import build_callback_log

LISTED: Final = 200
_FILTERS: Final = ("conference", "call", "kind", "state", "after", "before")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True)
    for action, text in (("list", "newest first"), ("replay", "send again: one by its id, or all that match")):
        one = actions.add_parser(action, help=text)
        one.add_argument("--account", required=True, help="AccountSid")
        for name in _FILTERS:
            one.add_argument(f"--{name}", default="")
        one.add_argument("id", nargs="?" if action == "replay" else "*", help="CF….token")
    show = actions.add_parser("show", help="one callback with its attempts")
    show.add_argument("--account", required=True, help="AccountSid")
    show.add_argument("id", help="CF….token")


def run(settings: Settings, options: argparse.Namespace) -> int:
    acts = {"show": _show, "list": _list, "replay": _replay}
    acts[options.action](build_callback_log(settings), options)
    return 0


def _show(callback_log: CallbackLog, options: argparse.Namespace) -> None:
    found = callback_log.fetch_callback(options.account, options.id)
    print_json({**serializers.serialize_callback(found), "attempts": serializers.serialize_attempts(found)})


def _list(callback_log: CallbackLog, options: argparse.Namespace) -> None:
    page = callback_log.list_callbacks(options.account, _wanted(options), LISTED)
    for row in page.callbacks:
        print(row.callback_id, row.kind, row.state, row.reason or "-", f"attempts={row.attempts_made}")
    if page.next_after is not None:
        print("there are more: narrow it down with --conference, --kind, --state, --before", file=sys.stderr)


def _replay(callback_log: CallbackLog, options: argparse.Namespace) -> None:
    wanted = _wanted(options)
    if options.id:
        print_json(serializers.serialize_callback(callback_log.replay(options.account, options.id)))
        return
    replayed = callback_log.replay_all(options.account, wanted)
    rest = replayed.next_after_ms
    print(f"{replayed.number} replayed" + (f", and there are more: add --after {iso(rest)}" if rest else ""))


def _wanted(options: argparse.Namespace) -> CallbackFilter:
    names = {"ConferenceSid": "conference", "CallSid": "call"} | {name.title(): name for name in _FILTERS[2:]}
    return schemas.parse_filter({name: getattr(options, option) for name, option in names.items()})
