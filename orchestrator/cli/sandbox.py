"""orchestrator sandbox: run a simulated FreeSWITCH, or have a phone of a running one do something."""

from __future__ import annotations

import argparse
import sys
from typing import Final

from orchestrator.sandbox.control import Refused, tell
from orchestrator.sandbox.server import run_sandbox
from orchestrator.settings import Settings

_PORT: Final = 8021


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("words", nargs="*", help="press|quiet|speak|turns|hang-up [keys|seconds] CALL, freeze SECONDS")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, help=f"of its event socket (default {_PORT})")


def run(settings: Settings, options: argparse.Namespace) -> int:
    """Run a sandbox, or have one do something: the first node of the settings, unless a port is named."""
    node = next(iter(settings.freeswitch_nodes), None) if options.words else None
    port = options.port or (node.port if node is not None else _PORT)
    if not options.words:
        run_sandbox(options.host, port, settings.freeswitch_password)
        return 0
    try:
        print(tell(options.host, port, settings.freeswitch_password, options.words))
    except Refused as refused:
        print(refused, file=sys.stderr)
        return 1
    return 0
