"""A real Redis for the unit tests, and hypothesis without a deadline: a slow machine fails nothing. Few examples at a
desk, many where CI or HYPOTHESIS_PROFILE=full says so."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from hypothesis import settings

from orchestrator import logs
from orchestrator.embedded_redis import EmbeddedRedis
from orchestrator.store.connection import connect
from tests.unit.fake_esl import FakeEsl, Script
from tests.unit.lossy_proxy import LossyProxy

settings.register_profile("quick", max_examples=15, deadline=None)
settings.register_profile("full", max_examples=100, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("full" if os.environ.get("CI") else "quick"))


@pytest.fixture(autouse=True)
def _about_nothing() -> None:
    """Whom an earlier test's lines were about is no part of this one's."""
    logs.start()


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a Redis that all tests share; it is never stopped in between."""
    server = EmbeddedRedis(tmp_path_factory.mktemp("redis"))
    yield server.start()
    server.stop()


@pytest.fixture
def redis_url(redis_server: str) -> str:
    """The same Redis, empty."""
    with redis.Redis.from_url(redis_server) as client:
        client.flushall()
    return redis_server


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    """A connection as the product makes it, to an empty Redis."""
    connected = connect(redis_url)
    yield connected
    connected.close()


@pytest.fixture
def fake_esl() -> Iterator[Callable[..., FakeEsl]]:
    """Starts scripted event socket servers; they end with the test."""
    started: list[FakeEsl] = []

    def start(script: Script, receive_buffer: int = 0) -> FakeEsl:
        server = FakeEsl(script, receive_buffer)
        server.start()
        started.append(server)
        return server

    yield start
    for server in started:
        server.stop()


@pytest.fixture
def proxy(redis_url: str) -> Iterator[LossyProxy]:
    """Another way to the shared Redis, which can lose an answer."""
    made = LossyProxy(int(redis_url.rpartition(":")[2].partition("/")[0]))
    yield made
    made.close()


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    """A Redis of the test's own, to be broken; not started yet."""
    server = EmbeddedRedis(tmp_path / "redis")
    yield server
    server.stop()
