"""orchestrator up | api | listen | work | check | account create|list|rotate-token|suspend|resume | sandbox"""

from __future__ import annotations

import argparse
import secrets
import sys
from collections.abc import Sequence

from gevent import monkey

from orchestrator.settings import Settings, SettingsError, load_settings


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        settings = load_settings()
    except SettingsError as error:
        for problem in error.problems:
            print(f"orchestrator: {problem}", file=sys.stderr)
        return 1
    if options.command == "account":
        return _account(settings, options)
    # Before anything opens a socket: the long-running commands are greenlets all through.
    monkey.patch_all()
    return _run(settings, options)


def _run(settings: Settings, options: argparse.Namespace) -> int:
    from orchestrator.logs import configure_logs  # imported after the patch, as everything that may hold sockets

    configure_logs(options.command, settings.log_level)
    if options.command == "check":
        from orchestrator.check import check

        return check(settings)
    if options.command == "up":
        from orchestrator.up import up

        return up(settings)
    if options.command == "sandbox":
        from orchestrator.sandbox.server import run_sandbox

        run_sandbox(options.host, options.port, settings.freeswitch_password)
        return 0
    return _serve(settings, options)


def _serve(settings: Settings, options: argparse.Namespace) -> int:
    from orchestrator import processes

    if not settings.freeswitch_nodes and options.command in ("api", "listen"):
        print("orchestrator: FREESWITCH_NODES is not set", file=sys.stderr)
        return 1
    if options.command == "api":
        processes.run_api(settings, options.workers)
    elif options.command == "listen":
        processes.run_listener(settings)
    else:
        processes.run_worker(settings)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="orchestrator", description=(__doc__ or "").strip())
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="run everything in the foreground, with a sandbox where something is missing")
    api = commands.add_parser("api", help="serve the REST API")
    api.add_argument("--workers", type=int, default=1, help="API processes (default 1)")
    commands.add_parser("listen", help="follow the nodes' events")
    commands.add_parser("work", help="deliver callbacks")
    commands.add_parser("check", help="say what is wrong with the settings, Redis and each node")
    sandbox = commands.add_parser("sandbox", help="run a simulated FreeSWITCH")
    sandbox.add_argument("--host", default="127.0.0.1")
    sandbox.add_argument("--port", type=int, default=8021)
    account = commands.add_parser("account", help="manage accounts").add_subparsers(dest="action", required=True)
    create = account.add_parser("create", help="make an account; prints its SID and AuthToken")
    create.add_argument("--sid", help="a fixed AccountSid, else one is minted")
    create.add_argument("--token", help="a fixed AuthToken, else one is minted")
    create.add_argument("--name", default="", help="a name for operators")
    account.add_parser("list", help="list accounts")
    for action, text in (
        ("rotate-token", "give the account a new AuthToken"),
        ("suspend", "refuse the account's requests"),
        ("resume", "accept them again"),
    ):
        account.add_parser(action, help=text).add_argument("sid")
    return parser


def _account(settings: Settings, options: argparse.Namespace) -> int:
    from dataclasses import replace

    from orchestrator.errors import ApiError
    from orchestrator.sids import is_sid, mint_sid
    from orchestrator.store.accounts import Account
    from orchestrator.wiring import build_accounts

    accounts = build_accounts(settings)
    try:
        if options.action == "list":
            for known in accounts.list_accounts():
                print(f"{known.account_sid} {known.status} {known.friendly_name!r}")
            return 0
        if options.action == "create":
            sid = options.sid or mint_sid("AC")
            if not is_sid("AC", sid):
                print("orchestrator: --sid has to be AC and 32 lower-case hexadecimal digits", file=sys.stderr)
                return 1
            existing = accounts.load_account(sid)
            if existing is not None and (options.token is None or options.token != existing.auth_token):
                print(f"orchestrator: account {sid} exists; rotate-token gives it a new token", file=sys.stderr)
                return 1
            account = existing or Account(sid, options.token or secrets.token_hex(16), "active", options.name)
        else:
            known_account = accounts.load_account(options.sid)
            if known_account is None:
                print(f"orchestrator: there is no account {options.sid}", file=sys.stderr)
                return 1
            account = known_account
            if options.action == "rotate-token":
                account = replace(account, auth_token=secrets.token_hex(16))
            else:
                account = replace(account, status="suspended" if options.action == "suspend" else "active")
        accounts.save_account(account)
    except ApiError as error:
        print(f"orchestrator: {error.message}", file=sys.stderr)
        return 1
    print(f"{account.account_sid} {account.auth_token} {account.status}")
    return 0
