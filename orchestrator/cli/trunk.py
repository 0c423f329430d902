"""orchestrator trunk: the gateways of an account's own, which its clients name with `Byoc`."""

from __future__ import annotations

import argparse

from orchestrator.cli.printing import print_rows
from orchestrator.services.trunking import Trunking
from orchestrator.settings import Settings
from orchestrator.trunks import Trunk
from orchestrator.wiring.stores import build_accounts

FLAGS = {"Gateway": "--gateway", "FriendlyName": "--name"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True)
    for action, text in (
        ("create", "make a trunk; prints its SID, which clients send as Byoc"),
        ("list", "list the account's trunks"),
        ("update", "give a trunk other gateways, or another name"),
        ("delete", "delete a trunk; creates that name it are refused"),
    ):
        one = actions.add_parser(action, help=text)
        one.add_argument("--account", required=True, help="AccountSid")
        if action == "list":
            one.add_argument("--json", action="store_true", help="a line of JSON each")
        if action in ("update", "delete"):
            one.add_argument("sid", help="BY…")
        if action in ("create", "update"):
            one.add_argument("--name", help="a name for operators")
            one.add_argument(
                "--gateway",
                action="append",
                required=action == "create",
                metavar="HOST:PORT[;transport=tcp][,PRIORITY[,WEIGHT]]",
                help="may be repeated: the lowest priority is first, of equal ones more often that of more weight",
            )


def run(settings: Settings, options: argparse.Namespace) -> int:
    trunking = Trunking(build_accounts(settings))
    account = options.account
    match options.action:
        case "create":
            _print(trunking.create_trunk(account, options.gateway, options.name or ""))
        case "update":
            _print(trunking.update_trunk(account, options.sid, options.gateway or (), options.name))
        case "delete":
            trunking.delete_trunk(account, options.sid)
        case _:
            rows = (_row(trunk, options.json) for trunk in trunking.list_trunks(account))
            print_rows(("trunk_sid", "gateways", "friendly_name"), rows, options.json)
    return 0


def _row(trunk: Trunk, as_json: bool) -> dict[str, object]:
    gateways = list(map(str, trunk.gateways))
    return {
        "trunk_sid": trunk.trunk_sid,
        "gateways": gateways if as_json else " ".join(gateways),
        "friendly_name": trunk.friendly_name,
    }


def _print(trunk: Trunk) -> None:
    print(" ".join([trunk.trunk_sid, *map(str, trunk.gateways), repr(trunk.friendly_name)]))
