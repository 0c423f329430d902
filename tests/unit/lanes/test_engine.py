"""The engine: does a kind's work while it has the lane, says when it is due, and outlives whatever the work does."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import gevent
import pytest
import redis
from structlog.testing import capture_logs

from orchestrator import logs
from orchestrator.errors import Unavailable
from orchestrator.jobs.wakeups import Topic, Wakeups, make_queue
from orchestrator.lanes.engine import BROKEN_MS, Engine, LaneLease, Work
from orchestrator.sids import mint_sid
from orchestrator.store import keys
from orchestrator.store.lanes import Lane, LaneStore, LeaseLost
from tests.unit.outbox import port_of

KIND = Topic("dialling")
LANE = Lane("AC1", "fs1")
DUE = keys.lanes_due(KIND.name)


class Yard:
    """An engine whose work is a list of what the lane's work does next, each time it is done."""

    def __init__(self, client: redis.Redis) -> None:
        self.client = client
        self.store = LaneStore(client, KIND.name)
        self.wakeups = Wakeups(make_queue(KIND, redis.Redis(port=port_of(client))), KIND)
        self.done: list[LaneLease] = []

    def engine(self, *steps: Callable[[LaneLease], int | None], at_once: int = 10) -> Engine:
        left = list(steps)

        def work(lease: LaneLease, found: object) -> int | None:
            assert found is True
            self.done.append(lease)
            return left.pop(0)(lease)

        typed: Work = work
        return Engine(self.store, self.wakeups, typed, at_once)

    def due_ms(self) -> float | None:
        found: Any = self.client.zscore(DUE, str(LANE))
        return None if found is None else float(found)

    def is_free(self) -> bool:
        return not self.client.exists(self.store.lease(LANE))


@pytest.fixture
def yard(client: redis.Redis) -> Yard:
    return Yard(client)


def now_ms() -> int:
    return int(time.time() * 1000)


def test_what_is_done_is_done_in_a_lease_and_says_when_it_is_due(yard: Yard) -> None:
    """Much later, or not before it is woken."""
    for due_ms in (2**45, None):
        yard.engine(lambda _, due_ms=due_ms: yard.is_free() or due_ms).run(LANE)  # type: ignore[misc]
        assert yard.is_free()
        assert yard.due_ms() == due_ms
    assert yard.wakeups.take() == []


def test_a_lane_that_is_another_s_is_left_to_it(yard: Yard) -> None:
    yard.store.take(LANE, "another", now_ms())
    yard.engine().run(LANE)

    assert yard.done == []


def test_who_is_woken_while_it_works_looks_once_more(yard: Yard) -> None:
    """However often it was woken; in the same lease, so that nobody comes in between."""

    def step(_: LaneLease) -> None:
        for _each in range(3):
            engine.run(LANE)

    engine = yard.engine(step, lambda _: None)
    engine.run(LANE)

    assert len(yard.done) == 2
    assert yard.done[0] is yard.done[1]
    assert yard.is_free()


def test_a_lane_that_has_had_its_turn_goes_to_the_back_of_the_queue(yard: Yard) -> None:
    """Now is when it is due: it is woken, and free for whoever takes it."""
    yard.engine(lambda _: now_ms()).run(LANE)

    assert yard.is_free()
    assert yard.wakeups.take() == [str(LANE)]


def test_a_lane_that_its_kind_has_given_back_is_not_touched(yard: Yard) -> None:
    """What stands in the list is its kind's own word."""

    def give_back(lease: LaneLease) -> None:
        yard.client.delete(yard.store.lease(LANE))
        yard.client.zadd(DUE, {str(LANE): 7})
        lease.is_held = False

    yard.engine(give_back).run(LANE)

    assert yard.due_ms() == 7


@pytest.mark.parametrize(
    ("error", "said"),
    [(LeaseLost(), "lane_taken_over"), (Unavailable("x"), "lane_left"), (KeyError("x"), "lane_broken")],
)
def test_whatever_the_work_raises_the_lane_is_found_again(yard: Yard, error: Exception, said: str) -> None:
    """By a sweep: when the lease has run out, or after a while if it is a defect of ours. It is said, and nothing of
    the lane is left in the process."""

    def fail(_: LaneLease) -> None:
        raise error

    engine = yard.engine(fail)
    began_ms = now_ms()
    with capture_logs() as logs:
        engine.run(LANE)
    due_ms = yard.due_ms()

    assert [row["event"] for row in logs] == [said]
    assert due_ms is not None
    assert began_ms < due_ms <= now_ms() + BROKEN_MS
    assert yard.is_free() is (said == "lane_broken")
    assert engine._leases == {}


def test_a_job_names_lanes_and_notes_and_they_are_worked_on_beside_each_other(yard: Yard) -> None:
    """So many at once, the others after them."""
    running: list[int] = [0]
    most: list[int] = []

    def step(_: LaneLease) -> None:
        running[0] += 1
        most.append(running[0])
        gevent.sleep(0.01)
        running[0] -= 1

    yard.engine(*[step] * 5, at_once=2).run_all([f"AC1:{name}" for name in "abcd"] + ["AC1:e:a note"])

    assert max(most) == 2
    assert sorted(lease.lane.name for lease in yard.done) == list("abcde")


def test_a_stopping_process_begins_nothing_and_ends_what_it_does(yard: Yard) -> None:
    def stop(lease: LaneLease) -> None:
        engine.stop()
        assert lease.must_end

    engine = yard.engine(stop)
    engine.run(LANE)
    engine.run(LANE)

    assert len(yard.done) == 1


def test_leases_are_kept_while_something_takes_long_and_redis_may_be_away_in_between(yard: Yard) -> None:
    class Done(Exception):
        pass

    class Away(LaneStore):
        def renew(self, owners: Any, at_ms: int) -> None:
            if not slept:
                raise Unavailable("away")
            super().renew(owners, at_ms)

    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 2:
            raise Done

    def step(_: LaneLease) -> None:
        yard.client.pexpire(yard.store.lease(LANE), 1_000)
        with pytest.raises(Done):
            engine.keep_leases(Away(yard.client, KIND.name), sleep)
        assert yard.client.pttl(yard.store.lease(LANE)) > 1_000

    engine = yard.engine(step)
    engine.run(LANE)

    assert len(slept) == 2
    assert yard.is_free()


def test_what_is_logged_of_a_lane_names_what_it_is_about_and_the_request_that_woke_it(yard: Yard) -> None:
    """And nothing of another lane that was worked on before."""
    conference_sid, call_sid, request_id = mint_sid("CF"), mint_sid("CA"), mint_sid("RQ")
    seen: list[dict[str, Any]] = []

    def step(_: LaneLease) -> None:
        seen.append(logs.add_names(None, "", {}))

    yard.engine(step, step).run_all([f"{conference_sid}:{call_sid}:note {request_id}", f"{conference_sid}:conference"])

    assert seen == [
        {"conference_sid": conference_sid, "call_sid": call_sid, "request_id": request_id},
        {"conference_sid": conference_sid},
    ]
