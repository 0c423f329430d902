"""Receivers that fail for long: when they are paused, who may try them meanwhile, and what ends it."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.callbacks import breaker as breaker_module
from orchestrator.callbacks.breaker import CACHE_SECONDS, Breaker
from orchestrator.store import keys
from orchestrator.store.receivers import (
    FAILING_MS_TO_PAUSE,
    FAILURES_TO_PAUSE,
    FIRST_PAUSE_MS,
    LONGEST_PAUSE_MS,
    PROBE_MS,
    Receiver,
    ReceiverStore,
)
from tests.unit.records import ACCOUNT, OTHER_ACCOUNT

HOST = "app.example:8443"
START_MS = 1_000_000


@pytest.fixture
def store(client: redis.Redis) -> ReceiverStore:
    return ReceiverStore(client)


@pytest.fixture
def breaker(store: ReceiverStore) -> Breaker:
    return Breaker(store)


def fail(breaker: Breaker, times: int, at_ms: int, host: str = HOST, began_ms: int | None = None) -> None:
    for _ in range(times):
        breaker.failed(ACCOUNT, host, at_ms if began_ms is None else began_ms, at_ms)


def paused(breaker: Breaker) -> int:
    """Pause it; returns the moment at which it was."""
    fail(breaker, FAILURES_TO_PAUSE, START_MS)
    at_ms = START_MS + FAILING_MS_TO_PAUSE
    fail(breaker, 1, at_ms)
    return at_ms


# ------------------------------------------------------------ when


def test_a_receiver_that_works_is_tried(breaker: Breaker, client: redis.Redis) -> None:
    """Nothing is known of it, and nothing is written for it."""
    assert breaker.pause_ms(ACCOUNT, HOST, START_MS) == 0
    breaker.succeeded(ACCOUNT, HOST)
    assert client.dbsize() == 0


def test_neither_many_failures_nor_a_long_time_alone_pause_it(breaker: Breaker) -> None:
    """A burst in a deployment's few seconds; and now and then one in hours."""
    fail(breaker, FAILURES_TO_PAUSE * 10, START_MS)
    fail(breaker, 1, START_MS + FAILING_MS_TO_PAUSE - 1)
    assert breaker.pause_ms(ACCOUNT, HOST, START_MS + FAILING_MS_TO_PAUSE - 1) == 0
    for number in range(FAILURES_TO_PAUSE - 1):
        fail(breaker, 1, START_MS + number * FAILING_MS_TO_PAUSE, "slow.example")
        assert breaker.pause_ms(ACCOUNT, "slow.example", START_MS + number * FAILING_MS_TO_PAUSE) == 0


def test_both_together_do(breaker: Breaker, store: ReceiverStore) -> None:
    """Twenty failures in a row over a minute: ten seconds, and operators see why."""
    at_ms = paused(breaker)

    assert breaker.pause_ms(ACCOUNT, HOST, at_ms) == FIRST_PAUSE_MS
    assert breaker.pause_ms(ACCOUNT, HOST, at_ms + 3_000) == FIRST_PAUSE_MS - 3_000
    assert store.list_receivers(ACCOUNT) == [
        Receiver(HOST, FAILURES_TO_PAUSE + 1, START_MS, at_ms + FIRST_PAUSE_MS, at_ms, 1)
    ]


def test_a_success_in_between_begins_the_count_anew(breaker: Breaker) -> None:
    """Failures in a row count."""
    fail(breaker, FAILURES_TO_PAUSE, START_MS)
    breaker.succeeded(ACCOUNT, HOST)
    fail(breaker, FAILURES_TO_PAUSE, START_MS + FAILING_MS_TO_PAUSE)

    assert breaker.pause_ms(ACCOUNT, HOST, START_MS + FAILING_MS_TO_PAUSE) == 0


def test_every_failed_probe_doubles_the_pause_up_to_five_minutes(store: ReceiverStore) -> None:
    """Each probe when the pause before it is over."""
    for _ in range(FAILURES_TO_PAUSE - 1):
        store.save_failure(ACCOUNT, HOST, START_MS, START_MS)
    at_ms = START_MS + FAILING_MS_TO_PAUSE
    pauses = []
    for _ in range(9):
        receiver = store.save_failure(ACCOUNT, HOST, at_ms, at_ms)
        pauses.append((receiver.paused_until_ms - at_ms) // 1000)
        at_ms = receiver.paused_until_ms

    assert pauses == [10, 20, 40, 80, 160, 300, 300, 300, 300]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**13))
def test_a_pause_is_never_longer_than_five_minutes(
    store: ReceiverStore, client: redis.Redis, failures: int, pauses: int, at_ms: int
) -> None:
    """However long it has been away; and every number comes back whole."""
    row = {
        "host": HOST, "failures": failures, "failing_since_ms": 0, "paused_until_ms": 0, "paused_at_ms": 0,
        "pauses": pauses,
    }  # fmt: skip
    client.hset(keys.account_receivers(ACCOUNT), HOST, json.dumps(row))
    after = store.save_failure(ACCOUNT, HOST, at_ms, at_ms)

    assert after == store.load_receiver(ACCOUNT, HOST)
    assert after.failures == failures + 1
    assert not after.paused_until_ms or FIRST_PAUSE_MS <= after.paused_until_ms - at_ms <= LONGEST_PAUSE_MS


def test_receivers_and_accounts_are_apart(breaker: Breaker) -> None:
    """One app's trouble is not another's, even on the same host."""
    at_ms = paused(breaker)

    assert breaker.pause_ms(OTHER_ACCOUNT, HOST, at_ms) == 0
    assert breaker.pause_ms(ACCOUNT, "app.example:8444", at_ms) == 0


