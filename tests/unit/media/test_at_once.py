"""Under gevent: deadlines end everything, nobody waits for another's crowd, and nothing is left running."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.media.confined import Limits, run_confined
from tests.unit.media.test_decode import a_wav
from tests.unit.outgoing.flood import ROOT, flooding, watch

PREPARED = """
from gevent import monkey
monkey.patch_all()
import os, sys, tempfile, time
import gevent, gevent.server
import orchestrator.media.load as load_module
from orchestrator.media.confined import Limits, run_confined
from orchestrator.media.errors import MediaError
from orchestrator.media.program import Source
from orchestrator.media.render import Renderer
from orchestrator.media.speech import Speech
from orchestrator.store.connection import connect
from orchestrator.store.media import MediaStore
from orchestrator.twiml.voices import Speaker
from tests.harness.polling import eventually
from tests.unit.outbox import loopback_pool
from tests.unit.media.conftest import ONE, TWO, make_stage

def serve(answer):
    def talk(connected, peer):
        said = answer(connected.recv(65536).split()[1].decode())
        if said is None:
            gevent.sleep(20)
        else:
            connected.sendall(b"HTTP/1.1 " + said)
        connected.close()
    server = gevent.server.StreamServer(("127.0.0.1", 0), talk)
    server.start()
    return f"http://127.0.0.1:{server.server_port}"
def attempt(stage, url):
    started = time.monotonic()
    try:
        stage.load(url)
        code = 0
    except MediaError as error:
        code = error.code
    return code, time.monotonic() - started < 8
"""


def run(script: str, *arguments: str) -> list[str]:
    """The words that the script prints, without what it logs."""
    command = [sys.executable, "-c", PREPARED + script, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT)
    said = [line for line in done.stdout.splitlines() if "[" not in line]
    return " ".join(said).split() or [done.stderr[-2000:]]


# ------------------------------------------------------------ deadlines

EXCHANGE = """
from orchestrator.callbacks.overrides import parse_overrides
from orchestrator.media.errors import MediaError
from orchestrator.media.http import HttpRequest, send_request
from tests.unit.outbox import loopback_pool
try:
    send_request(loopback_pool(), HttpRequest("GET", url, dict(), None, parse_overrides(url), started + 0.5))
except MediaError as error:
    print(error.code)
"""


@pytest.mark.parametrize(
    ("kind", "codes"), [("continue", "11203"), ("chunks", "11203"), ("gzip's name", "11203 11750")]
)
def test_others_run_while_a_flood_is_read(kind: str, codes: str) -> None:
    """Its deadline ends it, or its size."""
    with flooding(kind) as port:
        said, *rest = watch(EXCHANGE, f"http://127.0.0.1:{port}/")

    assert said in codes.split()
    assert rest[:2] == ["True", "True"]


LOAD = """
load_module.LOAD_SECONDS = 0.4
stage = make_stage(connect(sys.argv[1]), loopback_pool())
url = serve(lambda path: None)
print(*attempt(stage, url + "/#rp=all&rc=5&tt=15000"))
try:
    with gevent.Timeout(0.1) as mine:
        attempt(stage, url + "/#rp=all&rc=5&tt=15000")
except gevent.Timeout as ended:
    print(ended is mine)
"""


def test_a_load_ends_in_time_whatever_is_retried(redis_url: str) -> None:
    """LOAD_SECONDS is no failure of a server's, so nothing begins anew when it has passed. A caller's stays its."""
    assert run(LOAD, redis_url) == ["11203", "True", "True"]


# ------------------------------------------------------------ slots

CROWD = """
renderer = Renderer(MediaStore(connect(sys.argv[1]), 1 << 26), Speech(f"cat {sys.argv[2]}"))
done = []
def say(account, number):
    renderer.render_speech(account, f"Number {number}", "", Speaker("en-US", "female"))
    done.append(account)
crowd = [gevent.spawn(say, ONE, number) for number in range(20)]
gevent.sleep(0.01)
say(TWO, 0)
print(done.index(TWO) < 6)
gevent.joinall(crowd)
print(len(done))
"""


def test_one_accounts_speech_does_not_wait_for_anothers(redis_url: str, tmp_path: Path) -> None:
    """Twenty texts of one account, and then one of another: each account has one program at a time."""
    (tmp_path / "a.wav").write_bytes(a_wav(8000, 1, 0.1))

    assert run(CROWD, redis_url, str(tmp_path / "a.wav")) == ["True", "21"]


# ------------------------------------------------------------ nothing is left

KILLED = """
def one():
    with tempfile.TemporaryFile() as given:
        run_confined(["sleep", "60"], given, Limits(60, 2 << 30, 1024))
def children():
    with open(f"/proc/self/task/{os.getpid()}/children") as file:
        return file.read().split()
def files():
    return len(os.listdir("/proc/self/fd"))
gevent.spawn(one).kill()
before = files()
for number in range(60):
    running = gevent.spawn(one)
    gevent.sleep(0.0005 * (number % 12))
    running.kill(block=False)
print(eventually(lambda: not children(), "no children"), eventually(lambda: files() <= before + 2, "no open files"))
"""


def test_a_program_whose_greenlet_is_ended_is_ended() -> None:
    """Also while it is being started."""
    assert run(KILLED) == ["True", "True"]


@pytest.fixture
def alive(tmp_path: Path) -> Iterator[int]:
    """The reading end of `tmp_path / "alive"`, which programs hold open for as long as they live."""
    os.mkfifo(tmp_path / "alive")
    reading = os.open(tmp_path / "alive", os.O_RDONLY | os.O_NONBLOCK)
    yield reading
    os.close(reading)


def read(alive: int) -> bytes:
    """What comes next; nothing if everyone who could write has ended."""
    assert select.select([alive], [], [], 10)[0], "somebody is still alive, and silent"
    return os.read(alive, 100)


@pytest.mark.parametrize(("last", "status"), [("wait", None), ("exit 0", 0)])
def test_what_a_program_has_started_ends_with_it(tmp_path: Path, alive: int, last: str, status: int | None) -> None:
    """Whether the program ran out of time or has left it behind."""
    os.mkfifo(tmp_path / "go")
    background = f"(echo started; echo go >{tmp_path}/go; exec sleep 60) >{tmp_path}/alive 2>&1"
    script = f"{background} & read line <{tmp_path}/go; {last}"
    with tempfile.TemporaryFile() as given:
        ended = run_confined(["sh", "-c", script], given, Limits(1, 2 << 30, 1024))

    assert ended.status == status
    assert (read(alive), read(alive)) == (b"started\n", b"")


def test_a_program_ends_with_us(tmp_path: Path, alive: int) -> None:
    """However we end."""
    program = f"exec >{tmp_path}/alive; echo started; exec sleep 60"
    script = f"run_confined(['sh', '-c', '{program}'], open('{tmp_path}/given', 'w+b'), Limits(60, 2 << 30, 1024))"
    with subprocess.Popen([sys.executable, "-c", PREPARED + script], cwd=ROOT) as ours:
        assert read(alive) == b"started\n"
        ours.send_signal(signal.SIGKILL)
        ours.wait()

        assert read(alive) == b""
