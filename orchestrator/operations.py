"""What operators do from the command line: accounts, keys, callbacks, receivers. A command returns its exit status."""

from __future__ import annotations

import argparse
import re
import secrets
import sys
from dataclasses import replace

import orjson
import structlog

from orchestrator.dialects.own import schemas, serializers
from orchestrator.dialects.own.serializers import iso
from orchestrator.errors import ApiError
from orchestrator.limits import MOST, TABLE
from orchestrator.services.credentials import Credentials
from orchestrator.settings import Settings
from orchestrator.sids import is_sid, mint_sid
from orchestrator.store.accounts import Account, AccountStore
from orchestrator.wiring import build_accounts, build_callback_log

LISTED = 200

TOKEN = re.compile(r"[A-Za-z0-9]{32,128}", re.ASCII)
"""Too long to be guessed; some SDKs refuse anything but letters and digits before they send it."""


def run(settings: Settings, options: argparse.Namespace) -> int:
    """Run one command; an error is one line. What is logged is no part of what it prints."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    commands = {"account": _account, "callbacks": _callbacks, "keys": _keys, "receivers": _receivers}
    try:
        return commands[options.command](settings, options)
    except ApiError as error:
        print(f"orchestrator: {error.message}", file=sys.stderr)
        return 1


def _callbacks(settings: Settings, options: argparse.Namespace) -> int:
    callback_log = build_callback_log(settings)
    if options.action == "show":
        found = callback_log.fetch_callback(options.account, options.id)
        _print({**serializers.serialize_callback(found), "attempts": serializers.serialize_attempts(found)})
        return 0
    names = {"ConferenceSid": "conference", "CallSid": "call", "Kind": "kind", "State": "state"}
    names |= {"After": "after", "Before": "before"}
    wanted = schemas.parse_filter({name: getattr(options, option) for name, option in names.items()})
    if options.action == "list":
        page = callback_log.list_callbacks(options.account, wanted, LISTED)
        for row in page.callbacks:
            print(row.callback_id, row.kind, row.state, row.reason or "-", f"attempts={row.attempts_made}")
        if page.next_after is not None:
            print("there are more: narrow it down with --conference, --kind, --state, --before", file=sys.stderr)
        return 0
    if options.id:
        _print(serializers.serialize_callback(callback_log.replay(options.account, options.id)))
    else:
        replayed = callback_log.replay_all(options.account, wanted)
        rest = replayed.next_after_ms
        print(f"{replayed.number} replayed" + (f", and there are more: add --after {iso(rest)}" if rest else ""))
    return 0


def _receivers(settings: Settings, options: argparse.Namespace) -> int:
    callback_log = build_callback_log(settings)
    if options.action == "resume":
        callback_log.resume_receiver(options.account, options.host.lower())
        return 0
    for receiver in callback_log.list_receivers(options.account):
        _print(serializers.serialize_receiver(receiver))
    return 0


def _print(body: dict[str, object]) -> None:
    """As JSON: nothing that a receiver has sent can write to the terminal."""
    print(orjson.dumps(body, option=orjson.OPT_INDENT_2).decode())


def _limits(accounts: AccountStore, options: argparse.Namespace) -> int:
    if accounts.load_account(options.account) is None:
        return _refuse(f"there is no account {options.account}")
    changed: dict[str, int | None] = {}
    for row in TABLE:
        text = getattr(options, row.name)
        if text is None:
            continue
        if text != "default" and not (text.isascii() and text.isdigit() and int(text) <= MOST):
            return _refuse(f"{row.option} has to be a whole number up to {MOST:,}, or `default`")
        changed[row.name] = None if text == "default" else int(text)
    accounts.save_limits(options.account, changed)
    limits = accounts.load_limits(options.account)
    for row in TABLE:
        print(f"{row.option:<26} {getattr(limits, row.name):>13,}  {row.bounds}; over it: {row.answer}")
    return 0


def _account(settings: Settings, options: argparse.Namespace) -> int:
    acts = {"limits": _limits, "list": _list_accounts, "secondary-token": _rotate, "promote-token": _rotate}
    return acts.get(options.action, _change_account)(build_accounts(settings), options)


def _list_accounts(accounts: AccountStore, options: argparse.Namespace) -> int:
    for known in accounts.list_accounts():
        if options.json:
            print(orjson.dumps(serializers.serialize_account(known)).decode())
        else:
            print(f"{known.account_sid} {known.status} {known.friendly_name!r}")
    return 0


def _change_account(accounts: AccountStore, options: argparse.Namespace) -> int:
    if options.action == "create":
        sid = options.sid or mint_sid("AC")
        if not is_sid("AC", sid):
            return _refuse("--sid has to be AC and 32 lower-case hexadecimal digits")
        if options.token is not None and TOKEN.fullmatch(options.token) is None:
            return _refuse("--token has to be 32 to 128 letters and digits (twilio-go refuses others)")
        existing = accounts.load_account(sid)
        if existing is not None and options.token != existing.auth_token:
            return _refuse(f"account {sid} exists; rotate-token gives it a new token")
        account = existing or Account(sid, options.token or secrets.token_hex(16), "active", options.name)
    else:
        found = accounts.load_account(options.sid)
        if found is None:
            return _refuse(f"there is no account {options.sid}")
        if options.action == "rotate-token":
            account = replace(found, auth_token=secrets.token_hex(16))
        else:
            account = replace(found, status="suspended" if options.action == "suspend" else "active")
    accounts.save_account(account)
    print(f"{account.account_sid} {account.auth_token} {account.status}")
    return 0


def _rotate(accounts: AccountStore, options: argparse.Namespace) -> int:
    """In two steps, so that nobody is locked out: a token beside the one that signs, then the other way round."""
    credentials = Credentials(accounts)
    if options.action == "secondary-token":
        account = credentials.create_secondary_token(options.sid)
        print(f"{account.account_sid} {account.secondary_token} {account.status}")
    else:
        account = credentials.promote_token(options.sid)
        print(f"{account.account_sid} {account.auth_token} {account.status}")
    return 0


def _keys(settings: Settings, options: argparse.Namespace) -> int:
    credentials = Credentials(build_accounts(settings))
    if options.action == "create":
        key, secret = credentials.create_key(options.account, options.name)
        print(f"{key.key_sid} {secret}")
    elif options.action == "revoke":
        credentials.revoke_key(options.account, options.sid)
    else:
        for key in credentials.list_keys(options.account):
            print(f"{key.key_sid} {key.created_at} {key.friendly_name!r}")
    return 0


def _refuse(text: str) -> int:
    print(f"orchestrator: {text}", file=sys.stderr)
    return 1
