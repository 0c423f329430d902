"""orchestrator console: the operators' page, metrics of the whole deployment, and the operators' API."""

from __future__ import annotations

import argparse

from orchestrator.console.run import run_console
from orchestrator.settings import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """It takes none: CONSOLE_BIND, CONSOLE_TOKEN."""


def run(settings: Settings, options: argparse.Namespace) -> int:
    run_console(settings)
    return 0
