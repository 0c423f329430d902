"""orchestrator console: the operators' page, metrics of the whole deployment, and the operators' API."""

from __future__ import annotations

import argparse

from orchestrator.console.run import run_console
from orchestrator.settings import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add none: CONSOLE_BIND, CONSOLE_TOKEN say all."""


def run(settings: Settings, options: argparse.Namespace) -> int:
    run_console(settings)
    return 0
