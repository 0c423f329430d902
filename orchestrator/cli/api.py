"""orchestrator api: serve the REST API, in one process or several."""

from __future__ import annotations

import argparse

from orchestrator.processes.api import run_api
from orchestrator.settings import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--workers", type=int, default=1, help="API processes (default 1)")


def run(settings: Settings, options: argparse.Namespace) -> int:
    run_api(settings, options.workers)
    return 0
