"""orchestrator account: make, list, suspend accounts; their tokens, what they may take, and whom they may call."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable

from orchestrator.cli.printing import print_rows, refuse
from orchestrator.dialects.own import serializers
from orchestrator.limits import TABLE
from orchestrator.services.account_operations import NODE_GROUP, AccountOperations
from orchestrator.services.credentials import Credentials
from orchestrator.settings import Settings
from orchestrator.store.accounts import Account, AccountStore
from orchestrator.wiring.stores import build_account_removal, build_accounts

POLICY = {
    "--allow-prefixes": ("allowed_prefixes", "numbers that it may call begin like this"),
    "--refuse-prefixes": (
        "refused_prefixes",
        "it may not call numbers that begin like this; the longest prefix decides",
    ),
    "--caller-ids": ("caller_ids", "numbers that it may show as From and CallerId"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True)
    create = actions.add_parser("create", help="make an account; prints its SID and AuthToken")
    create.add_argument("--sid", help="a fixed AccountSid, else one is minted")
    create.add_argument("--token", help="a fixed AuthToken, else one is minted")
    create.add_argument("--name", default="", help="a name for operators")
    listing = actions.add_parser("list", help="list accounts")
    listing.add_argument(
        "--json", action="store_true", help="a line of JSON each: also project id, keys, ids of tokens"
    )
    for action, text in (
        ("rotate-token", "give the account a new AuthToken; the old one is refused at once"),
        ("secondary-token", "give it a second AuthToken, which is accepted beside the first and signs nothing yet"),
        ("promote-token", "have the second AuthToken sign; the first is refused"),
        ("suspend", "refuse the account's requests, and end its queued calls"),
        ("resume", "accept them again"),
    ):
        actions.add_parser(action, help=text).add_argument("sid")
    delete = actions.add_parser("delete", help="delete it and all that is kept of it, for ever")
    delete.add_argument("sid")
    delete.add_argument("--yes", action="store_true", help="do not ask")
    limits = actions.add_parser("limits", help="show what an account may take, or change it: a number, or `default`")
    limits.add_argument("--account", required=True, help="AccountSid")
    limits.add_argument(
        "--nodes", metavar="GROUP", dest=NODE_GROUP, help="keep its new conferences to a group of nodes; '': to none"
    )
    for row in TABLE:
        limits.add_argument(row.option, metavar="N", dest=row.name, help=f"{row.bounds} (default {row.default:,})")
    policy = actions.add_parser("policy", help="show whom an account may call, and as whom, or change it")
    policy.add_argument("--account", required=True, help="AccountSid")
    for option, (name, text) in POLICY.items():
        policy.add_argument(
            option, dest=name, metavar="+1,+44,…", help=f"{text}, separated by commas; `any` or `none`: no list"
        )


FLAGS = {
    "AccountSid": "--sid",
    "AuthToken": "--token",
    "FriendlyName": "--name",
    NODE_GROUP: "--nodes",
    **{row.name: row.option for row in TABLE},
    **{name: option for option, (name, _) in POLICY.items()},
}


def run(settings: Settings, options: argparse.Namespace) -> int:
    store = build_accounts(settings)
    accounts, credentials = AccountOperations(store, build_account_removal(settings)), Credentials(store)
    match options.action:
        case "list":
            _list_accounts(store, options)
        case "create":
            created = accounts.create_account(options.name, options.sid, options.token)
            _print(created, created.auth_token)
        case "rotate-token":
            rotated = credentials.rotate_token(options.sid)
            _print(rotated, rotated.auth_token)
        case "secondary-token":
            rotated = credentials.create_secondary_token(options.sid)
            _print(rotated, rotated.secondary_token)
        case "promote-token":
            rotated = credentials.promote_token(options.sid)
            _print(rotated, rotated.auth_token)
        case "suspend" | "resume":
            _print(accounts.update_account(options.sid, "suspended" if options.action == "suspend" else "active"))
        case "delete":
            return _delete(accounts, credentials, options)
        case "limits":
            _limits(accounts, options)
        case "policy":
            _policy(accounts, options)
    return 0


def _given(options: argparse.Namespace, names: Iterable[str]) -> dict[str, str]:
    return {name: text for name in names if (text := getattr(options, name)) is not None}


def _limits(accounts: AccountOperations, options: argparse.Namespace) -> None:
    limits = accounts.change_limits(options.account, _given(options, [*(row.name for row in TABLE), NODE_GROUP]))
    for row in TABLE:
        print(f"{row.option:<26} {limits[row.name]:>13,}  {row.bounds}; over it: {row.answer}")
    print(f"{'--nodes':<26} {limits[NODE_GROUP] or 'any':>13}  nodes of that group, for new conferences")


def _policy(accounts: AccountOperations, options: argparse.Namespace) -> None:
    policy = accounts.change_policy(options.account, _given(options, (name for name, _ in POLICY.values())))
    for option, (name, text) in POLICY.items():
        shown = ",".join(f"+{digits}" for digits in getattr(policy, name))
        print(f"{option:<18} {shown or ('none' if 'refuse' in option else 'any')}  {text}")


def _list_accounts(store: AccountStore, options: argparse.Namespace) -> None:
    rows = map(serializers.serialize_account, store.list_accounts())
    print_rows(("account_sid", "status", "friendly_name"), rows, options.json)


def _print(account: Account, token: str = "") -> None:
    print(" ".join(filter(None, (account.account_sid, token, account.status))))


def _delete(accounts: AccountOperations, credentials: Credentials, options: argparse.Namespace) -> int:
    credentials.load_account(options.sid)
    if not options.yes:
        print(f"Delete {options.sid}, its conferences, calls and callbacks? Type its SID: ", end="", file=sys.stderr)
        if sys.stdin.readline().strip() != options.sid:
            return refuse("nothing is deleted")
    print(f"{options.sid} deleted, {accounts.delete_account(options.sid)} keys")
    return 0
