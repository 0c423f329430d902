"""Lanes: one drain at a time, the head first, and nothing overlooked when one gives way to the next."""

from __future__ import annotations

import pytest
import redis

from orchestrator.domain.conference import Participant
from orchestrator.store import keys
from orchestrator.store import outbox as outbox_module
from orchestrator.store.commits import Change, CommitStore
from orchestrator.store.conferences import ConferenceStore
from orchestrator.store.outbox import Lane, OutboxStore
from tests.harness.polling import eventually
from tests.unit.records import create

NOW_MS = 1_000_000


@pytest.fixture
def outbox(client: redis.Redis) -> OutboxStore:
    return OutboxStore(client)


@pytest.fixture
def made(client: redis.Redis) -> Participant:
    return create(ConferenceStore(client))


@pytest.fixture
def lane(made: Participant) -> Lane:
    return Lane(made.conference_sid, keys.CONFERENCE_LANE)


def put(client: redis.Redis, lane: Lane, *entries: str) -> None:
    """As the listener does it."""
    commits = CommitStore(client)
    conferences, _ = commits.load([], [lane.conference_sid])
    known = conferences[lane.conference_sid]
    (committed,) = commits.commit([Change(known, known.conference, {}, {lane.name: [e.encode() for e in entries]})])
    assert committed is not None


def test_a_lane_is_worked_off_in_order(client: redis.Redis, outbox: OutboxStore, lane: Lane) -> None:
    """Head after head, until it is empty; then nothing of it is left."""
    put(client, lane, "1", "2", "3")
    head, seen = outbox.load_head(lane, "me", NOW_MS), []
    while head.verdict == "ok":
        seen.append(head.entry)
        head = outbox.commit_head(lane, "me", head.entry)

    assert (seen, head.verdict) == (["1", "2", "3"], "empty")
    assert list(client.scan_iter("outbox:*")) == []
    assert not client.exists(keys.lanes(lane.conference_sid))


def test_a_leased_lane_is_busy_for_everybody_else(client: redis.Redis, outbox: OutboxStore, lane: Lane) -> None:
    """Until its drain releases it; a release by somebody else is none."""
    put(client, lane, "1")
    assert outbox.load_head(lane, "me", NOW_MS).verdict == "ok"
    assert outbox.load_head(lane, "you", NOW_MS).verdict == "busy"
    outbox.release(lane, "you")
    assert outbox.load_head(lane, "you", NOW_MS).verdict == "busy"
    outbox.release(lane, "me")

    assert outbox.load_head(lane, "you", NOW_MS).verdict == "ok"


