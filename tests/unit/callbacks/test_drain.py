"""Draining lanes into a real receiver: order, retries, what is given up, and what is counted."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import gevent
import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from orchestrator.callbacks import drain as drain_module
from orchestrator.callbacks.drain import POSTPONED_MS
from orchestrator.store import keys
from orchestrator.store import outbox as outbox_module
from orchestrator.store.accounts import Account, AccountStore
from tests.harness.polling import eventually
from tests.unit.callbacks.bench import PLAIN, Bench, make_drainer, make_engine
from tests.unit.callbacks.web import TOKEN, Answer, Asked
from tests.unit.outbox import new, put, waiting
from tests.unit.records import ACCOUNT, OTHER_ACCOUNT


def _statuses(*statuses: int) -> Callable[[Asked], Answer]:
    left = list(statuses)
    return lambda _: Answer(left.pop(0) if left else 200)


def test_a_lane_is_delivered_in_order(bench: Bench) -> None:
    """One after the other, and then it is empty."""
    bench.put("1", "2", "3", "4", "5")
    bench.drain()

    assert bench.tokens() == ["1", "2", "3", "4", "5"]
    assert not bench.client.exists(keys.outbox(bench.lane.sid, bench.lane.name))


@pytest.mark.parametrize("status", [500, 502, 503, 504, 408, 425, 429, 599])
def test_what_may_pass_is_tried_again_with_the_same_token_and_in_its_place(bench: Bench, status: int) -> None:
    """The ones behind it wait; nothing is given up."""
    bench.web.answer = _statuses(200, status, status)
    bench.put("1", "2", "3")
    bench.drain()
    assert bench.tokens() == ["1", "2"]
    bench.drain()
    assert bench.tokens() == ["1", "2"], "not before it is due"
    bench.now += 1.001
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

    assert bench.due_in() == 2.0
    attempts = bench.kept("1").attempts
    assert [(a.number, a.status, a.error) for a in attempts] == [
        (1, 0, "NewConnectionError"),
        (2, 0, "NewConnectionError"),
    ], "no connection: Twilio's one quick retry comes first"
    bench.web.start()  # for the fixture's stop


@pytest.mark.parametrize("status", [301, 302, 307, 399, 400, 401, 403, 404, 410, 422, 499])
def test_a_receiver_s_last_word_is_taken_and_counted(bench: Bench, status: int) -> None:
    """Another attempt would get the same answer, as would a redirect that is not followed; the next callback goes out
    at once. The one that was given up is listed and kept."""
    bench.web.answer = _statuses(status)
    bench.put("1", "2")
    bench.drain()

    assert bench.tokens() == ["1", "2"]
    assert bench.dropped() == {f"http-{status}": "1"}
    dead = bench.kept("1")
    assert (dead.state, dead.reason, [a.status for a in dead.attempts]) == ("dead", f"http-{status}", [status])
    assert bench.client.zrange(keys.account_dead(ACCOUNT), 0, -1) == [dead.callback_id]


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_any_2xx_is_a_delivery(bench: Bench, status: int) -> None:
    """The receiver has had it."""
    bench.web.answer = _statuses(status)
    bench.put("1")
    bench.drain()

    assert bench.tokens() == ["1"]
    assert bench.dropped() == {}
    assert bench.kept("1").state == "delivered"


def test_after_a_day_it_is_given_up(bench: Bench) -> None:
    """As soon as the next try would be too late, or without one if the lane has waited that long. Counted by reason."""
    bench.web.answer = _statuses(500, 500)
    bench.put("1", planned_at=bench.now - PLAIN.give_up_seconds + 2.5)
    bench.put("2")
    bench.drain()
    assert bench.dropped() == {}
    bench.now += 1.5
    bench.drain()
    assert bench.tokens() == ["1", "1", "2"]
    assert (bench.kept("1").reason, bench.dropped()) == ("age", {"age": "1"})
    bench.put("3", planned_at=bench.now - PLAIN.give_up_seconds - 1)
    bench.drain()

    assert bench.tokens() == ["1", "1", "2"]
    assert bench.dropped() == {"age": "2"}


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
    monkeypatch.setattr(drain_module, "CALLBACKS_AT_A_TIME", 3)
    bench.put(*"12345")
    bench.drain()
    assert bench.tokens() == ["1", "2", "3"]
    assert bench.wakeups.take() == [str(bench.lane)]
    bench.drain()

    assert bench.tokens() == list("12345")


def test_a_doubled_wake_up_finds_the_lane_leased(bench: Bench) -> None:
    """While one drain delivers, a second one goes home: nothing is sent twice, nothing out of order."""
    other = make_engine(make_drainer(bench.client), bench.wakeups)

    def answer(_: Asked) -> Answer:
        other.run(bench.lane)
        return Answer()

    bench.web.answer = answer
    bench.put("1", "2")
    bench.drain()

    assert bench.tokens() == ["1", "2"]


def test_a_drain_that_has_lost_its_lease_stops(bench: Bench) -> None:
    """Somebody else has the lane: the two must not take turns."""

    def answer(_: Asked) -> Answer:
        bench.client.set(keys.lane_lease("callbacks", bench.lane.sid, bench.lane.name), "somebody else", px=60_000)
        return Answer()

    bench.web.answer = answer
    bench.put("1", "2")
    bench.drain()

    assert bench.tokens() == ["1"]
    assert bench.client.get(keys.lane_lease("callbacks", bench.lane.sid, bench.lane.name)) == "somebody else"


def test_a_drain_that_dies_leaves_the_lane_to_the_sweep(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed after the attempt: the lease runs out, the lane comes due, the callback is sent again."""

    def broken(*_: object, **__: object) -> Any:
        raise gevent.GreenletExit

    bench.put("1")
    monkeypatch.setattr(bench.drainer._outbox, "_finish", broken)
    monkeypatch.setattr(outbox_module, "LEASE_MS", 50)
    with pytest.raises(gevent.GreenletExit):
        bench.drain()
    assert bench.engine._leases == {}
    monkeypatch.setattr(bench.drainer._outbox, "_finish", bench.outbox._finish)
    eventually(
        lambda: not bench.client.exists(keys.lane_lease("callbacks", bench.lane.sid, bench.lane.name)), "it runs out"
    )

    assert bench.tokens() == ["1"]
    assert waiting(bench.client, bench.lane) == ["1"]
    bench.drain()
    assert bench.tokens() == ["1", "1"]


