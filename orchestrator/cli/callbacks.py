"""orchestrator callbacks: see what became of callbacks, and send them again."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Final

from orchestrator.cli.printing import print_json, print_rows
from orchestrator.dialects.own import schemas, serializers
from orchestrator.dialects.own.serializers import iso
from orchestrator.services.callback_log import CallbackLog
from orchestrator.settings import Settings
from orchestrator.store.callbacks import CallbackFilter, KeptCallback
from orchestrator.wiring.callback_log import build_callback_log

PAGE: Final = 200
_FILTERS: Final = ("conference", "call", "kind", "state", "after", "before")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True)
    for action, text in (("list", "newest first"), ("replay", "send again: one by its id, or all that match")):
        one = actions.add_parser(action, help=text)
        one.add_argument("--account", required=True, help="AccountSid")
        for name in _FILTERS:
            one.add_argument(f"--{name}", default="")
        if action == "replay":
            one.add_argument("id", nargs="?", help="CF….token")
        else:
            one.add_argument("--limit", type=int, default=0, help="at most so many (default: all)")
            one.add_argument("--json", action="store_true", help="a line of JSON each")
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
    rows: Iterable[KeptCallback] = _pages(callback_log, options.account, _wanted(options))
    if options.limit:
        rows = islice(rows, options.limit)
    columns = ("date_created", "kind", "state", "reason", "attempts_made", "id", "url")
    print_rows(columns, map(serializers.serialize_callback, rows), options.json)


def _pages(callback_log: CallbackLog, account_sid: str, wanted: CallbackFilter) -> Iterator[KeptCallback]:
    place: tuple[int, str] | None = None
    while True:
        page = callback_log.list_callbacks(account_sid, wanted, PAGE, place)
        yield from page.callbacks
        if page.next_after is None:
            return
        place = (page.next_after.planned_ms, page.next_after.callback_id)


def _replay(callback_log: CallbackLog, options: argparse.Namespace) -> None:
    wanted = _wanted(options)
    if options.id:
        print_json(serializers.serialize_callback(callback_log.replay(options.account, options.id)))
        return
    number = 0
    while True:
        replayed = callback_log.replay_all(options.account, wanted)
        number += replayed.number
        if replayed.next_after_ms is None:
            break
        print(f"{number} so far, up to {iso(replayed.next_after_ms)}", file=sys.stderr)
        wanted = replace(wanted, after_ms=replayed.next_after_ms)
    print(f"{number} replayed")


def _wanted(options: argparse.Namespace) -> CallbackFilter:
    names = {"ConferenceSid": "conference", "CallSid": "call"} | {name.title(): name for name in _FILTERS[2:]}
    return schemas.parse_filter({name: getattr(options, option) for name, option in names.items()})
