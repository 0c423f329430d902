"""orchestrator receivers: see the receivers that fail, and try a paused one again."""

from __future__ import annotations

import argparse

from orchestrator.cli.printing import print_json
from orchestrator.dialects.own import serializers
from orchestrator.settings import Settings
from orchestrator.wiring.callback_log import build_callback_log


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True)
    for action, text in (("list", "failing and paused ones"), ("resume", "try a paused one again")):
        one = actions.add_parser(action, help=text)
        one.add_argument("--account", required=True, help="AccountSid")
        if action == "resume":
            one.add_argument("host", help="host:port")


def run(settings: Settings, options: argparse.Namespace) -> int:
    callback_log = build_callback_log(settings)
    if options.action == "resume":
        callback_log.resume_receiver(options.account, options.host.lower())
        return 0
    for receiver in callback_log.list_receivers(options.account):
        print_json(serializers.serialize_receiver(receiver))
    return 0
