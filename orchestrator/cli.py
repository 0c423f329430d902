"""orchestrator up | api | listen | work | detect | check | account … | keys … | callbacks … | receivers … | sandbox"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from gevent import monkey

from orchestrator.limits import TABLE
from orchestrator.settings import Settings, SettingsError, load_settings

_SANDBOX_PORT = 8021


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        settings = load_settings()
    except SettingsError as error:
        for problem in error.problems:
            print(f"orchestrator: {problem}", file=sys.stderr)
        return 1
    if options.command in ("account", "callbacks", "keys", "receivers"):
        from orchestrator import operations

        return operations.run(settings, options)
    if options.command == "detect" and options.files:
        from orchestrator import detect_files

        return detect_files.run(options.files, options.message_end, options.segments)
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
        return _sandbox(settings, options)
    return _serve(settings, options)


def _sandbox(settings: Settings, options: argparse.Namespace) -> int:
    """Run it, or have a phone of a running one do something: the first node of the settings, unless a port is named."""
    from orchestrator.sandbox.control import Refused, tell
    from orchestrator.sandbox.server import run_sandbox

    node = next(iter(settings.freeswitch_nodes), None) if options.words else None
    port = options.port or (node.port if node is not None else _SANDBOX_PORT)
    if not options.words:
        run_sandbox(options.host, port, settings.freeswitch_password)
        return 0
    try:
        print(tell(options.host, port, settings.freeswitch_password, options.words))
    except Refused as refused:
        print(refused, file=sys.stderr)
        return 1
    return 0


def _serve(settings: Settings, options: argparse.Namespace) -> int:
    from orchestrator import processes

    if not settings.freeswitch_nodes:
        print("orchestrator: FREESWITCH_NODES is not set", file=sys.stderr)
        return 1
    if options.command == "api":
        processes.run_api(settings, options.workers)
    elif options.command == "listen":
        processes.run_listener(settings)
    elif options.command == "detect":
        if not settings.detection_dir:
            print("orchestrator: DETECTION_DIR is not set", file=sys.stderr)
            return 1
        processes.run_detector(settings)
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
    commands.add_parser("work", help="deliver callbacks, load and play what people hear")
    _add_detect(commands)
    commands.add_parser("check", help="say what is wrong with the settings, Redis and each node")
    sandbox = commands.add_parser("sandbox", help="run a simulated FreeSWITCH, or have its phones do something")
    sandbox.add_argument("words", nargs="*", help="press|quiet|speak|turns|hang-up [keys|seconds] CALL, freeze SECONDS")
    sandbox.add_argument("--host", default="127.0.0.1")
    sandbox.add_argument("--port", type=int, help=f"of its event socket (default {_SANDBOX_PORT})")
    account = commands.add_parser("account", help="manage accounts").add_subparsers(dest="action", required=True)
    create = account.add_parser("create", help="make an account; prints its SID and AuthToken")
    create.add_argument("--sid", help="a fixed AccountSid, else one is minted")
    create.add_argument("--token", help="a fixed AuthToken, else one is minted")
    create.add_argument("--name", default="", help="a name for operators")
    listing = account.add_parser("list", help="list accounts")
    listing.add_argument("--json", action="store_true", help="with project ids, keys, and ids of the tokens")
    for action, text in (
        ("rotate-token", "give the account a new AuthToken; the old one is refused at once"),
        ("secondary-token", "give it a second AuthToken, which is accepted beside the first and signs nothing yet"),
        ("promote-token", "have the second AuthToken sign; the first is refused"),
        ("suspend", "refuse the account's requests"),
        ("resume", "accept them again"),
    ):
        account.add_parser(action, help=text).add_argument("sid")
    _add_limits(account)
    _add_keys(commands)
    _add_callbacks(commands)
    return parser


def _add_detect(commands: Any) -> None:
    detect = commands.add_parser("detect", help="find out who picks up, on the nodes whose DETECTION_DIR this is")
    detect.add_argument(
        "--file", nargs="+", dest="files", default=[], metavar="WAV", help="say it of these files instead: 8 kHz, mono"
    )
    detect.add_argument("--message-end", action="store_true", help="of files: as with DetectMessageEnd")
    detect.add_argument("--segments", action="store_true", help="of files: also what was heard when")


def _add_limits(account: Any) -> None:
    limits = account.add_parser("limits", help="show what an account may take, or change it: a number, or `default`")
    limits.add_argument("--account", required=True, help="AccountSid")
    for row in TABLE:
        limits.add_argument(row.option, metavar="N", dest=row.name, help=f"{row.bounds} (default {row.default:,})")


def _add_keys(commands: Any) -> None:
    keys = commands.add_parser("keys", help="API keys, as good as the AuthToken").add_subparsers(
        dest="action", required=True
    )
    for action, text in (
        ("create", "make a key; prints its SID and its secret, this once"),
        ("list", "keys, without their secrets"),
        ("revoke", "refuse a key from now on"),
    ):
        parser = keys.add_parser(action, help=text)
        parser.add_argument("--account", required=True, help="AccountSid")
        if action == "create":
            parser.add_argument("--name", default="", help="what it is for")
        if action == "revoke":
            parser.add_argument("sid", help="SK…")


def _add_callbacks(commands: Any) -> None:
    callbacks = commands.add_parser("callbacks", help="what became of callbacks").add_subparsers(
        dest="action", required=True
    )
    for action, text in (("list", "newest first"), ("replay", "send again: one by its id, or all that match")):
        parser = callbacks.add_parser(action, help=text)
        parser.add_argument("--account", required=True, help="AccountSid")
        for name in ("conference", "call", "kind", "state", "after", "before"):
            parser.add_argument(f"--{name}", default="")
        parser.add_argument("id", nargs="?" if action == "replay" else "*", help="CF….token")
    show = callbacks.add_parser("show", help="one callback with its attempts")
    show.add_argument("--account", required=True, help="AccountSid")
    show.add_argument("id", help="CF….token")
    receivers = commands.add_parser("receivers", help="receivers that fail").add_subparsers(
        dest="action", required=True
    )
    for action, text in (("list", "failing and paused ones"), ("resume", "try a paused one again")):
        parser = receivers.add_parser(action, help=text)
        parser.add_argument("--account", required=True, help="AccountSid")
        if action == "resume":
            parser.add_argument("host", help="host:port")
