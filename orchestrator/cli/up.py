"""orchestrator up: everything in the foreground."""

from __future__ import annotations

import argparse

from orchestrator.settings import Settings
from orchestrator.up import up


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add no argument."""


def run(settings: Settings, options: argparse.Namespace) -> int:
    return up(settings)
