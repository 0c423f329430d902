"""orchestrator detect: find out who picks up, in calls or in files."""

from __future__ import annotations

import argparse

from orchestrator import detect_files
from orchestrator.processes.detector import run_detector
from orchestrator.settings import Settings, SettingsError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--file", nargs="+", dest="files", default=[], metavar="WAV", help="say it of these files instead: 8 kHz, mono"
    )
    parser.add_argument("--message-end", action="store_true", help="of files: as with DetectMessageEnd")
    parser.add_argument("--segments", action="store_true", help="of files: also what was heard when")


def run(settings: Settings, options: argparse.Namespace) -> int:
    if options.files:
        return detect_files.run(options.files, options.message_end, options.segments)
    missing = [name for name in ("freeswitch_nodes", "detection_dir") if not getattr(settings, name)]
    if missing:
        raise SettingsError([f"{name.upper()} is not set" for name in missing])
    run_detector(settings)
    return 0
