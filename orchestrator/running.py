"""The settings of the `up` that runs in this folder, for commands that are typed beside it."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

DATA: Final = Path("var")
"""Where `orchestrator up` keeps its things."""

RUNNING: Final = DATA / "running.json"
"""The settings of the `up` that runs in this folder. It has the event socket's password: nobody else may read it."""

LOCK: Final = DATA / "lock"
"""Held as long as an `up` runs in this folder."""


def running_settings() -> dict[str, str]:
    """Return what `save_running` wrote, if the `up` that did so still runs."""
    try:
        with LOCK.open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read_running()
    except OSError:
        pass
    return {}


def _read_running() -> dict[str, str]:
    try:
        return dict(json.loads(RUNNING.read_text()))
    except (OSError, ValueError):
        return {}


def save_running(settings: Mapping[str, str]) -> None:
    """Write settings for commands that are typed in this folder."""
    RUNNING.unlink(missing_ok=True)
    with os.fdopen(os.open(RUNNING, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(dict(settings), file)
