"""A loader as wiring builds it, a server that answers as a test wants it to, and one that misbehaves below HTTP."""

from __future__ import annotations

import contextlib
import shutil
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis

from orchestrator.dialects.registry import DIALECTS
from orchestrator.media.errors import MediaError
from orchestrator.media.fetch import Fetcher
from orchestrator.media.load import ProgramLoader
from orchestrator.media.program import Clip, Source
from orchestrator.media.render import Renderer
from orchestrator.media.speech import Speech
from orchestrator.outgoing.pool import OutgoingPool
from orchestrator.store.accounts import Account, AccountStore
from orchestrator.store.media import MediaStore
from orchestrator.twiml.verbs import Method
from tests.unit.callbacks.web import TOKEN, Web
from tests.unit.outbox import loopback_pool

ONE, TWO = "AC" + "1" * 32, "AC" + "2" * 32
SPEAKER = f"{sys.executable} {Path(__file__).with_name('speaker.py')}"
"""Speaks on machines without espeak-ng, too."""

PARAMETERS = (("CallSid", "CA1"), ("FriendlyName", "Ünï & co"))


@dataclass(frozen=True)
class Played:
    """What is heard of a document, if all of it can be: its clips, and where it leads then."""

    clips: tuple[Clip, ...] = ()
    then: Source | None = None


@dataclass
class Stage:
    client: redis.Redis
    media: MediaStore
    loader: ProgramLoader

    def load(
        self, url: str, method: Method = "GET", parameters: tuple[tuple[str, str], ...] = (), account: str = ONE
    ) -> Played:
        """A document played through; the first verb that cannot be is an error."""
        program = self.loader.load_program(Source(url, method, parameters, account))
        if program.clip is not None:
            return Played((program.clip,))
        clips = [self.loader.render(verb, program.base, account) for verb in program.verbs]
        return Played(tuple(clip for clip in clips if clip.duration_ms), program.then)

    def code(self, url: str, method: Method = "GET", parameters: tuple[tuple[str, str], ...] = ()) -> int:
        with pytest.raises(MediaError) as refused:
            self.load(url, method, parameters)
        return refused.value.code


def make_stage(client: redis.Redis, pool: OutgoingPool, max_bytes: int = 128 * 1024**2, command: str = "") -> Stage:
    accounts, media = AccountStore(client), MediaStore(client, max_bytes)
    for account_sid in (ONE, TWO):
        accounts.save_account(Account(account_sid, TOKEN, "active"))
    engine = "espeak-ng --stdin --stdout -v {voice}" if shutil.which("espeak-ng") else SPEAKER
    renderer = Renderer(media, Speech(command or engine))
    return Stage(client, media, ProgramLoader(Fetcher(pool, DIALECTS.sign, accounts, media, renderer), renderer))


@pytest.fixture
def stage(client: redis.Redis) -> Stage:
    return make_stage(client, loopback_pool())


@pytest.fixture
def web() -> Iterator[Web]:
    made = Web()
    made.start()
    yield made
    made.stop()


@pytest.fixture
def raw() -> Iterator[Callable[[bytes], str]]:
    """Servers that say exactly these bytes to everyone who connects, and then stay silent; the URL of each."""
    ended = threading.Event()
    listening: list[socket.socket] = []

    def serve(server: socket.socket, said: bytes) -> None:
        with contextlib.suppress(OSError):
            while True:
                connected, _ = server.accept()
                threading.Thread(target=talk, args=(connected, said), daemon=True).start()

    def talk(connected: socket.socket, said: bytes) -> None:
        with connected, contextlib.suppress(OSError):
            connected.recv(65536)
            connected.sendall(said)
            ended.wait(20)

    def start(said: bytes) -> str:
        server = socket.create_server(("127.0.0.1", 0))
        listening.append(server)
        threading.Thread(target=serve, args=(server, said), daemon=True).start()
        return f"127.0.0.1:{server.getsockname()[1]}"

    yield start
    ended.set()
    for server in listening:
        server.close()


@pytest.fixture
def elapsed() -> Callable[[], float]:
    started = time.monotonic()
    return lambda: time.monotonic() - started
