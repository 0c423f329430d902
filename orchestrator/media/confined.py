"""Runs programs that work on a stranger's bytes: with little time, memory and output, and none of our secrets.

Standard input and output are files, so that nothing has to be pumped and the kernel bounds what is written.
"""

from __future__ import annotations

import os
import resource
import signal
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Final

import gevent
from gevent import Greenlet, subprocess

from orchestrator.children import die_with_parent

PROMPT_SECONDS: Final = 2.0
"""How long a program runs at our own priority, since somebody waits to hear what it makes; one that takes longer is
lowered, and makes room for all."""

NICE: Final = 10
SEEN: Final = ("PATH", "HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH")
"""What a program sees of our environment; passwords are in other variables."""


@dataclass(frozen=True, slots=True)
class Limits:
    """`seconds` of clock time, and as many of CPU time; bytes of memory (address space) and of output."""

    seconds: float
    memory_bytes: int
    output_bytes: int


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended: its exit status, negative for a signal, or None for one that ran out of time; what it wrote,
    and how its complaints begin."""

    status: int | None
    output: bytes
    complaint: str


def run_confined(command: Sequence[str], given: IO[bytes], limits: Limits) -> Ended:
    """Run a program over the file `given`, from its start. Raises OSError if it cannot be started.

    Nothing that it has started is left when this returns, or when a caller's deadline or a kill ends it at any time.
    """
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as complaints:
        given.seek(0)
        process = _start(command, (given, output, complaints), limits)
        try:
            status = _wait(process, limits.seconds)
        except subprocess.TimeoutExpired:
            status = None
        finally:
            _end(process)
        output.seek(0)
        complaints.seek(0)
        return Ended(status, output.read() if status == 0 else b"", complaints.read(300).decode("utf-8", "replace"))


KEEPS_NO_BYTECODE: Final = {"PYTHONDONTWRITEBYTECODE": "1"}
"""A limit on the size of files would cut off a .pyc that it writes, and with it everybody's next start."""


def _wait(process: subprocess.Popen[bytes], seconds: float) -> int:
    """Wait for the program to end; returns its exit status. Raises TimeoutExpired."""
    prompt = min(PROMPT_SECONDS, seconds)
    with suppress(subprocess.TimeoutExpired):
        return process.wait(timeout=prompt)
    with suppress(ProcessLookupError, PermissionError):
        os.setpriority(os.PRIO_PGRP, process.pid, os.nice(0) + NICE)
    return process.wait(timeout=seconds - prompt)


def _start(command: Sequence[str], files: tuple[IO[bytes], ...], limits: Limits) -> subprocess.Popen[bytes]:
    """Start the program, in a greenlet of its own: a caller that is ended while the program starts would not know what
    there is to end."""
    starting: Greenlet[..., subprocess.Popen[bytes] | Exception] = gevent.spawn(_popen, command, files, limits)
    try:
        started = starting.get()
    except BaseException:
        starting.link_value(lambda done: _end(done.value))
        raise
    if isinstance(started, Exception):
        raise started
    return started


def _popen(command: Sequence[str], files: tuple[IO[bytes], ...], limits: Limits) -> subprocess.Popen[bytes] | Exception:
    """Start the program. An error is returned, not raised: gevent would print it."""
    given, output, complaints = files
    try:
        return subprocess.Popen(
            list(command),
            stdin=given,
            stdout=output,
            stderr=complaints,
            env={name: os.environ[name] for name in SEEN if name in os.environ} | KEEPS_NO_BYTECODE,
            preexec_fn=lambda: _confine(limits),
            start_new_session=True,
        )
    except (OSError, ValueError, subprocess.SubprocessError) as error:  # ValueError: ended before it began
        return error


def _end(started: subprocess.Popen[bytes] | Exception | None) -> None:
    """Kill whatever is left of a program, itself or what it has started: its session is its process group."""
    if not isinstance(started, subprocess.Popen):
        return
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(started.pid, signal.SIGKILL)
    if started.returncode is None:
        gevent.spawn(started.wait)  # it is not left behind as a zombie, and nobody waits for it


def _confine(limits: Limits) -> None:
    """Confine the child, before it becomes the program."""
    seconds = int(limits.seconds) + 1
    for kind, most in (
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_AS, limits.memory_bytes),
        (resource.RLIMIT_FSIZE, limits.output_bytes),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(kind)[1]  # which nobody but root may raise
        least = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (least, least))
    die_with_parent()
