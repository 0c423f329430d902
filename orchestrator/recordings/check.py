"""Checks RECORDINGS_DIR for `orchestrator check`: is it writable here, is there room, and is what a node writes there
seen here?"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from orchestrator.errors import Unavailable
from orchestrator.freeswitch.client import CommandRefused
from orchestrator.freeswitch.commands import KillChannel, SwitchCommand
from orchestrator.freeswitch.recordings import JoinRecorder, StartPart, StopWriting
from orchestrator.recordings.recorder import parts_directory
from orchestrator.sids import mint_sid, recorder_uuid_of

ENOUGH_BYTES: Final = 1 << 30
HOUR_MEGABYTES: Final = 115
"""What an hour of a call takes, in two channels, until it is processed."""

SEEN_SECONDS: Final = 2.0
LOOK_SECONDS: Final = 0.05

Line = tuple[bool | None, str]


def directory_here(directory: str) -> Line:
    """Check whether RECORDINGS_DIR is writable here and has room. None, neither good nor bad: there is little room, or
    no such directory, as where nobody means to record."""
    if not Path(directory).is_dir():
        return None, f"RECORDINGS_DIR {directory} does not exist: nothing can be recorded"
    try:
        with tempfile.TemporaryFile(dir=directory) as file:
            file.write(bytes(1 << 16))
            file.flush()
        free = shutil.disk_usage(directory).free
    except OSError as error:
        return False, f"RECORDINGS_DIR {directory} cannot be written here: {error.strerror}"
    room = f"RECORDINGS_DIR {directory} can be written here, {free >> 20} MB are free"
    if free < ENOUGH_BYTES:
        return None, f"{room}; an hour of a call takes {HOUR_MEGABYTES} until it is processed"
    return True, room


def directory_of(directory: str, name: str, send: Callable[[SwitchCommand], str]) -> Line:
    """Check whether a file that a node writes is seen here: it records silence for a moment, as it would a
    conference."""
    if not Path(directory).is_dir():
        return None, f"node {name} was not asked to write there"
    sid = mint_sid("RE")
    path, channel_uuid = f"{parts_directory(directory)}/check.{sid}.wav", recorder_uuid_of(sid)
    try:
        send(JoinRecorder(channel_uuid, mint_sid("CF")))
        send(StartPart(channel_uuid, path, stereo=False))
        is_seen = _is_seen(path)
    except CommandRefused as error:
        return False, f"node {name} cannot write into {directory}: {str(error).strip()[:100]}"
    except Unavailable as error:
        return False, f"node {name}: {error.message}"
    finally:
        for command in (StopWriting(channel_uuid, path), KillChannel(channel_uuid)):
            with contextlib.suppress(CommandRefused, Unavailable):  # never begun
                send(command)
        with contextlib.suppress(OSError):  # never seen
            os.unlink(path)
    if is_seen:
        return True, f"node {name} writes into RECORDINGS_DIR, and it is seen here"
    return False, f"node {name} writes into {directory}, and it is not seen here: is it the same directory?"


def _is_seen(path: str) -> bool:
    until = time.monotonic() + SEEN_SECONDS
    while time.monotonic() < until:
        with contextlib.suppress(FileNotFoundError):
            if os.stat(path).st_size > 0:
                return True
        time.sleep(LOOK_SECONDS)
    return False
