"""What operators do from the command line: accounts, callbacks, receivers. Each command returns its exit status."""

from __future__ import annotations

import argparse
import secrets
import sys
from dataclasses import replace

import orjson

from orchestrator.dialects.own import schemas, serializers
from orchestrator.errors import ApiError
from orchestrator.settings import Settings
from orchestrator.sids import is_sid, mint_sid
from orchestrator.store.accounts import Account
from orchestrator.wiring import build_accounts, build_history

LISTED = 200


def run(settings: Settings, options: argparse.Namespace) -> int:
    """Run one command; an error is one line."""
    commands = {"account": _account, "callbacks": _callbacks, "receivers": _receivers}
    try:
        return commands[options.command](settings, options)
    except ApiError as error:
        print(f"orchestrator: {error.message}", file=sys.stderr)
        return 1


def _callbacks(settings: Settings, options: argparse.Namespace) -> int:
    history = build_history(settings)
    if options.action == "show":
        found = history.fetch_callback(options.account, options.id)
        _print({**serializers.serialize_callback(found), "attempts": serializers.serialize_attempts(found)})
        return 0
    names = {"ConferenceSid": "conference", "CallSid": "call", "Kind": "kind", "State": "state"}
    names |= {"After": "after", "Before": "before"}
    wanted = schemas.parse_filter({name: getattr(options, option) for name, option in names.items()})
    if options.action == "list":
        page = history.list_callbacks(options.account, wanted, LISTED)
        for row in page.callbacks:
            print(row.callback_id, row.kind, row.state, row.reason or "-", f"attempts={row.attempts_made}")
        if page.next_after is not None:
            print("there are more: narrow it down with --conference, --kind, --state, --before", file=sys.stderr)
        return 0
    if options.id:
        _print(serializers.serialize_callback(history.replay(options.account, options.id)))
    else:
        replayed, more = history.replay_all(options.account, wanted)
        print(f"{replayed} replayed" + (", and there are more: run it again" if more else ""))
    return 0


def _receivers(settings: Settings, options: argparse.Namespace) -> int:
    history = build_history(settings)
    if options.action == "resume":
        history.resume_receiver(options.account, options.host.lower())
        return 0
    for receiver in history.list_receivers(options.account):
        _print(serializers.serialize_receiver(receiver))
    return 0


def _print(body: dict[str, object]) -> None:
    """As JSON: nothing that a receiver has sent can write to the terminal."""
    print(orjson.dumps(body, option=orjson.OPT_INDENT_2).decode())


def _account(settings: Settings, options: argparse.Namespace) -> int:
    accounts = build_accounts(settings)
    if options.action == "list":
        for known in accounts.list_accounts():
            print(f"{known.account_sid} {known.status} {known.friendly_name!r}")
        return 0
    if options.action == "create":
        sid = options.sid or mint_sid("AC")
        if not is_sid("AC", sid):
            return _refuse("--sid has to be AC and 32 lower-case hexadecimal digits")
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


def _refuse(text: str) -> int:
    print(f"orchestrator: {text}", file=sys.stderr)
    return 1
