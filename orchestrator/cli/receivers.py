"""orchestrator receivers: see the receivers that fail, and try a paused one again."""

from __future__ import annotations

import argparse

from orchestrator.cli.printing import print_rows
from orchestrator.dialects.own import serializers
from orchestrator.settings import Settings
from orchestrator.wiring.callback_log import build_callback_log


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True)
    for action, text in (("list", "failing and paused ones"), ("resume", "try a paused one again")):
        one = actions.add_parser(action, help=text)
        one.add_argument("--account", required=True, help="AccountSid")
        if action == "list":
            one.add_argument("--json", action="store_true", help="a line of JSON each")
        else:
            one.add_argument("host", help="host:port")


def run(settings: Settings, options: argparse.Namespace) -> int:
    callback_log = build_callback_log(settings)
    if options.action == "resume":
        callback_log.resume_receiver(options.account, options.host.lower())
        return 0
    columns = ("host", "failures", "failing_since", "is_paused", "paused_until")
    print_rows(columns, map(serializers.serialize_receiver, callback_log.list_receivers(options.account)), options.json)
    return 0
