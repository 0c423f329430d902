"""No wait for Redis is longer than an API answer may take, and a lost answer does nothing twice."""

from __future__ import annotations

import os
import signal

import pytest
import redis

from orchestrator.embedded_redis import EmbeddedRedis
from orchestrator.errors import Unavailable
from orchestrator.store.conferences import ConferenceStore
from orchestrator.store.connection import connect, redis_errors
from orchestrator.store.scripts import read_script
from tests.unit.lossy_proxy import LossyProxy
from tests.unit.patience import is_quick
from tests.unit.records import ACCOUNT, create

ANSWER_SECONDS = 2.0


def unavailable(client: redis.Redis) -> None:
    with pytest.raises(Unavailable), redis_errors():
        client.ping()


def test_a_redis_that_does_not_answer_is_unavailable_in_time(own_redis: EmbeddedRedis) -> None:
    """Stopped by SIGSTOP: the connection stands and nothing comes. 503 within 2 s, with what a request does besides."""
    client = connect(own_redis.start())
    client.ping()
    assert own_redis._process is not None
    os.kill(own_redis._process.pid, signal.SIGSTOP)
    try:
        assert is_quick(lambda: unavailable(client), ANSWER_SECONDS)
    finally:
        os.kill(own_redis._process.pid, signal.SIGCONT)


def test_a_redis_that_is_gone_is_unavailable_at_once(own_redis: EmbeddedRedis) -> None:
    """And it is used again as soon as it is back, with what it was told before."""
    url = own_redis.start()
    client = connect(url)
    store = ConferenceStore(client)
    made = create(store)
    own_redis.stop()
    assert is_quick(lambda: unavailable(client), ANSWER_SECONDS / 2)
    with pytest.raises(Unavailable):
        store.load_conference(ACCOUNT, made.conference_sid)

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
    first_line = read_script("conferences/create_participant").splitlines()[0].encode()
    proxy.lose_next = lambda request: first_line in request
    made = create(store, label="host")

    assert proxy.lost == 1
    conference = store.load_conference(ACCOUNT, made.conference_sid)
    assert conference.live_count == 1
    assert len(store.list_participants(ACCOUNT, made.conference_sid)) == 1


def test_the_pool_is_bounded(redis_url: str) -> None:
    """Whoever finds all connections busy waits, and is told in time."""
    client = connect(redis_url, max_connections=1)
    held = client.connection_pool.get_connection()
    try:
        assert is_quick(lambda: unavailable(client), ANSWER_SECONDS)
    finally:
        client.connection_pool.release(held)

    assert client.ping()


def test_every_error_of_redis_is_told_as_unavailable(client: redis.Redis) -> None:
    """A wrong type, a script that fails: 503 with the name of the error, never its text."""
    client.set("text", "1")
    with pytest.raises(Unavailable) as raised, redis_errors():
        client.hgetall("text")

    assert raised.value.message == "The data store is not reachable: ResponseError"
