"""What somebody can do who runs code of their own in the decoder: compute, and write to its output."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from orchestrator.media.confined import Limits, run_confined
from orchestrator.processes.worker import run_worker
from tests.unit.media.test_decode import MP3

HOSTILE = {
    "read a file": "open('/etc/hostname').read()",
    "read the parent's environment": "open(f'/proc/{parent}/environ', 'rb').read()",
    "read the parent's memory": "open(f'/proc/{parent}/mem', 'rb')",
    "read the parent's memory without a file": "ask('process_vm_readv', parent, 0, 0, 0, 0, 0)",
    "attach to the parent": "ask('ptrace', 16, parent, 0, 0)",
    "read its own environment anew": "open('/proc/self/environ').read()",
    "list a folder": "os.listdir('/')",
    "write a file": "open(target, 'w')",
    "make a folder": "os.mkdir(target + '.d')",
    "remove a file": "os.unlink('/etc/hostname')",
    "open a socket": "socket.socket()",
    "open a Unix socket": "socket.socket(socket.AF_UNIX)",
    "open a netlink socket": "socket.socket(16, socket.SOCK_RAW)",
    "make a pair of sockets": "socket.socketpair()",
    "start a program": "os.execv('/bin/sh', ['sh', '-c', 'true'])",
    "fork": "os.fork()",
    "start a thread": "threading.Thread(target=print).start()",
    "signal the parent": "os.kill(parent, 0)",
    "change its user": "os.setuid(os.getuid())",
    "make namespaces": "ask('unshare', 0x10000000)",
    "mount": "ask('mount', 0, 0, 0, 0, 0)",
    "use io_uring": "ask('io_uring_setup', 1, 0)",
    "make a file in memory": "os.memfd_create('x')",
    "load a kernel program": "ask('bpf', 0, 0, 0)",
    "be dumpable again": "prctl(4, 1)",
    "look at its limits": "resource.getrlimit(resource.RLIMIT_FSIZE)",
    "lift the filter": "allow_only(('openat',))",
}

SCRIPT = """
import ctypes, os, resource, socket, sys, threading
from orchestrator.media.decode import confine
from orchestrator.media.syscalls import allow_only
parent, target, attempt = os.getppid(), sys.argv[1], sys.argv[2]
seccomp, libc = ctypes.CDLL("libseccomp.so.2"), ctypes.CDLL(None, use_errno=True)
NUMBERS = {name: seccomp.seccomp_syscall_resolve_name(name.encode())
           for name in ("process_vm_readv", "ptrace", "unshare", "mount", "io_uring_setup", "bpf")}
def must(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), "refused")
def ask(name, *arguments):
    must(libc.syscall(NUMBERS[name], *arguments))
def prctl(*arguments):
    must(libc.prctl(*arguments))
compiled = compile(attempt, "attempt", "exec")
try:
    open("/etc/hostname").close(); os.listdir("/")
except OSError:
    print("the test itself cannot read"); raise
if len(sys.argv) < 4:
    confine()
try:
    exec(compiled)
    said = b"done"
except (OSError, RuntimeError) as error:
    said = b"refused" if getattr(error, "errno", None) in (None, 1, 125) else repr(error).encode()
os.write(1, said)
os._exit(0)
"""
"""It has done all imports and looked at files before: what is refused is refused by the confinement, and only by it."""


def run(attempt: str, *arguments: str) -> bytes:
    with tempfile.TemporaryFile() as given, tempfile.TemporaryDirectory() as folder:
        limits = Limits(10, 2 * 1024**3, 1024)
        command = [sys.executable, "-c", SCRIPT, f"{folder}/target", attempt, *arguments]
        ended = run_confined(command, given, limits)
        assert ended.status == 0, ended.complaint
        assert arguments or os.listdir(folder) == []
        return ended.output


@pytest.mark.parametrize("attempt", HOSTILE.values(), ids=HOSTILE)
def test_hostile_code_in_the_decoder_is_refused(attempt: str) -> None:
    """Each attempt by itself, as the same user as the worker, or as root where tests run so: EPERM."""
    assert run(attempt) == b"refused"


@pytest.mark.parametrize("name", ["read a file", "list a folder", "open a socket", "make a pair of sockets"])
def test_the_same_is_possible_without_the_confinement(name: str) -> None:
    """Or the test above would prove nothing."""
    assert run(HOSTILE[name], "unconfined") == b"done"


def test_the_confined_still_compute_and_write() -> None:
    """To the file that was open before."""
    assert run("os.write(1, bytes(9)); sum(range(10**6)); bytearray(10**7)") == bytes(9) + b"done"


@pytest.fixture
def as_nobody() -> list[str]:
    """A Python that runs as in our container: another user, no capability, no new privileges. The system's own where
    ours lies in somebody's home."""
    drop = ["--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all"] if os.geteuid() == 0 else []
    installed = Path(f"/usr/bin/python3.{sys.version_info.minor}")
    return ["setpriv", *drop, "--no-new-privs", str(installed if installed.exists() else sys.executable), "-S", "-c"]


PATHS = [next(path for path in sys.path if path.endswith("site-packages")), str(Path(__file__).parents[3])]
OURS = f"import sys; sys.path[:0] = {PATHS!r}\n"


def test_it_needs_no_privileges(as_nobody: list[str]) -> None:
    """A container that has dropped every capability, with no-new-privileges and a user of its own, confines as well."""
    hostile = [*as_nobody, OURS + SCRIPT, "target", HOSTILE["read a file"]]
    refused = subprocess.run(hostile, check=False, capture_output=True, stdin=subprocess.DEVNULL)
    with tempfile.TemporaryFile() as output:
        decode = [*as_nobody, OURS + "from orchestrator.media.decode import main; sys.exit(main([]))"]
        decoded = subprocess.run(decode, input=MP3, stdout=output, check=False, stderr=subprocess.PIPE)
        size = os.fstat(output.fileno()).st_size

    assert refused.stdout == b"refused", refused.stderr
    assert (decoded.returncode, size > 8_000) == (0, True), decoded.stderr


WORKER = """
import tempfile
from orchestrator.media.confined import Limits, run_confined
from orchestrator.media.syscalls import make_undumpable
if dumpable == "not dumpable":
    make_undumpable()
command = ["sh", "-c", "cat /proc/$PPID/environ > /dev/null && echo read"]
print(run_confined(command, tempfile.TemporaryFile(), Limits(10, 2**31, 1024)).output.decode())
"""


@pytest.mark.parametrize(("dumpable", "said"), [("dumpable", "read"), ("not dumpable", "")])
def test_a_speech_engine_cannot_read_the_worker_s_environment(as_nobody: list[str], dumpable: str, said: str) -> None:
    """It has to open files, and so is not confined; but who is not dumpable is not looked at by others of its user."""
    code = f"{OURS}dumpable = {dumpable!r}\n{WORKER}"
    ended = subprocess.run([*as_nobody, code], check=False, capture_output=True, text=True)

    assert ended.stdout.strip() == said, ended.stderr


def test_a_worker_is_not_dumpable() -> None:
    """From its start."""
    names = run_worker.__code__.co_names

    assert names.index("make_undumpable") < names.index("build_worker")
