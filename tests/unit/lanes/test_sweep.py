"""The sweep: what is due is woken, what was forgotten is found, and what waits costs nothing."""

from __future__ import annotations

import time
from typing import Any

import pytest
import redis

from orchestrator.errors import Unavailable
from orchestrator.jobs.wakeups import CALLBACKS, Wakeups, make_queue
from orchestrator.lanes.sweep import Sweep
from orchestrator.store import keys
from orchestrator.store.conferences import ConferenceStore
from orchestrator.store.lanes import Lane
from orchestrator.store.outbox import OutboxStore, Tried
from tests.unit.outbox import new, put
from tests.unit.records import create


class Yard:
    """A sweep, and a clock that the test moves."""

    def __init__(self, client: redis.Redis, url: str) -> None:
        self.client = client
        self.now = float(int(time.time()))
        self.outbox = OutboxStore(client)
        self.wakeups = Wakeups(make_queue(CALLBACKS, redis.Redis.from_url(url)), CALLBACKS)
        self.sweep = Sweep(self.outbox, self.wakeups, lambda: self.now)
        self.sid = create(ConferenceStore(client)).conference_sid

    @property
    def now_ms(self) -> int:
        return int(self.now * 1000)

    def lane(self, name: str, due_in: float | None = 0.0) -> Lane:
        lane = Lane(self.sid, name)
        put(self.client, lane, new(name))
        if due_in is None:
            self.client.zrem(keys.lanes_due("callbacks"), str(lane))
        else:
            self.client.zadd(keys.lanes_due("callbacks"), {str(lane): self.now_ms + due_in * 1000})
        return lane


@pytest.fixture
def yard(client: redis.Redis, redis_url: str) -> Yard:
    return Yard(client, redis_url)


def test_lanes_that_are_due_are_woken(yard: Yard) -> None:
    """And the others when their time has come; each once."""
    due, later = yard.lane("due"), yard.lane("later", 3)
    yard.sweep.once()
    assert yard.wakeups.take() == [str(due)]
    yard.now += 3
    yard.sweep.once()
    yard.sweep.once()

    assert yard.wakeups.take() == [str(later)]


def test_a_retry_comes_due(yard: Yard) -> None:
    """At its moment, not with the lease of the drain that put it off."""
    lane = yard.lane("retry")
    yard.outbox.load_head(lane, "me", yard.now_ms)
    yard.outbox.save_retry(lane, "me", Tried("retry"), yard.now_ms + 1_000)
    yard.now += 0.999
    yard.sweep.once()
    assert yard.wakeups.take() == []
    yard.now += 0.001
    yard.sweep.once()

    assert yard.wakeups.take() == [str(lane)]


def test_a_second_wake_up_does_not_put_a_retry_off(yard: Yard) -> None:
    """Two sweeps found the lane; the later drain sees that it has to wait, and the sweep looks when it is due."""
    lane = yard.lane("retry")
    yard.outbox.load_head(lane, "me", yard.now_ms)
    yard.outbox.save_retry(lane, "me", Tried("retry"), yard.now_ms + 1_000)
    assert yard.outbox.load_head(lane, "you", yard.now_ms).verdict == "wait"
    yard.now += 1.0
    yard.sweep.once()

    assert yard.wakeups.take() == [str(lane)]


def test_forgotten_lanes_are_found_at_the_start_and_then_now_and_again(yard: Yard) -> None:
    """On no list, as nobody lived to put them there; the search over all open conferences is not done every round."""
    first = yard.lane("first", None)
    yard.sweep.once()
    assert yard.wakeups.take() == [str(first)]
    second = yard.lane("second", None)
    yard.now += Sweep.FORGOTTEN_SECONDS - 0.1
    yard.client.delete(keys.lanes_due("callbacks"))
    yard.client.delete(keys.outbox(yard.sid, "first"), keys.lanes(yard.sid))
    yard.client.sadd(keys.lanes(yard.sid), "second")
    yard.sweep.once()
    assert yard.wakeups.take() == []
    yard.now += 0.1
    yard.sweep.once()

    assert yard.wakeups.take() == [str(second)]


def test_what_waits_costs_a_round_nothing(yard: Yard) -> None:
    """Two thousand lanes of a receiver that is away: a round's commands are as many as with none."""
    yard.sweep.once()

    def commands() -> int:
        before = int(yard.client.info("stats")["total_commands_processed"])
        yard.sweep.once()
        return int(yard.client.info("stats")["total_commands_processed"]) - before

    idle = commands()
    later = {f"{yard.sid}:lane{number}": yard.now_ms + 60_000 for number in range(2_000)}
    yard.client.zadd(keys.lanes_due("callbacks"), later)
    yard.client.sadd(keys.lanes(yard.sid), *(name.partition(":")[2] for name in later))

    assert commands() <= idle + 1


def test_while_jobs_are_behind_nothing_is_added(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    """Adding to what is ready already would help nobody; it is woken as soon as there is room."""
    monkeypatch.setattr(Sweep, "LANES_PER_ROUND", 2)
    lane = yard.lane("due")
    yard.wakeups.wake([Lane(yard.sid, "a"), Lane(yard.sid, "b")])
    yard.sweep.once()
    assert yard.wakeups.backlog() == 2
    yard.wakeups.take()
    yard.sweep.once()

    assert yard.wakeups.take() == [str(lane)]


def test_a_sweep_survives_redis(yard: Yard) -> None:
    """An error is waited out."""
    lane = yard.lane("due")
    turns: list[float] = []

    class Done(Exception):
        pass

    def sleep(seconds: float) -> None:
        turns.append(seconds)
        if len(turns) == 2:
            raise Done

    class Away(OutboxStore):
        def list_due(self, now_ms: int, most: int) -> Any:
            if not turns:
                raise Unavailable("away")
            return super().list_due(now_ms, most)

    with pytest.raises(Done):
        Sweep(Away(yard.client), yard.wakeups, lambda: yard.now).run(sleep)

    assert turns == [Sweep.INTERVAL_SECONDS] * 2
    assert yard.wakeups.take() == [str(lane)]
