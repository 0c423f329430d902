"""A program that works on a stranger's bytes can do no harm but to itself."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Callable

import pytest
from gevent import subprocess

from orchestrator.media import confined
from orchestrator.media.confined import NICE, Ended, Limits, run_confined

PLENTY = Limits(seconds=10, memory_bytes=2 * 1024**3, output_bytes=1024)


def run(script: str, limits: Limits = PLENTY, given: bytes = b"") -> Ended:
    with tempfile.TemporaryFile() as file:
        file.write(given)
        return run_confined([sys.executable, "-S", "-c", script], file, limits)


def test_a_program_reads_a_file_and_writes_one() -> None:
    """From its start, wherever the file stands."""
    ended = run("import sys; print(sys.stdin.read()[::-1], end='')", given=b"abc")

    assert ended == Ended(0, b"cba", "")


def test_it_sees_none_of_our_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords are in the environment; of that it gets what programs need to start."""
    monkeypatch.setenv("FREESWITCH_PASSWORD", "secret")
    monkeypatch.setenv("PYTHONPATH", "somewhere")
    ended = run("import os; print(*sorted(os.environ))")

    assert set(ended.output.decode().split()) <= {"PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH"} | {
        "PYTHONDONTWRITEBYTECODE"
    }


@pytest.mark.parametrize(
    ("script", "limits", "status", "complaint"),
    [
        ("import time; time.sleep(60)", Limits(0.3, 2 * 1024**3, 1024), None, ""),
        ("while True: pass", Limits(0.3, 2 * 1024**3, 1024), None, ""),
        ("bytearray(1024 ** 3)", Limits(10, 512 * 1024**2, 1024), 1, "MemoryError"),
        (
            "import os; os.write(1, bytes(900)); os.write(1, bytes(900)); os.write(1, b'x')",
            Limits(10, 2 * 1024**3, 1024), 1, "File too large",
        ),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", PLENTY, -signal.SIGSEGV, ""),
    ],
    ids=["sleep", "spin", "memory", "output", "crash"],
)  # fmt: skip
def test_it_ends_by_itself_or_is_ended(
    script: str, limits: Limits, status: int | None, complaint: str, elapsed: Callable[[], float]
) -> None:
    """By the clock, by memory, or by what it writes; its output does not count then."""
    ended = run(script, limits)

    assert (ended.status, ended.output) == (status, b"")
    assert complaint in ended.complaint
    assert elapsed() < 30


def test_the_kernel_counts_its_processor_time(monkeypatch: pytest.MonkeyPatch, elapsed: Callable[[], float]) -> None:
    """Were nobody to look at the clock, it would end all the same."""
    wait = subprocess.Popen.wait
    monkeypatch.setattr(subprocess.Popen, "wait", lambda process, timeout=None: wait(process, timeout=30))
    ended = run("while True: pass", Limits(0.3, 2 * 1024**3, 1024))

    assert ended.status in (-signal.SIGXCPU, -signal.SIGKILL)
    assert elapsed() < 25


@pytest.mark.parametrize(
    ("prompt", "niceness"), [(60.0, os.nice(0)), (0.0, min(os.nice(0) + NICE, 19))], ids=["at first", "then"]
)
def test_it_is_urgent_at_first_and_makes_room_for_others_then(
    prompt: float, niceness: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody waits to hear what it makes; what takes long must not keep all others waiting."""
    monkeypatch.setattr(confined, "PROMPT_SECONDS", prompt)

    assert run(f"import os\nwhile os.nice(0) != {niceness}: pass").status == 0


def test_limits_are_no_higher_than_our_own() -> None:
    """Nobody but root may raise one: where ours are low, programs run within those."""
    script = (
        "import resource, tempfile; from orchestrator.media.confined import Limits, run_confined\n"
        "resource.setrlimit(resource.RLIMIT_CPU, (30, 40))\n"
        "command = ['sh', '-c', 'ulimit -H -t; ulimit -S -t']\n"
        "print(run_confined(command, tempfile.TemporaryFile(), Limits(100, 2**31, 1024)))"
    )
    done = subprocess.check_output([sys.executable, "-c", script], text=True)

    assert done == f"{Ended(0, b'40' + bytes([10]) + b'40' + bytes([10]), '')}\n"


def test_a_program_that_is_not_there_is_an_error() -> None:
    """For the caller to say what it means."""
    with tempfile.TemporaryFile() as given, pytest.raises(FileNotFoundError):
        run_confined(["no-such-program"], given, PLENTY)


def test_what_it_complains_of_is_kept_short() -> None:
    """Enough for a line in the log."""
    ended = run("import sys; sys.stderr.write('e' * 1000); sys.exit(3)")

    assert (ended.status, ended.complaint) == (3, "e" * 300)
