"""Redis behind Sentinels: real servers, of which the primary dies."""

from __future__ import annotations

import os
import signal
import socket
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import redis

from orchestrator.domain.changes import Change
from orchestrator.setting_values import check_redis_url
from orchestrator.store import keys, replicas
from orchestrator.store.commits import CommitStore
from orchestrator.store.conferences import ConferenceStore
from orchestrator.store.connection import connect, make_pool
from orchestrator.store.leases import LeaseStore
from orchestrator.store.redis_urls import SentinelUrl, Servers, parse_cluster_url, parse_sentinel_url
from orchestrator.store.replicas import Replicas
from orchestrator.store.sentinel import CERTAIN_SECONDS
from tests.harness.polling import eventually
from tests.harness.sentinel import Guarded
from tests.unit.records import create


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Guarded]:
    running = Guarded(tmp_path)
    running.start()
    yield running
    running.stop()


def test_whoever_writes_finds_the_next_primary(guarded: Guarded) -> None:
    """Of both clients: that of the state, and RQ's, which keeps bytes."""
    state, queue = connect(guarded.url), redis.Redis(connection_pool=make_pool(guarded.url))
    state.set("before", "1")
    queue.set("queued", "1")
    assert state.wait(1, 1000) == 1
    first = LeaseStore(state).take("fs1", "one")
    gone = guarded.kill_9()

    def writes() -> bool:
        try:
            return bool(state.set("after", "2")) and bool(queue.set("after", "2"))
        except redis.RedisError:
            return False

    eventually(writes, "the replica takes writes", 20)
    assert (state.get("before"), queue.get("queued")) == ("1", b"1")
    second = LeaseStore(state).take("fs2", "two")
    assert first is not None
    assert second is not None
    assert second.epoch > first.epoch

    guarded.bring_back(gone)
    eventually(lambda: guarded.primary_port() != gone, "the old one is a replica", 60)
    assert state.set("at last", "3")


def test_a_primary_that_was_frozen_is_left_for_its_successor(guarded: Guarded) -> None:
    """It takes writes for ten seconds still, until the Sentinel tells it to follow, and then forgets them."""
    client = connect(guarded.url)
    client.set("before", "1")
    old_port, successor_port = guarded.primary_port() or 0, guarded.replica_port()
    pid = guarded.freeze()
    eventually(lambda: guarded.named_port() == successor_port, "it has a successor", 20)
    os.kill(pid, signal.SIGCONT)
    old, successor = (redis.Redis(port=port, decode_responses=True) for port in (old_port, successor_port))
    assert old.info("replication")["role"] == "master"

    for number in range(20):
        client.set("after", str(number))
        assert successor.get("after") == str(number)
    assert old.info("replication")["role"] == "master", "it would have taken them"


def test_a_primary_without_replicas_is_left(tmp_path: Path) -> None:
    """It refuses writes by itself (`min-replicas-to-write`): whoever has a connection asks the Sentinels again."""
    guarded = Guarded(tmp_path, replicas=2)
    guarded.start()
    try:
        client = connect(guarded.url)
        client.set("before", "1")
        one, another = [port for port in guarded.server_ports if port != guarded.primary_port()]
        redis.Redis(port=one).replicaof("NO", "ONE")
        redis.Redis(port=another).replicaof("NO", "ONE")
        with pytest.raises(redis.ConnectionError, match="too few replicas"):
            client.set("after", "1")
    finally:
        guarded.stop()


