"""`orchestrator work` as a process: many lanes at once, and another worker when one is killed."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import redis
from rq.exceptions import StopRequested

from orchestrator.children import free_port
from orchestrator.jobs.wakeups import CALLBACKS, Wakeups, make_queue
from orchestrator.jobs.worker import work_for_ever
from orchestrator.store import keys
from orchestrator.store.accounts import Account, AccountStore
from orchestrator.store.conferences import ConferenceStore
from orchestrator.store.lanes import LEASE_MS, Lane
from tests.harness.polling import eventually
from tests.harness.stack import Process
from tests.unit.callbacks.web import TOKEN, Answer, Asked, Web, an_entry
from tests.unit.outbox import put_entries
from tests.unit.records import ACCOUNT, create


@pytest.fixture
def wakeups(redis_url: str) -> Wakeups:
    return Wakeups(make_queue(CALLBACKS, redis.Redis.from_url(redis_url)), CALLBACKS)


@pytest.fixture
def start_worker(redis_url: str, tmp_path: Path) -> Iterator[Callable[[str], Process]]:
    environment = {
        **os.environ,
        "REDIS_URL": redis_url,
        "QUEUE_REDIS_URL": "",
        "LOG_LEVEL": "info",
        "FREESWITCH_NODES": "fs1=127.0.0.1:9",  # callbacks need no switch
        "ALLOWED_PRIVATE_NETWORKS": "127.0.0.0/8",
    }
    started: list[Process] = []

    def start(name: str) -> Process:
        process = Process(name, ["work"], environment, tmp_path)
        process.start()
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill_9()


def _lane(client: redis.Redis, web: Web, name: str, *tokens: str) -> Lane:
    AccountStore(client).save_account(Account(ACCOUNT, TOKEN, "active"))
    lane = Lane(create(ConferenceStore(client), name).conference_sid, keys.CONFERENCE_LANE)
    entries = [an_entry(web.url(f"/{name}"), token=token, planned_at=4e9) for token in tokens]
    put_entries(client, lane, [replace(entry, conference_sid=lane.sid) for entry in entries])
    return lane


def _of(web: Web, name: str) -> list[str]:
    return [a.headers["I-Twilio-Idempotency-Token"] for a in list(web.asked) if a.path == f"/{name}"]


def test_a_slow_receiver_holds_up_its_own_lane_only(
    client: redis.Redis, web: Web, wakeups: Wakeups, start_worker: Callable[[str], Process]
) -> None:
    """Twenty receivers hang in one process; another lane's fifty callbacks get out meanwhile, in order."""
    go_on = threading.Event()
    hanging: list[str] = []

    def answer(asked: Asked) -> Answer:
        if asked.path.startswith("/slow"):
            hanging.append(asked.path)
            go_on.wait(30)
        return Answer()

    web.answer = answer
    slow = [_lane(client, web, f"slow{number}", "s1", "s2") for number in range(20)]
    worker = start_worker("work")
    wakeups.wake(slow)
    eventually(lambda: len(hanging) >= 20, "all slow receivers are being waited for", 15)
    tokens = [f"q{number}" for number in range(50)]
    wakeups.wake([_lane(client, web, "quick", *tokens)])
    eventually(lambda: len(_of(web, "quick")) >= 50, "the quick lane is delivered", 5)

    assert _of(web, "quick") == tokens
    assert all(_of(web, f"slow{number}") == [] for number in range(20))
    go_on.set()
    eventually(lambda: all(len(_of(web, f"slow{n}")) == 2 for n in range(20)), "the slow ones, too", 5)
    assert _of(web, "slow0") == ["s1", "s2"]
    assert worker.stop() == 0, "SIGTERM ends it cleanly"


def test_what_a_killed_worker_was_delivering_is_delivered_by_another(
    client: redis.Redis, web: Web, wakeups: Wakeups, start_worker: Callable[[str], Process]
) -> None:
    """kill -9 in the middle of an attempt: within the lease another worker sends it again, with the same token, and
    then the rest, in order. Nobody has to wake it."""
    asked = threading.Semaphore(0)
    go_on = threading.Event()

    def answer(_: Asked) -> Answer:
        asked.release()
        go_on.wait(30)
        return Answer()

    web.answer = answer
    first = start_worker("first")
    lane = _lane(client, web, "lane", "1", "2", "3")
    wakeups.wake([lane])
    assert asked.acquire(timeout=15)
    first.kill_9()
    go_on.set()
    start_worker("second")
    eventually(lambda: _of(web, "lane")[-1:] == ["3"], "the other worker has taken over", LEASE_MS / 1000 + 10)

    assert _of(web, "lane") == ["1", "1", "2", "3"]
    assert client.hgetall(keys.DROPPED) == {}
    eventually(lambda: not client.exists(keys.lanes(lane.sid)), "nothing waits any more", 2)


def test_a_loop_that_finds_no_redis_tries_again() -> None:
    """RQ asks Redis while it makes a worker already: a failover at that moment ends no process."""
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            raise StopRequested

    nobody = redis.Redis(port=free_port())
    work_for_ever([make_queue(CALLBACKS, nobody)], lambda: None, sleep)
    assert len(pauses) == 3
