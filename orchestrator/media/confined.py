"""Programs that work on a stranger's bytes: few at once, with little time, memory and output, and none of our secrets.

Standard input and output are files, so that nothing has to be pumped and the kernel bounds what is written.
"""

from __future__ import annotations

import os
import resource
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Final

import gevent
from gevent import subprocess
from gevent.lock import BoundedSemaphore

from orchestrator.children import die_with_parent

NICE: Final = 10
_SEEN: Final = ("PATH", "HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH")
"""What a program sees of our environment; passwords are in other variables."""

_at_once: Final = BoundedSemaphore(max(os.cpu_count() or 1, 2))
"""Of this process: more would only make each of them slower."""


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

    Waits for its turn first; a caller's deadline may end the wait and the program.
    """
    with _at_once, tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as complaints:
        given.seek(0)
        process = subprocess.Popen(
            list(command),
            stdin=given,
            stdout=output,
            stderr=complaints,
            env={name: os.environ[name] for name in _SEEN if name in os.environ},
            preexec_fn=lambda: _confine(limits),
            start_new_session=True,
        )
        try:
            status = process.wait(timeout=limits.seconds)
        except subprocess.TimeoutExpired:
            status = None
        finally:
            if process.returncode is None:
                process.kill()
                gevent.spawn(process.wait)  # it is not left behind as a zombie, and nobody waits for it
        output.seek(0)
        complaints.seek(0)
        return Ended(status, output.read() if status == 0 else b"", complaints.read(300).decode("utf-8", "replace"))


def _confine(limits: Limits) -> None:
    """In the child, before the program."""
    seconds = int(limits.seconds) + 1
    for kind, most in (
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_AS, limits.memory_bytes),
        (resource.RLIMIT_FSIZE, limits.output_bytes),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (most, most))
    os.nice(NICE)
    die_with_parent()
