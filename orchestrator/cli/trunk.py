"""orchestrator trunk: the gateways of an account's own, which its clients name with `Byoc`."""

from __future__ import annotations

import argparse

from orchestrator.cli.printing import refuse
from orchestrator.settings import Settings
from orchestrator.sids import mint_sid
from orchestrator.store.accounts import AccountStore
from orchestrator.trunks import MOST_GATEWAYS, MOST_TRUNKS, Trunk, find, parse_gateway
from orchestrator.wiring import build_accounts


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
    accounts = build_accounts(settings)
    account = accounts.load_account(options.account)
    if account is None:
        return refuse(f"there is no account {options.account}")
    if options.action == "create":
        if len(account.trunks) >= MOST_TRUNKS:
            return refuse(f"the account has {MOST_TRUNKS} trunks already")
        return _save(accounts, options, Trunk(mint_sid("BY"), ()))
    if options.action in ("update", "delete"):
        found = find(account.trunks, options.sid)
        if found is None:
            return refuse(f"the account has no trunk {options.sid}")
        if options.action == "update":
            return _save(accounts, options, found)
        accounts.delete_trunk(options.account, options.sid)
    else:
        for trunk in account.trunks:
            _print(trunk)
    return 0


def _save(accounts: AccountStore, options: argparse.Namespace, before: Trunk) -> int:
    try:
        gateways = tuple(map(parse_gateway, options.gateway or ())) or before.gateways
    except ValueError as error:
        return refuse(f"--gateway {error}")
    name = before.friendly_name if options.name is None else options.name
    if len(gateways) > MOST_GATEWAYS or not name.isprintable():
        return refuse(f"a trunk has at most {MOST_GATEWAYS} gateways, and a name that can be printed")
    trunk = Trunk(before.trunk_sid, gateways, name)
    accounts.save_trunk(options.account, trunk)
    _print(trunk)
    return 0


def _print(trunk: Trunk) -> None:
    print(" ".join([trunk.trunk_sid, *map(str, trunk.gateways), repr(trunk.friendly_name)]))