def _away(bench: Bench, monkeypatch: pytest.MonkeyPatch, script: str, lost: Callable[[], object]) -> None:
    """Redis is away when the script is first called, for longer than a lease; then `lost` has happened."""
    plain = getattr(bench.drainer._outbox, script)
    calls: list[int] = []

    def broken(*args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        if len(calls) < 3:
            raise RedisConnectionError("gone")
        bench.client.delete(keys.lane_lease("callbacks", bench.lane.sid, bench.lane.name))
        lost()
        return plain(*args, **kwargs)

    monkeypatch.setattr(bench.drainer._outbox, script, broken)


def test_an_outcome_is_kept_although_the_lease_ran_out_while_redis_was_away(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the receiver has had is not sent to it again, and the lane goes on."""
    _away(bench, monkeypatch, "_finish", lambda: None)
    bench.put("1", "2")
    bench.drain()

    assert bench.tokens() == ["1", "2"]
    assert (bench.kept("1").state, bench.kept("1").attempts_made) == ("delivered", 1)
    assert waiting(bench.client, bench.lane) == []


def test_a_failure_is_kept_although_the_lease_ran_out_while_redis_was_away(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It counts as the attempt it was, and the next one has its moment."""
    _away(bench, monkeypatch, "_retry", lambda: None)
    bench.web.answer = _statuses(500)
    bench.put("1")
    bench.drain()

    assert (bench.kept("1").state, bench.kept("1").attempts_made) == ("waiting", 1)
    assert bench.due_in() == PLAIN.delays_seconds[0]


def test_a_failure_is_not_kept_when_somebody_else_has_delivered_meanwhile(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lane has gone on without us: neither its new head nor the delivered one hears of it."""
    other = make_engine(make_drainer(bench.client), bench.wakeups)

    def delivered() -> None:
        other.run(bench.lane)
        bench.put("2")

    _away(bench, monkeypatch, "_retry", delivered)
    bench.web.answer = _statuses(500)
    bench.put("1")
    bench.drain()
    assert (bench.kept("1").state, [a.status for a in bench.kept("1").attempts]) == ("delivered", [200])
    bench.drain()

    assert bench.tokens() == ["1", "1", "2"], "the second is not held up"


def test_an_entry_that_cannot_be_read_is_a_dead_letter(bench: Bench) -> None:
    """Nothing is sent for it; the next callback goes out at once."""
    put(bench.client, bench.lane, new("1", int(bench.now * 1000), "{}"))
    bench.put("2")
    bench.drain()
    record = keys.callback(bench.lane.sid, "1")
    assert bench.client.hmget(record, "state", "reason") == ["dead", "unreadable"]
    assert bench.client.ttl(record) > 0
    assert str(bench.lane) in bench.wakeups.take()
    bench.drain()

    assert bench.tokens() == ["2"]
    assert waiting(bench.client, bench.lane) == []


def test_leases_are_renewed_while_a_receiver_takes_its_time(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """And only while: nothing is left of it afterwards. Redis being away in between is waited out."""

    class Done(Exception):
        pass

    def sleep(_: float) -> None:
        raise Done

    seen: list[int] = []

    def answer(_: Asked) -> Answer:
        lease = keys.lane_lease("callbacks", bench.lane.sid, bench.lane.name)
        bench.client.pexpire(lease, 100)
        with pytest.raises(Done):
            bench.engine.keep_leases(bench.outbox, sleep)
        seen.append(int(bench.client.pttl(lease)))
        return Answer()

    bench.web.answer = answer
    bench.put("1")
    bench.drain()

    assert seen[0] > 1_000
    assert bench.engine._leases == {}


# ------------------------------------------------------------ what a receiver asks for, what its URL says


def test_retry_after_is_honoured(bench: Bench) -> None:
    """In seconds, as a date, at most an hour; never sooner than our own schedule; nonsense is no wish."""
    bench.put("1")
    for said, seconds in (("90", 90), ("0", 2), ("999999", 3600), ("soon", 10)):
        bench.web.answer = lambda _, said=said: Answer(503, {"Retry-After": said})  # type: ignore[misc]
        bench.drain()
        assert bench.due_in() == seconds, said
        bench.now += seconds + 0.001


def test_a_date_in_retry_after_is_honoured(bench: Bench) -> None:
    """By the real clock."""
    at = format_datetime(datetime.fromtimestamp(time.time() + 600, UTC), usegmt=True)
    bench.web.answer = lambda _: Answer(429, {"Retry-After": at})
    bench.put("1")
    bench.drain()

    assert 590 < bench.due_in() <= 600


@pytest.mark.parametrize(
    ("fragment", "statuses", "requests"),
    [
        ("", [500, 500], 1),
        ("rp=5xx", [500, 200], 2),
        ("rp=5xx", [500, 500, 500], 2),
        ("rc=5&rp=5xx", [500] * 9, 6),
        ("rc=0&rp=all", [500] * 9, 1),
        ("rc=3&rp=5xx", [500, 404, 200], 2),
        ("rc=3&rp=4xx", [500, 404, 200], 1),
        ("rc=3&rp=4xx", [404, 404, 200], 3),
        ("rc=3&rp=all", [404, 500, 200], 3),
        ("rc=3&rp=ct,rt", [500, 200], 1),
    ],
)
def test_quick_retries_follow_at_once_as_the_url_asks(
    bench: Bench, fragment: str, statuses: Sequence[int], requests: int
) -> None:
    """rc of them, for the failures in rp, each an attempt of its own; the operator's schedule comes after them."""
    bench.web.answer = _statuses(*statuses)
    bench.put("1", url=f"{bench.web.url()}#{fragment}")
    bench.drain()
    kept = bench.kept("1")

    assert bench.tokens() == ["1"] * requests
    assert [(a.number, a.status) for a in kept.attempts] == list(enumerate(statuses[:requests], 1))
    last = statuses[requests - 1]
    assert kept.state == {200: "delivered", 404: "dead", 500: "waiting"}[last]
    assert all("#" not in asked.path for asked in bench.web.asked)


def test_quick_retries_count_in_the_schedule(bench: Bench) -> None:
    """Six attempts made: the pause is that after the sixth."""
    bench.web.answer = _statuses(*[500] * 6)
    bench.put("1", url=f"{bench.web.url()}#rc=5&rp=5xx")
    bench.drain()

    assert bench.due_in() == PLAIN.delays_seconds[5]


def test_quick_retries_end_with_the_total_time(bench: Bench) -> None:
    """tt bounds the attempts together, however many rc allows."""
    gate = threading.Event()

    def answer(_: Asked) -> Answer:
        gate.wait(0.12)
        return Answer(500)

    bench.web.answer = answer
    bench.put("1", url=f"{bench.web.url()}#rc=5&rp=all&tt=200")
    bench.drain()

    assert 1 <= bench.kept("1").attempts_made <= 3


def test_a_read_timeout_is_a_quick_retry_of_its_own_kind(bench: Bench) -> None:
    """rt ends the wait for an answer; rp=rt asks for another try, rp=ct does not."""
    gate = threading.Event()

    def answer(_: Asked) -> Answer:
        gate.wait(5)
        return Answer()

    bench.web.answer = answer
    bench.put("1", url=f"{bench.web.url()}#rt=100&rc=2&rp=rt")
    bench.drain()
    other = bench.new_lane("other")
    bench.put("2", lane=other, url=f"{bench.web.url()}#rt=100&rc=2&rp=ct")
    bench.engine.run(other)
    gate.set()

    assert [a.error for a in bench.kept("1").attempts] == ["ReadTimeoutError"] * 3
    assert bench.kept("2", other).attempts_made == 1


# ------------------------------------------------------------ addresses


def test_an_address_that_is_not_allowed_is_a_dead_letter_at_once(bench: Bench) -> None:
    """Nothing is sent, nothing is tried again, whatever rp says; the next callback gets out."""
    with socket.create_server(("127.0.0.1", 0)) as inside:
        inside.settimeout(0.2)
        port = inside.getsockname()[1]
        guarded = make_drainer(bench.client)
        guarded._sender._pool._listed = ()
        bench.put("1", "2", url=f"http://127.0.0.1:{port}/#rc=5&rp=all")
        make_engine(guarded, bench.wakeups).run(bench.lane)
        with pytest.raises(TimeoutError):
            inside.accept()

    dead = bench.kept("1")
    assert (dead.state, dead.reason, dead.attempts_made) == ("dead", "address-refused", 1)
    assert dead.attempts[0].error == "AddressRefused"
    assert bench.kept("2").state == "dead"
    assert bench.dropped() == {"address-refused": "2"}


def test_a_refused_address_is_no_failure_of_a_receiver(bench: Bench) -> None:
    """Nobody was asked: nothing is paused for it."""
    bench.put("1", url="http://10.0.0.1/")
    bench.drain()

    assert not bench.client.exists(keys.account_receivers(ACCOUNT))


# ------------------------------------------------------------ receivers that fail, accounts that are slow


def test_a_paused_receiver_is_left_alone_but_for_one_probe(bench: Bench) -> None:
    """Twenty failures over a minute pause it; then nobody asks until the pause is over, one lane asks, and its success
    lets the others go on."""
    bench.web.answer = lambda _: Answer(503)
    lanes = [bench.new_lane(f"name {number}") for number in range(5)]
    for lane in lanes:
        bench.put(lane.sid, lane=lane)
    while not bench.drainer._breaker.pause_ms(ACCOUNT, f"127.0.0.1:{bench.web.port}", int(bench.now * 1000)):
        bench.engine.run_all([str(lane) for lane in lanes])
        bench.now += 5.0
    asked = len(bench.web.asked)
    assert asked >= 20
    bench.engine.run_all([str(lane) for lane in lanes])
    assert len(bench.web.asked) == asked, "nobody asks meanwhile"
    bench.now += 10_000
    bench.engine.run_all([str(lane) for lane in lanes])
    assert len(bench.web.asked) == asked + 1, "one probe"
    bench.web.answer = lambda _: Answer()
    bench.now += 10_000
    bench.engine.run_all([str(lane) for lane in lanes])
    bench.now += 10_000
    bench.engine.run_all([str(lane) for lane in lanes])

    assert all(bench.kept(lane.sid, lane).state == "delivered" for lane in lanes)
    assert not bench.client.exists(keys.account_receivers(ACCOUNT))


def test_a_pause_is_no_attempt(bench: Bench) -> None:
    """It neither counts in the schedule nor is it kept."""
    bench.put("1")
    receiver = f"127.0.0.1:{bench.web.port}"
    row = {
        "host": receiver, "failures": 20, "failing_since_ms": 0, "pauses": 1,
        "paused_until_ms": int(bench.now * 1000) + 7_000,
    }  # fmt: skip
    bench.client.hset(keys.account_receivers(ACCOUNT), receiver, json.dumps(row))
    bench.drain()

    assert bench.due_in() == 7.0
    assert bench.kept("1").attempts_made == 0
    assert bench.web.asked == []


def test_one_account_can_not_take_all_places(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond LANES_PER_ACCOUNT its lanes wait a moment, untried; another account's callback goes out at once."""
    monkeypatch.setattr(drain_module, "LANES_PER_ACCOUNT", 1)
    monkeypatch.setattr(drain_module, "LANES_FOR_EVERYBODY", 1)
    AccountStore(bench.client).save_account(Account(OTHER_ACCOUNT, TOKEN, "active"))
    mine, more, theirs = bench.lane, bench.new_lane("more"), bench.new_lane("theirs", OTHER_ACCOUNT)
    bench.put("1", lane=mine)
    bench.put("2", lane=more)
    bench.put("3", lane=theirs, account_sid=OTHER_ACCOUNT)

    def answer(asked: Asked) -> Answer:
        if asked.headers["I-Twilio-Idempotency-Token"] == "1":
            bench.engine.run(more)
            bench.engine.run(theirs)
        return Answer()

    bench.web.answer = answer
    bench.engine.run(mine)
    assert bench.tokens() == ["3", "1"]
    due_ms = bench.client.zscore(keys.lanes_due("callbacks"), str(more))
    assert due_ms is not None
    assert POSTPONED_MS <= due_ms - int(bench.now * 1000) <= 3 * POSTPONED_MS
    assert bench.kept("2", more).attempts_made == 0
    bench.engine.run(more)

    assert bench.tokens() == ["3", "1", "2"], "its place is free again"
    assert +bench.drainer._in_flight == {}
