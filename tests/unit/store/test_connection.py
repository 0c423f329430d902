"""No wait for Redis is longer than an API answer may take, and a lost answer does nothing twice."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from orchestrator.errors import Unavailable
from orchestrator.sandbox.embedded_redis import EmbeddedRedis
from orchestrator.store.conferences import ConferenceStore
from orchestrator.store.connection import connect, redis_errors
from tests.unit.records import ACCOUNT, create

ANSWER_SECONDS = 2.0


class LossyProxy:
    """Passes everything on to Redis, until it is told to cut the next answer off."""

    def __init__(self, port: int) -> None:
        self._upstream = port
        self.lose_next: Callable[[bytes], bool] = lambda request: False
        self.lost = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._listener.getsockname()[1]}/0"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        with near, socket.create_connection(("127.0.0.1", self._upstream)) as far:
            while request := near.recv(1 << 20):
                far.sendall(request)
                reply = far.recv(1 << 20)
                if self.lose_next(request):
                    self.lose_next = lambda _: False
                    self.lost += 1
                    return
                near.sendall(reply)

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def proxy(redis_url: str) -> Iterator[LossyProxy]:
    made = LossyProxy(int(redis_url.rpartition(":")[2].partition("/")[0]))
    yield made
    made.close()


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    server = EmbeddedRedis(tmp_path)
    yield server
    server.stop()


def test_a_redis_that_does_not_answer_is_unavailable_in_time(own_redis: EmbeddedRedis) -> None:
    """Stopped by SIGSTOP: the connection stands and nothing comes. 503 within 2 s, with what a request does besides."""
    client = connect(own_redis.start())
    client.ping()
    assert own_redis._process is not None
    os.kill(own_redis._process.pid, signal.SIGSTOP)
    started = time.monotonic()
    try:
        with pytest.raises(Unavailable), redis_errors():
            client.ping()
        assert time.monotonic() - started < ANSWER_SECONDS
    finally:
        os.kill(own_redis._process.pid, signal.SIGCONT)


def test_a_redis_that_is_gone_is_unavailable_at_once(own_redis: EmbeddedRedis) -> None:
    """And it is used again as soon as it is back, with what it was told before."""
    url = own_redis.start()
    client = connect(url)
    store = ConferenceStore(client)
    made = create(store)
    own_redis.stop()
    started = time.monotonic()
    with pytest.raises(Unavailable):
        store.load_conference(ACCOUNT, made.conference_sid)
    assert time.monotonic() - started < ANSWER_SECONDS / 2

    again = EmbeddedRedis(own_redis.directory, int(url.rpartition(":")[2].partition("/")[0]))
    again.start()
    try:
        assert store.load_participant(ACCOUNT, made.conference_sid, made.call_sid) == made
    finally:
        again.stop()


def test_a_create_whose_answer_was_lost_counts_once(proxy: LossyProxy) -> None:
    """The connection breaks between the write and its answer; the client connects and asks again by itself."""
    client = connect(proxy.url)
    store = ConferenceStore(client)
    sha = store._create.sha.encode()
    create(store, "warm-up: the script is loaded")
    proxy.lose_next = lambda request: sha in request
    made = create(store, label="host")

    assert proxy.lost == 1
    conference = store.load_conference(ACCOUNT, made.conference_sid)
    assert conference.live_count == 1
    assert len(store.list_participants(ACCOUNT, made.conference_sid)) == 1


def test_the_pool_is_bounded(redis_url: str) -> None:
    """Whoever finds all connections busy waits, and is told in time."""
    client = connect(redis_url, max_connections=1)
    held = client.connection_pool.get_connection()
    started = time.monotonic()
    try:
        with pytest.raises(Unavailable), redis_errors():
            client.ping()
    finally:
        client.connection_pool.release(held)

    assert time.monotonic() - started < ANSWER_SECONDS
    assert client.ping()


def test_every_error_of_redis_is_told_as_unavailable(client: redis.Redis) -> None:
    """A wrong type, a script that fails: 503 with the name of the error, never its text."""
    client.set("text", "1")
    with pytest.raises(Unavailable) as raised, redis_errors():
        client.hgetall("text")

    assert raised.value.message == "The data store is not reachable: ResponseError"