# ------------------------------------------------------------ probes


def test_one_of_those_that_wait_probes(breaker: Breaker, store: ReceiverStore) -> None:
    """When the pause is over one may try, in whatever worker process; the others wait for what comes of it. A probe
    that nobody ever told the end of makes way for another one."""
    over_ms = paused(breaker) + FIRST_PAUSE_MS
    workers = [breaker, Breaker(store), Breaker(store)]

    assert [worker.pause_ms(ACCOUNT, HOST, over_ms) for worker in workers] == [0, PROBE_MS, PROBE_MS]
    assert workers[0].pause_ms(ACCOUNT, HOST, over_ms + 1) == PROBE_MS - 1
    assert workers[0].pause_ms(ACCOUNT, HOST, over_ms + PROBE_MS) == 0


def test_a_failed_probe_is_the_next_pause(breaker: Breaker) -> None:
    """Twice as long."""
    over_ms = paused(breaker) + FIRST_PAUSE_MS
    assert breaker.pause_ms(ACCOUNT, HOST, over_ms) == 0
    fail(breaker, 1, over_ms + 100)

    assert breaker.pause_ms(ACCOUNT, HOST, over_ms + 100) == 2 * FIRST_PAUSE_MS


def test_requests_under_way_when_a_pause_begins_count_as_one_probe_at_most(
    breaker: Breaker, store: ReceiverStore
) -> None:
    """A thousand lanes time out together: ten seconds, not five minutes; the same after a failed probe."""
    at_ms = paused(breaker)
    before = store.load_receiver(ACCOUNT, HOST)
    fail(breaker, 300, at_ms + 5_000, began_ms=at_ms - 1)
    fail(Breaker(store), 300, at_ms + 5_000, began_ms=at_ms - 1)
    assert store.load_receiver(ACCOUNT, HOST) == before
    assert breaker.pause_ms(ACCOUNT, HOST, at_ms + 5_000) == FIRST_PAUSE_MS - 5_000
    over_ms = at_ms + FIRST_PAUSE_MS
    fail(breaker, 300, over_ms + 100, began_ms=over_ms)
    after = store.load_receiver(ACCOUNT, HOST)

    assert after is not None
    assert (after.pauses, after.paused_until_ms) == (2, over_ms + 100 + 2 * FIRST_PAUSE_MS)


def test_a_remembered_pause_is_not_believed(
    breaker: Breaker, store: ReceiverStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An operator resumes the receiver: a worker that has just read of the pause tries it all the same, at once."""
    monkeypatch.setattr(breaker_module, "time", SimpleNamespace(monotonic=lambda: 50.0))
    at_ms = paused(breaker)
    assert breaker.pause_ms(ACCOUNT, HOST, at_ms) == FIRST_PAUSE_MS
    store.forget_receiver(ACCOUNT, HOST)

    assert breaker.pause_ms(ACCOUNT, HOST, at_ms) == 0
    assert not breaker.succeeded(ACCOUNT, HOST), "nobody waits for it any more"


def test_a_probe_s_success_lets_everybody_go_on(
    breaker: Breaker, store: ReceiverStore, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here and in other processes at once; and it says that others wait."""
    monkeypatch.setattr(breaker_module, "time", SimpleNamespace(monotonic=lambda: 50.0))
    at_ms = paused(breaker)
    other = Breaker(store)
    assert other.pause_ms(ACCOUNT, HOST, at_ms) > 0
    assert breaker.pause_ms(ACCOUNT, HOST, at_ms + FIRST_PAUSE_MS) == 0
    assert breaker.succeeded(ACCOUNT, HOST)
    assert breaker.pause_ms(ACCOUNT, HOST, at_ms) == 0
    assert not client.exists(keys.account_receivers(ACCOUNT))

    assert other.pause_ms(ACCOUNT, HOST, at_ms) == 0


def test_an_operator_s_word_lets_everybody_go_on(store: ReceiverStore, breaker: Breaker) -> None:
    """As if it had never failed; False for one of which nothing is known."""
    at_ms = paused(breaker)
    assert store.forget_receiver(ACCOUNT, HOST)
    assert not store.forget_receiver(ACCOUNT, HOST)

    assert Breaker(store).pause_ms(ACCOUNT, HOST, at_ms) == 0
    assert store.claim_probe(ACCOUNT, HOST, at_ms), "nothing to claim: try it"


# ------------------------------------------------------------ what it costs


def test_a_receiver_is_asked_for_once_a_second(
    breaker: Breaker, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A delivered callback costs no command more for this."""
    now = 50.0
    monkeypatch.setattr(breaker_module, "time", SimpleNamespace(monotonic=lambda: now))
    reads: list[str] = []
    plain = breaker._store.load_receiver

    def load(account_sid: str, host: str) -> Receiver | None:
        reads.append(host)
        return plain(account_sid, host)

    monkeypatch.setattr(breaker._store, "load_receiver", load)
    for _ in range(100):
        breaker.pause_ms(ACCOUNT, HOST, START_MS)
        breaker.succeeded(ACCOUNT, HOST)
    assert reads == [HOST]
    now += CACHE_SECONDS + 0.1
    breaker.pause_ms(ACCOUNT, HOST, START_MS)

    assert reads == [HOST, HOST]


def test_what_a_process_remembers_is_bounded(breaker: Breaker, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client may name any number of hosts."""
    monkeypatch.setattr(breaker_module, "CACHED_RECEIVERS", 10)
    for number in range(100):
        breaker.pause_ms(ACCOUNT, f"host{number}", START_MS)

    assert len(breaker._known) <= 10
