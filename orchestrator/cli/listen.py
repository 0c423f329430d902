"""orchestrator listen: follow the nodes' events."""

from __future__ import annotations

import argparse

from orchestrator.processes.listener import run_listener
from orchestrator.settings import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add no argument."""


def run(settings: Settings, options: argparse.Namespace) -> int:
    run_listener(settings)
    return 0
