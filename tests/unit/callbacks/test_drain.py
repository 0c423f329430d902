"""Draining lanes into a real receiver: order, retries, what is given up, and what is counted."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from orchestrator.callbacks import drain as drain_module
from orchestrator.callbacks.deliver import Sender
from orchestrator.callbacks.drain import Drainer, Sweep, Wakeups, make_queue
from orchestrator.callbacks.retry import GIVE_UP_SECONDS
from orchestrator.dialects.twilio.signature import sign
from orchestrator.errors import Unavailable
from orchestrator.store import keys
from orchestrator.store.accounts import Account, AccountStore
from orchestrator.store.conferences import ConferenceStore
from orchestrator.store.outbox import Lane, OutboxStore
from tests.unit.callbacks.web import TOKEN, Answer, Asked, Web, an_entry
from tests.unit.records import ACCOUNT, create
from tests.unit.store.test_outbox import put


class Bench:
    """One drainer, its lane, a receiver and a clock that the test moves."""

    def __init__(self, client: redis.Redis, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
        self.client, self.web = client, web
        self.now = 1_000_000.0
        monkeypatch.setattr(drain_module, "time", SimpleNamespace(time=lambda: self.now))
        AccountStore(client).save_account(Account(ACCOUNT, TOKEN, "active"))
        self.lane = Lane(create(ConferenceStore(client)).conference_sid, keys.CONFERENCE_LANE)
        self.outbox = OutboxStore(client)
        self.queue = make_queue(redis.Redis.from_url(f"redis://127.0.0.1:{_port(client)}/0"))
        self.wakeups = Wakeups(self.queue)
        self.drainer = Drainer(self.outbox, AccountStore(client), Sender(sign, time.monotonic), self.wakeups)

    def put(self, *tokens: str, **values: Any) -> None:
        settings = {"url": self.web.url(), "planned_at": self.now, **values}
        entries = [an_entry(token=token, **settings) for token in tokens]
        put(self.client, self.lane, *(entry.dump().decode() for entry in entries))

    def drain(self) -> None:
        self.drainer.drain(self.lane)

    def tokens(self) -> list[str]:
        return [asked.headers["I-Twilio-Idempotency-Token"] for asked in self.web.asked]

    def dropped(self) -> dict[str, str]:
        return dict(self.client.hgetall(keys.DROPPED))  # type: ignore[arg-type]  # a sync client


def _port(client: redis.Redis) -> int:
    return int(client.connection_pool.connection_kwargs["port"])


@pytest.fixture
def bench(client: redis.Redis, web: Web, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(client, web, monkeypatch)


def _statuses(*statuses: int) -> Callable[[Asked], Answer]:
    left = list(statuses)
    return lambda _: Answer(left.pop(0) if left else 200)


def test_a_lane_is_delivered_in_order(bench: Bench) -> None:
    """One after the other, and then it is empty."""
    bench.put("1", "2", "3", "4", "5")
    bench.drain()

    assert bench.tokens() == ["1", "2", "3", "4", "5"]
    assert not bench.client.exists(keys.outbox(bench.lane.conference_sid, bench.lane.name))


@pytest.mark.parametrize("status", [500, 502, 503, 504, 408, 425, 429, 599])
def test_what_may_pass_is_tried_again_with_the_same_token_and_in_its_place(bench: Bench, status: int) -> None:
    """The ones behind it wait; nothing is given up."""
    bench.web.answer = _statuses(200, status, status)
    bench.put("1", "2", "3")
    bench.drain()
    assert bench.tokens() == ["1", "2"]
    bench.drain()
    assert bench.tokens() == ["1", "2"], "not before it is due"
    bench.now += 1.0
    bench.drain()
    assert bench.tokens() == ["1", "2", "2"]
    bench.now += 1.9
    bench.drain()
    assert bench.tokens() == ["1", "2", "2"], "the second pause is two seconds"
    bench.now += 0.2
    bench.drain()

    assert bench.tokens() == ["1", "2", "2", "2", "3"]
    assert bench.dropped() == {}
    assert len({asked.body for asked in bench.web.asked}) == 1


def test_a_receiver_that_is_away_is_tried_again(bench: Bench) -> None:
    """No connection is no answer."""
    bench.put("1")
    bench.web.stop()
    bench.drain()
    waiting = bench.outbox.load_head(bench.lane, "probe", int(bench.now * 1000))

    assert (waiting.verdict, waiting.due_ms) == ("wait", int(bench.now * 1000) + 1000)
    bench.web.start()  # for the fixture's stop


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 422, 499])
def test_a_receiver_s_last_word_is_taken_and_counted(bench: Bench, status: int) -> None:
    """Another attempt would get the same answer; the next callback goes out at once."""
    bench.web.answer = _statuses(status)
    bench.put("1", "2")
    bench.drain()

    assert bench.tokens() == ["1", "2"]
    assert bench.dropped() == {f"http-{status}": "1"}


@pytest.mark.parametrize("status", [201, 204, 299, 301, 302, 307, 399])
def test_any_2xx_or_3xx_is_a_delivery(bench: Bench, status: int) -> None:
    """The receiver has had it."""
    bench.web.answer = _statuses(status)
    bench.put("1")
    bench.drain()

    assert bench.tokens() == ["1"]
    assert bench.dropped() == {}


def test_after_a_day_it_is_given_up(bench: Bench) -> None:
    """Counted by its reason."""
    bench.web.answer = _statuses(500, 500)
    bench.put("1", "2", planned_at=bench.now - GIVE_UP_SECONDS + 10)
    bench.drain()
    assert bench.dropped() == {}
    bench.now += 11
    bench.drain()

    assert bench.tokens() == ["1", "1", "2"]
    assert bench.dropped() == {"age": "1"}


def test_callbacks_of_an_account_that_is_gone_are_dropped_unsigned_and_unsent(bench: Bench) -> None:
    """There is no token to sign them with."""
    bench.put("1", account_sid="AC" + "9" * 32)
    bench.drain()

    assert bench.tokens() == []
    assert bench.dropped() == {"no-account": "1"}


def test_a_suspended_account_s_callbacks_are_still_delivered(bench: Bench) -> None:
    """Its calls go on until they end, and its app has to hear so."""
    AccountStore(bench.client).save_account(Account(ACCOUNT, TOKEN, "suspended"))
    bench.put("1")
    bench.drain()

    assert bench.tokens() == ["1"]


def test_a_url_with_odd_credentials_does_not_poison_its_lane(bench: Bench) -> None:
    """The next callback gets out all the same."""
    bench.put("1", url=bench.web.url(userinfo="%E2%82%AC:%FF@"))
    bench.put("2")
    bench.drain()

    assert bench.tokens() == ["1", "2"]


def test_a_long_lane_gives_way_and_is_woken_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """No lane starves the others."""
    monkeypatch.setattr(drain_module, "CALLBACKS_PER_JOB", 3)
    bench.put(*"12345")
    bench.drain()
    assert bench.tokens() == ["1", "2", "3"]
    assert [job.args for job in bench.queue.jobs] == [[bench.lane.conference_sid, bench.lane.name]]
    bench.drain()

    assert bench.tokens() == list("12345")


def test_a_doubled_wake_up_finds_the_lane_leased(bench: Bench) -> None:
    """While one drain delivers, a second one goes home: nothing is sent twice, nothing out of order."""
    other = Drainer(bench.outbox, AccountStore(bench.client), Sender(sign, time.monotonic), bench.wakeups)

    def answer(_: Asked) -> Answer:
        other.drain(bench.lane)
        return Answer()

    bench.web.answer = answer
    bench.put("1", "2")
    bench.drain()

    assert bench.tokens() == ["1", "2"]


def test_a_drain_that_has_lost_its_lease_stops(bench: Bench) -> None:
    """Somebody else has the lane: the two must not take turns."""

    def answer(_: Asked) -> Answer:
        bench.client.set(keys.lease(bench.lane.conference_sid, bench.lane.name), "somebody else", px=60_000)
        return Answer()

    bench.web.answer = answer
    bench.put("1", "2")
    bench.drain()

    assert bench.tokens() == ["1"]
    assert bench.client.get(keys.lease(bench.lane.conference_sid, bench.lane.name)) == "somebody else"


def test_a_sweep_wakes_what_was_forgotten_and_survives_redis(bench: Bench) -> None:
    """A lost wake-up is found; an error is waited out."""
    bench.put("1")
    turns: list[float] = []

    class Done(Exception):
        pass

    def sleep(seconds: float) -> None:
        turns.append(seconds)
        if len(turns) == 2:
            raise Done

    class Away(OutboxStore):
        def list_waiting(self, now_ms: int) -> list[Lane]:
            if not turns:
                raise Unavailable("away")
            return super().list_waiting(now_ms)

    with pytest.raises(Done):
        Sweep(Away(bench.client), bench.wakeups).run(sleep)

    assert [job.args for job in bench.queue.jobs] == [[bench.lane.conference_sid, bench.lane.name]]


def test_a_wake_up_that_can_not_be_queued_breaks_nothing(bench: Bench) -> None:
    """RQ's Redis may be another one, and away: the sweep finds the lane later, the listener must not fall over it."""
    gone = Wakeups(make_queue(redis.Redis(port=1, retry=Retry(NoBackoff(), 0))))
    gone.wake([bench.lane])
    gone.wake([])


def test_a_wake_up_is_data_and_leaves_no_result(bench: Bench) -> None:
    """JSON arguments, and nothing kept of a job that went well."""
    bench.wakeups.wake([bench.lane, Lane(bench.lane.conference_sid, "CA" + "1" * 32)])

    assert bench.wakeups.backlog() == 2
    assert all(job.result_ttl == 0 for job in bench.queue.jobs)
    assert all(job.func_name == "orchestrator.callbacks.drain.drain_lane" for job in bench.queue.jobs)
