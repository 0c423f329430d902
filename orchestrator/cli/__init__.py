"""The command line: `orchestrator COMMAND …`. A command is a row here and a module of this package, which has
`add_arguments(parser)` and `run(settings, options)`: the exit status; and FLAGS, if what it calls names parameters: how
the command line calls each.

The module is imported once the command is known: for those that serve after gevent has patched the standard library,
and a person's command does not wait for the imports of all the others.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from orchestrator import cooperation
from orchestrator.errors import ApiError
from orchestrator.settings import Settings, SettingsError, load_settings


@dataclass(frozen=True)
class Command:
    """What `--help` says; whether it is made of greenlets; whether it logs to standard output, where others have their
    answer; a setting that it needs."""

    help: str
    serves: bool = False
    logs: bool = True
    needs: str = ""


COMMANDS: Final = {
    "up": Command("run everything in the foreground, with a sandbox where something is missing", serves=True),
    "api": Command("serve the REST API", serves=True, needs="freeswitch_nodes"),
    "listen": Command("follow the nodes' events", serves=True, needs="freeswitch_nodes"),
    "work": Command(
        "dial calls that wait, deliver callbacks, play what people hear, finish recordings",
        serves=True,
        needs="freeswitch_nodes",
    ),
    "detect": Command("find out who picks up, on the nodes whose DETECTION_DIR this is", serves=True),
    "console": Command("show operators what lives, and have them act; serve /metrics", serves=True),
    "sandbox": Command("run a simulated FreeSWITCH, or have its phones do something", serves=True),
    "check": Command("say what is wrong with the settings, Redis and each node", serves=True, logs=False),
    "nodes": Command("see nodes, add, cordon, drain and remove them"),
    "account": Command("manage accounts (accounts does, too)", logs=False),
    "trunk": Command("manage trunks: the gateways that an account's clients name with Byoc"),
    "keys": Command("manage API keys, which are as good as the AuthToken", logs=False),
    "callbacks": Command("see what became of callbacks, and send them again", logs=False),
    "conferences": Command("see conferences: list, show", logs=False),
    "calls": Command("see calls: list, show, and export them before they go", logs=False),
    "follow": Command("see what happens in a conference, as it happens", logs=False),
    "receivers": Command("see receivers that fail, and resume them", logs=False),
}

ALIASES: Final = {"accounts": "account"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit status. What went wrong is one line on standard error."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    words[:1] = [ALIASES.get(word, word) for word in words[:1]]
    module: Any = None
    parser = argparse.ArgumentParser(prog="orchestrator")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        one = commands.add_parser(name, help=command.help)
        if words[:1] == [name]:
            module = _import(name, command)
            module.add_arguments(one)
    options = parser.parse_args(words)
    try:
        settings = load_settings()
        _check_needs(options.command, settings)
        _configure_logs(options.command, settings.log_level)
        return _run(module, settings, options)
    except BrokenPipeError:
        # `… | head` has seen enough. What is left in the buffer is thrown away, so that Python does not complain, too.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except SettingsError as error:
        problems = error.problems
    except ApiError as error:
        name, colon, reason = error.message.partition(": ")
        problems = [getattr(module, "FLAGS", {}).get(name, name) + colon + reason]
    for problem in problems:
        print(f"orchestrator: {problem}", file=sys.stderr)
    return 1


def _run(module: Any, settings: Settings, options: argparse.Namespace) -> int:
    """Run it, and find out now whether somebody still reads what it has printed."""
    status = int(module.run(settings, options))
    sys.stdout.flush()
    return status


def _import(name: str, command: Command) -> Any:
    if command.serves:
        cooperation.patch()
    return importlib.import_module(f"orchestrator.cli.{name}")


def _check_needs(name: str, settings: Settings) -> None:
    needed = COMMANDS[name].needs
    if needed and not getattr(settings, needed):
        raise SettingsError([f"{needed.upper()} is not set"])


def _configure_logs(name: str, level: str) -> None:
    """What is logged is no part of what a person's command prints."""
    from orchestrator.logs import configure_logs

    configure_logs(name, level, to_errors=not COMMANDS[name].logs)