def test_a_dead_drain_s_lane_is_free_when_its_lease_has_run_out(
    client: redis.Redis, outbox: OutboxStore, lane: Lane, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And whoever comes back from the dead has lost it: it removes nothing and puts nothing off."""
    monkeypatch.setattr(outbox_module, "LEASE_MS", 50)
    put(client, lane, "1", "2")
    outbox.load_head(lane, "dead", NOW_MS)
    monkeypatch.setattr(outbox_module, "LEASE_MS", 30_000)
    eventually(lambda: outbox.load_head(lane, "heir", NOW_MS).verdict == "ok", "the lease runs out")

    assert outbox.commit_head(lane, "dead", "1").verdict == "lost"
    outbox.save_retry(lane, "dead", 5, NOW_MS + 1000)
    assert not client.exists(keys.retry(lane.conference_sid, lane.name))
    assert outbox.commit_head(lane, "heir", "1").entry == "2"


def test_a_lease_is_kept_while_it_is_renewed(
    client: redis.Redis, outbox: OutboxStore, lane: Lane, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And by finishing an entry."""
    monkeypatch.setattr(outbox_module, "LEASE_MS", 1_000)
    put(client, lane, "1", "2")
    outbox.load_head(lane, "me", NOW_MS)
    monkeypatch.setattr(outbox_module, "LEASE_MS", 60_000)
    outbox.renew([lane])
    assert client.pttl(keys.lease(lane.conference_sid, lane.name)) > 1_000
    monkeypatch.setattr(outbox_module, "LEASE_MS", 90_000)
    outbox.commit_head(lane, "me", "1")

    assert client.pttl(keys.lease(lane.conference_sid, lane.name)) > 60_000
    outbox.renew([])


def test_a_retry_frees_the_lane_until_it_is_due_and_keeps_the_order(
    client: redis.Redis, outbox: OutboxStore, lane: Lane
) -> None:
    """The head stays the head; nobody gets past it; its attempts are remembered."""
    put(client, lane, "1", "2")
    outbox.load_head(lane, "me", NOW_MS)
    outbox.save_retry(lane, "me", 3, NOW_MS + 500)

    waiting = outbox.load_head(lane, "you", NOW_MS + 499)
    assert (waiting.verdict, waiting.due_ms) == ("wait", NOW_MS + 500)
    due = outbox.load_head(lane, "you", NOW_MS + 500)
    assert (due.verdict, due.entry, due.attempts) == ("ok", "1", 3)
    outbox.commit_head(lane, "you", "1")
    outbox.release(lane, "you")
    following = outbox.load_head(lane, "me", NOW_MS + 500)
    assert (following.entry, following.attempts) == ("2", 0)


def test_finishing_a_head_that_a_full_lane_has_dropped_removes_no_other(
    client: redis.Redis, outbox: OutboxStore, lane: Lane
) -> None:
    """While it was delivered, newer ones pushed it out."""
    put(client, lane, "1", "2")
    outbox.load_head(lane, "me", NOW_MS)
    client.lpop(keys.outbox(lane.conference_sid, lane.name))

    assert outbox.commit_head(lane, "me", "1").entry == "2"


def test_an_entry_that_comes_while_the_last_one_is_finished_is_seen_by_somebody(
    client: redis.Redis, outbox: OutboxStore, lane: Lane
) -> None:
    """Before: the drain gets it next. After: the lane was empty, so it is woken again."""
    put(client, lane, "1")
    outbox.load_head(lane, "me", NOW_MS)
    put(client, lane, "2")
    assert outbox.commit_head(lane, "me", "1").entry == "2"
    assert outbox.commit_head(lane, "me", "2").verdict == "empty"
    put(client, lane, "3")

    assert outbox.list_waiting(NOW_MS) == [lane]
    assert outbox.load_head(lane, "you", NOW_MS).entry == "3"


def test_an_empty_lane_is_forgotten(client: redis.Redis, outbox: OutboxStore, lane: Lane) -> None:
    """A leftover name costs one look and is gone."""
    client.sadd(keys.lanes(lane.conference_sid), lane.name)

    assert outbox.load_head(lane, "me", NOW_MS).verdict == "empty"
    assert not client.exists(keys.lanes(lane.conference_sid))


def test_a_sweep_finds_what_is_due_and_nobody_s(client: redis.Redis, outbox: OutboxStore, made: Participant) -> None:
    """Not what is leased, nor what has to wait."""
    lanes = [Lane(made.conference_sid, name) for name in ("a", "b", "c")]
    for lane in lanes:
        put(client, lane, "1")
    assert outbox.list_waiting(NOW_MS) == lanes
    outbox.load_head(lanes[0], "me", NOW_MS)
    outbox.load_head(lanes[1], "me", NOW_MS)
    outbox.save_retry(lanes[1], "me", 1, NOW_MS + 10)

    assert outbox.list_waiting(NOW_MS) == [lanes[2]]
    assert outbox.list_waiting(NOW_MS + 10) == lanes[1:]


def test_a_sweep_closes_conferences_that_are_over_and_delivered(
    client: redis.Redis, outbox: OutboxStore, made: Participant, lane: Lane
) -> None:
    """Not before the last callback is out; and a conference that was claimed and never made after a minute."""
    put(client, lane, "1")
    client.hset(keys.conference(made.conference_sid), "status", "completed")
    client.zadd(keys.OPEN_CONFERENCES, {"CF" + "9" * 32: NOW_MS})
    outbox.list_waiting(NOW_MS + 59_000)
    assert client.zcard(keys.OPEN_CONFERENCES) == 2
    outbox.load_head(lane, "me", NOW_MS)
    outbox.commit_head(lane, "me", "1")
    outbox.list_waiting(NOW_MS + 61_000)

    assert client.zcard(keys.OPEN_CONFERENCES) == 0


def test_dropped_callbacks_are_counted_by_reason(client: redis.Redis, outbox: OutboxStore) -> None:
    """For operators."""
    outbox.save_dropped("age", 1)
    outbox.save_dropped("http-404", 2)
    outbox.save_dropped("age", 1)

    assert client.hgetall(keys.DROPPED) == {"age": "2", "http-404": "2"}
