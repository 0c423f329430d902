"""orchestrator keys: API keys, as good as the AuthToken."""

from __future__ import annotations

import argparse

from orchestrator.cli.printing import print_rows
from orchestrator.dialects.own import serializers
from orchestrator.services.credentials import Credentials
from orchestrator.settings import Settings
from orchestrator.wiring.stores import build_accounts


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True)
    for action, text in (
        ("create", "make a key; prints its SID and its secret, this once"),
        ("list", "keys, without their secrets"),
        ("revoke", "refuse a key from now on"),
    ):
        one = actions.add_parser(action, help=text)
        one.add_argument("--account", required=True, help="AccountSid")
        if action == "create":
            one.add_argument("--name", default="", help="what it is for")
        if action == "list":
            one.add_argument("--json", action="store_true", help="a line of JSON each")
        if action == "revoke":
            one.add_argument("sid", help="SK…")


def run(settings: Settings, options: argparse.Namespace) -> int:
    credentials = Credentials(build_accounts(settings))
    if options.action == "create":
        key, secret = credentials.create_key(options.account, options.name)
        print(f"{key.key_sid} {secret}")
    elif options.action == "revoke":
        credentials.revoke_key(options.account, options.sid)
    else:
        rows = map(serializers.serialize_key, credentials.list_keys(options.account))
        print_rows(("sid", "date_created", "friendly_name"), rows, options.json)
    return 0
