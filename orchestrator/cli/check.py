"""orchestrator check: say what is wrong with the settings, Redis and each node."""

from __future__ import annotations

import argparse

from orchestrator.check import check
from orchestrator.settings import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add no argument."""


def run(settings: Settings, options: argparse.Namespace) -> int:
    return check(settings)
