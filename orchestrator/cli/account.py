"""orchestrator account: make, list, suspend accounts; their tokens, what they may take, and whom they may call."""

from __future__ import annotations

import argparse
import re
import secrets
import sys
from collections.abc import Callable
from dataclasses import replace

import orjson

from orchestrator.cli.nodes import GROUP
from orchestrator.cli.printing import refuse
from orchestrator.dialects.own import serializers
from orchestrator.limits import TABLE, parse_limit
from orchestrator.policy import parse_numbers
from orchestrator.services.credentials import Credentials
from orchestrator.settings import Settings
from orchestrator.sids import is_sid, mint_sid
from orchestrator.store.account_removal import AccountRemoval
from orchestrator.store.accounts import Account, AccountStore
from orchestrator.wiring.stores import build_account_removal, build_accounts

TOKEN = re.compile(r"[A-Za-z0-9]{32,128}", re.ASCII)
"""Too long to be guessed; some SDKs refuse anything but letters and digits before they send it."""

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
    listing.add_argument("--json", action="store_true", help="with project ids, keys, and ids of the tokens")
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
    limits.add_argument("--nodes", metavar="GROUP", help="keep its new conferences to a group of nodes; '': to none")
    for row in TABLE:
        limits.add_argument(row.option, metavar="N", dest=row.name, help=f"{row.bounds} (default {row.default:,})")
    policy = actions.add_parser("policy", help="show whom an account may call, and as whom, or change it")
    policy.add_argument("--account", required=True, help="AccountSid")
    for option, (_, text) in POLICY.items():
        policy.add_argument(option, metavar="+1,+44,…", help=f"{text}, separated by commas; `any` or `none`: no list")


def run(settings: Settings, options: argparse.Namespace) -> int:
    acts = {
        "create": _create,
        "delete": lambda accounts, options: _delete(build_account_removal(settings), accounts, options),
        "limits": _limits,
        "list": _list_accounts,
        "policy": _policy,
        "secondary-token": _rotate,
        "promote-token": _rotate,
    }
    return acts.get(options.action, _change)(build_accounts(settings), options)


def _limits(accounts: AccountStore, options: argparse.Namespace) -> int:
    if accounts.load_account(options.account) is None:
        return refuse(f"there is no account {options.account}")
    changed: dict[str, int | None] = {}
    for row in TABLE:
        text = getattr(options, row.name)
        if text is None:
            continue
        try:
            changed[row.name] = parse_limit(text)
        except ValueError as error:
            return refuse(f"{row.option} {error}")
    if options.nodes is not None:
        if GROUP.fullmatch(options.nodes) is None:
            return refuse("--nodes has to be up to 32 letters, digits and - _")
        accounts.save_node_group(options.account, options.nodes)
    accounts.save_limits(options.account, changed)
    limits = accounts.load_limits(options.account)
    for row in TABLE:
        print(f"{row.option:<26} {getattr(limits, row.name):>13,}  {row.bounds}; over it: {row.answer}")
    group = accounts.load_node_group(options.account)
    print(f"{'--nodes':<26} {group or 'any':>13}  nodes of that group, for new conferences")
    return 0


def _policy(accounts: AccountStore, options: argparse.Namespace) -> int:
    if accounts.load_account(options.account) is None:
        return refuse(f"there is no account {options.account}")
    changed: dict[str, list[str]] = {}
    for option, (name, _) in POLICY.items():
        text = getattr(options, option.removeprefix("--").replace("-", "_"))
        if text is None:
            continue
        try:
            changed[name] = parse_numbers(text)
        except ValueError as error:
            return refuse(f"{option} {error}")
    accounts.save_policy(options.account, changed)
    policy = accounts.load_policy(options.account)
    for option, (name, text) in POLICY.items():
        shown = ",".join(f"+{digits}" for digits in getattr(policy, name))
        print(f"{option:<18} {shown or ('none' if 'refuse' in option else 'any')}  {text}")
    return 0


def _list_accounts(accounts: AccountStore, options: argparse.Namespace) -> int:
    for known in accounts.list_accounts():
        if options.json:
            print(orjson.dumps(serializers.serialize_account(known)).decode())
        else:
            print(f"{known.account_sid} {known.status} {known.friendly_name!r}")
    return 0


def _create(accounts: AccountStore, options: argparse.Namespace) -> int:
    sid = options.sid or mint_sid("AC")
    if not is_sid("AC", sid):
        return refuse("--sid has to be AC and 32 lower-case hexadecimal digits")
    if options.token is not None and TOKEN.fullmatch(options.token) is None:
        return refuse("--token has to be 32 to 128 letters and digits (twilio-go refuses others)")
    existing = accounts.load_account(sid)
    if existing is not None and options.token != existing.auth_token:
        return refuse(f"account {sid} exists; rotate-token gives it a new token")
    account = existing or Account(sid, options.token or secrets.token_hex(16), "active", options.name)
    if existing is None:
        accounts.save_account(account)
    print(f"{account.account_sid} {account.auth_token} {account.status}")
    return 0


def _change(accounts: AccountStore, options: argparse.Namespace) -> int:
    changes: dict[str, Callable[[Account], Account]] = {
        "rotate-token": lambda account: replace(account, auth_token=secrets.token_hex(16)),
        "suspend": lambda account: replace(account, status="suspended"),
        "resume": lambda account: replace(account, status="active"),
    }
    account = accounts.change_account(options.sid, changes[options.action])
    if account is None:
        return refuse(f"there is no account {options.sid}")
    token = f" {account.auth_token}" if options.action == "rotate-token" else ""
    print(f"{account.account_sid}{token} {account.status}")
    return 0


def _delete(removal: AccountRemoval, accounts: AccountStore, options: argparse.Namespace) -> int:
    if accounts.load_account(options.sid) is None:
        return refuse(f"there is no account {options.sid}")
    if not options.yes:
        print(f"Delete {options.sid}, its conferences, calls and callbacks? Type its SID: ", end="", file=sys.stderr)
        if sys.stdin.readline().strip() != options.sid:
            return refuse("nothing is deleted")
    print(f"{options.sid} deleted, {removal.delete(options.sid)} keys")
    return 0


def _rotate(accounts: AccountStore, options: argparse.Namespace) -> int:
    """Rotate a token in two steps, so that nobody is locked out: a token beside the one that signs, then the other way
    round."""
    credentials = Credentials(accounts)
    if options.action == "secondary-token":
        account = credentials.create_secondary_token(options.sid)
        print(f"{account.account_sid} {account.secondary_token} {account.status}")
    else:
        account = credentials.promote_token(options.sid)
        print(f"{account.account_sid} {account.auth_token} {account.status}")
    return 0
