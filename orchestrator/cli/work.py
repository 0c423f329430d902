"""orchestrator work: dial calls that wait, deliver callbacks, load and play what people hear, finish recordings."""

from __future__ import annotations

import argparse

from orchestrator.processes.worker import run_worker
from orchestrator.settings import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add no argument."""


def run(settings: Settings, options: argparse.Namespace) -> int:
    run_worker(settings)
    return 0