def test_a_commit_waits_for_a_replica_and_not_for_one_that_is_away(
    guarded: Guarded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is told of it is told what a failover keeps; without a replica everything goes on."""
    client = connect(guarded.url)
    store, commits = ConferenceStore(client), CommitStore(client, replicas=Replicas(are_there=True))
    one = create(store)

    def commit() -> float:
        known = commits.load((), [one.conference_sid])[0][one.conference_sid]
        after = replace(known.conference, updated_at=datetime.now(UTC))
        began_at = time.monotonic()
        assert commits.commit([Change(known, after, uuid.uuid4().hex)]) != [None]
        return time.monotonic() - began_at

    replica = redis.Redis(port=guarded.replica_port(), decode_responses=True)
    monkeypatch.setattr(replicas, "ACKNOWLEDGED_MS", 1_000)  # this machine may be slow
    for _ in range(20):
        commit()
        version = client.hget(keys.conference(one.conference_sid), "version")
        assert replica.hget(keys.conference(one.conference_sid), "version") == version
    monkeypatch.setattr(replicas, "ACKNOWLEDGED_MS", 500)
    guarded.kill_replica()
    assert commit() >= 0.5
    assert commit() < 0.5, "it is not waited for again"


def test_a_create_waits_for_a_replica(guarded: Guarded, monkeypatch: pytest.MonkeyPatch) -> None:
    """A 201 is a promise, and a call that a failover forgot would be ended as a stranger's."""
    monkeypatch.setattr(replicas, "ACKNOWLEDGED_MS", 1_000)
    store = ConferenceStore(connect(guarded.url), replicas=Replicas(are_there=True))
    create(store)
    pid = guarded.freeze_replica()
    began_at = time.monotonic()
    create(store)
    os.kill(pid, signal.SIGCONT)

    assert time.monotonic() - began_at >= 1.0


def test_a_sentinel_that_says_nothing_is_passed_over(guarded: Guarded) -> None:
    """And asked again when it is back, however many connections are made meanwhile; nobody waits for long."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = guarded.url.replace("://", f"://127.0.0.1:{silent.getsockname()[1]},")
        client = connect(url)
        with ThreadPoolExecutor(8) as pool:
            began_at = time.monotonic()
            assert all(pool.map(lambda number: client.set("x", number), range(40)))
        assert time.monotonic() - began_at < 5, "redis-py by itself takes 9 s to pass it over"

        sentinels = client.connection_pool.connection_kwargs["primary"]._sentinel.sentinels
        ports = {one.connection_pool.connection_kwargs["port"] for one in sentinels}
        assert ports == {silent.getsockname()[1], guarded.sentinel_port}


def test_a_primary_that_is_there_serves_while_all_sentinels_are_silent(guarded: Guarded) -> None:
    """They are asked for less than a lease lasts, and not each second."""
    client = connect(guarded.url)
    client.set("x", "1")
    primary = client.connection_pool.connection_kwargs["primary"]
    pid, asked, waits = guarded.freeze_sentinel(), primary._asked, []
    deadline = time.monotonic() + 2.5 * CERTAIN_SECONDS
    try:
        while time.monotonic() < deadline:
            began_at = time.monotonic()
            client.set("x", "2")
            waits.append(time.monotonic() - began_at)
    finally:
        os.kill(pid, signal.SIGCONT)

    assert max(waits) < 1.8
    assert primary._asked == asked + 1


def test_a_url_names_sentinels_a_service_and_a_database() -> None:
    """As redis-sentinel-url and others write it."""
    found = parse_sentinel_url("redis+sentinel://:p%40ss@10.0.0.1:26379,s2.example:26380/orchestrator/2")

    servers = Servers((("10.0.0.1", 26379), ("s2.example", 26380)), "orchestrator/2", None, "p@ss")
    assert found == SentinelUrl(servers, "orchestrator", 2)
    assert parse_sentinel_url("redis+sentinel://s:1/x").number == 0


def test_a_url_names_servers_of_a_cluster() -> None:
    """Which has one database: there is no number to name."""
    found = parse_cluster_url("redis+cluster://app:p%40ss@10.0.0.1:6379,[::1]:6380")

    assert found == Servers((("10.0.0.1", 6379), ("::1", 6380)), "", "app", "p@ss")
    for url in ("redis+cluster://host:1/0", "redis+cluster://host", "redis+cluster://"):
        with pytest.raises(ValueError, match=r"redis\+cluster"):
            check_redis_url(url)


@pytest.mark.parametrize(
    "url", ["redis+sentinel://host/x", "redis+sentinel://host:1", "redis+sentinel://host:1/x/y", "redis+sentinel://"]
)
def test_what_is_no_such_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"redis\+sentinel"):
        check_redis_url(url)
