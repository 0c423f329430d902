"""Lanes: one drain at a time, the head first, and nothing overlooked when one gives way to the next."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import redis

from orchestrator.domain.conference import Participant
from orchestrator.store import keys
from orchestrator.store import outbox as outbox_module
from orchestrator.store.conferences import ConferenceStore
from orchestrator.store.lanes import LEASE_MS, Lane
from orchestrator.store.outbox import Head, OutboxStore, Tried
from tests.harness.polling import eventually
from tests.unit.outbox import new, put, waiting
from tests.unit.records import ACCOUNT, NODE, create

NOW_MS = 1_000_000
LATER_MS = NOW_MS + LEASE_MS + 1_000
"""When a sweep looks at a lane whose drain has died."""

TRIED = '{"number":1}'


@pytest.fixture
def outbox(client: redis.Redis) -> OutboxStore:
    return OutboxStore(client)


@pytest.fixture
def made(client: redis.Redis) -> Participant:
    return create(ConferenceStore(client))


@pytest.fixture
def lane(made: Participant) -> Lane:
    return Lane(made.conference_sid, keys.CONFERENCE_LANE)


def deliver(outbox: OutboxStore, lane: Lane, owner: str, token: str) -> Head:
    return outbox.commit_head(lane, owner, Tried(token, ((1, TRIED),)), "delivered", "")


def record(client: redis.Redis, lane: Lane, token: str) -> dict[str, str]:
    return dict(client.hgetall(keys.callback(lane.sid, token)))  # type: ignore[arg-type]  # a sync client


def due_at(client: redis.Redis, lane: Lane) -> object:
    return client.zscore(keys.lanes_due("callbacks"), str(lane))


def test_a_lane_is_worked_off_in_order(client: redis.Redis, outbox: OutboxStore, lane: Lane) -> None:
    """Head after head with its entry, until it is empty; then nothing of the lane is left."""
    put(client, lane, new("1"), new("2"), new("3"))
    head, seen = outbox.load_head(lane, "me", NOW_MS), []
    while head.verdict == "ok":
        seen.append((head.token, head.entry, head.attempts, head.since_ms))
        head = deliver(outbox, lane, "me", head.token)

    assert head.verdict == "empty"
    assert seen == [(token, f"entry of {token}", 0, NOW_MS) for token in "123"]
    assert list(client.scan_iter("outbox:*")) == []
    assert not client.exists(keys.lanes(lane.sid))


@pytest.mark.parametrize(("state", "reason"), [("delivered", ""), ("dead", "http-404")])
def test_what_became_of_a_callback_is_kept_for_a_while(
    client: redis.Redis, outbox: OutboxStore, lane: Lane, state: outbox_module.State, reason: str
) -> None:
    """It leaves its lane, and its record has an end; one that waits has none."""
    put(client, lane, new("1"), new("2"))
    outbox.load_head(lane, "me", NOW_MS)
    outbox.commit_head(lane, "me", Tried("1", ((1, TRIED),)), state, reason)
    kept = record(client, lane, "1")

    assert (kept["state"], kept["reason"], kept["attempts"], kept["attempt:1"]) == (state, reason, "1", TRIED)
    assert 0 < client.ttl(keys.callback(lane.sid, "1")) <= keys.RETENTION_SECONDS
    assert record(client, lane, "2")["state"] == "waiting"
    assert client.ttl(keys.callback(lane.sid, "2")) == -1


def test_a_lane_that_is_taken_waits_for_no_outcomes(client: redis.Redis, outbox: OutboxStore, lane: Lane) -> None:
    """Nor they for it: in one queue, thousands of lanes that are woken at once keep those under way from ending."""
    put(client, lane, new("a"))
    with outbox._together._turn:
        taken = outbox.load_head(lane, "me", 0)

    assert taken.token == "a"
    assert not outbox._together._waiting


def test_a_leased_lane_is_busy_for_everybody_else(client: redis.Redis, outbox: OutboxStore, lane: Lane) -> None:
    """Until its drain releases it; a release by somebody else is none."""
    put(client, lane, new("1"))
    assert outbox.load_head(lane, "me", NOW_MS).verdict == "ok"
    assert outbox.load_head(lane, "you", NOW_MS).verdict == "busy"
    outbox.release(lane, "you", None)
    assert outbox.load_head(lane, "you", NOW_MS).verdict == "busy"
    outbox.release(lane, "me", None)

    assert outbox.load_head(lane, "you", NOW_MS).verdict == "ok"


def test_a_dead_drain_s_lane_is_free_when_its_lease_has_run_out(
    client: redis.Redis, outbox: OutboxStore, lane: Lane, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And whoever comes back from the dead has lost it: it removes nothing, puts nothing off, and renews nothing."""
    monkeypatch.setattr(outbox_module, "LEASE_MS", 50)
    put(client, lane, new("1"), new("2"))
    outbox.load_head(lane, "dead", NOW_MS)
    monkeypatch.setattr(outbox_module, "LEASE_MS", 30_000)
    eventually(lambda: outbox.load_head(lane, "heir", NOW_MS).verdict == "ok", "the lease runs out")

    assert deliver(outbox, lane, "dead", "1").verdict == "lost"
    outbox.save_retry(lane, "dead", Tried("1", ((5, TRIED),)), NOW_MS + 1000)
    assert not client.exists(keys.retry(lane.sid, lane.name))
    assert record(client, lane, "1")["attempts"] == "0"
    monkeypatch.setattr(outbox_module, "LEASE_MS", 90_000)
    outbox.renew({"dead": lane}, NOW_MS)
    assert client.pttl(keys.lane_lease("callbacks", lane.sid, lane.name)) <= 30_000
    assert deliver(outbox, lane, "heir", "1").token == "2"


def test_finishing_a_callback_renews_the_lease(
    client: redis.Redis, outbox: OutboxStore, lane: Lane, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(client, lane, new("1"), new("2"))
    outbox.load_head(lane, "me", NOW_MS)
    monkeypatch.setattr(outbox_module, "LEASE_MS", 90_000)
    deliver(outbox, lane, "me", "1")

    assert client.pttl(outbox.lease(lane)) > 60_000


def test_a_retry_frees_the_lane_until_it_is_due_and_keeps_the_order(
    client: redis.Redis, outbox: OutboxStore, lane: Lane
) -> None:
    """The head stays the head; nobody gets past it; its attempts are remembered."""
    put(client, lane, new("1"), new("2"))
    outbox.load_head(lane, "me", NOW_MS)
    outbox.save_retry(lane, "me", Tried("1", ((1, "{}"), (2, "{}"), (3, TRIED))), NOW_MS + 500)

    wait = outbox.load_head(lane, "you", NOW_MS + 499)
    assert (wait.verdict, wait.due_ms) == ("wait", NOW_MS + 500)
    due = outbox.load_head(lane, "you", NOW_MS + 500)
    assert (due.verdict, due.token, due.attempts) == ("ok", "1", 3)
    deliver(outbox, lane, "you", "1")
    outbox.release(lane, "you", None)
    following = outbox.load_head(lane, "me", NOW_MS + 500)
    assert (following.token, following.attempts) == ("2", 0)


def test_finishing_a_head_that_a_full_lane_has_dropped_removes_no_other(
    client: redis.Redis, outbox: OutboxStore, lane: Lane
) -> None:
    """While it was delivered, newer ones pushed it out."""
    put(client, lane, new("1"), new("2"))
    outbox.load_head(lane, "me", NOW_MS)
    client.lpop(keys.outbox(lane.sid, lane.name))

    assert deliver(outbox, lane, "me", "1").token == "2"


def test_a_token_whose_callback_is_gone_blocks_nothing(client: redis.Redis, outbox: OutboxStore, lane: Lane) -> None:
    """Whether it comes first, or after one that was delivered, or alone."""
    put(client, lane, *(new(token) for token in "12345"))
    client.delete(*(keys.callback(lane.sid, token) for token in ("1", "3", "4")))
    assert outbox.load_head(lane, "me", NOW_MS).token == "2"
    assert deliver(outbox, lane, "me", "2").token == "5"
    client.delete(keys.callback(lane.sid, "5"))
    outbox.release(lane, "me", None)

    assert outbox.load_head(lane, "me", NOW_MS).verdict == "empty"
    assert waiting(client, lane) == []


def test_a_callback_that_comes_while_the_last_one_is_finished_is_seen_by_somebody(
    client: redis.Redis, outbox: OutboxStore, lane: Lane
) -> None:
    """Before: the drain gets it next. After: the lane was empty, so it is woken again."""
    put(client, lane, new("1"))
    outbox.load_head(lane, "me", NOW_MS)
    assert put(client, lane, new("2")).lanes == ()
    assert deliver(outbox, lane, "me", "1").token == "2"
    assert deliver(outbox, lane, "me", "2").verdict == "empty"

    assert put(client, lane, new("3")).lanes == (lane.name,)
    assert outbox.load_head(lane, "you", NOW_MS).token == "3"


def test_an_empty_lane_is_forgotten(client: redis.Redis, outbox: OutboxStore, lane: Lane) -> None:
    """A leftover name costs one look and is gone."""
    client.sadd(keys.lanes(lane.sid), lane.name)
    client.set(keys.retry(lane.sid, lane.name), NOW_MS * 2)

    assert outbox.load_head(lane, "me", NOW_MS).verdict == "empty"
    assert not client.exists(keys.lanes(lane.sid), keys.retry(lane.sid, lane.name))


def test_the_first_ten_attempts_and_the_last_twenty_are_kept(
    client: redis.Redis, outbox: OutboxStore, lane: Lane
) -> None:
    """However many were made, one by one or five at once; the number of all is kept."""
    put(client, lane, new("1"))
    made = 0
    while made < 95:
        outbox.load_head(lane, "me", NOW_MS)
        burst = 5 if made % 2 else 1
        rows = tuple((number, f'{{"number":{number}}}') for number in range(made + 1, made + 1 + burst))
        outbox.save_retry(lane, "me", Tried("1", rows), NOW_MS)
        made += burst
    kept = record(client, lane, "1")
    numbers = sorted(int(name.partition(":")[2]) for name in kept if name.startswith("attempt:"))

    assert kept["attempts"] == str(made)
    assert numbers == [*range(1, 11), *range(made - 19, made + 1)]


# ------------------------------------------------------------ what a sweep has to look at


def test_a_sweep_finds_what_is_due_and_nobody_s(client: redis.Redis, outbox: OutboxStore, made: Participant) -> None:
    """Not what is leased, nor what has to wait; a lane that was found is left alone for a lease's time."""
    lanes = [Lane(made.conference_sid, name) for name in ("a", "b", "c")]
    for lane in lanes:
        put(client, lane, new(lane.name))
    client.zadd(keys.lanes_due("callbacks"), {str(lane): NOW_MS for lane in lanes})
    outbox.load_head(lanes[0], "me", NOW_MS)
    client.zadd(keys.lanes_due("callbacks"), {str(lanes[0]): NOW_MS})  # as if it had been looked at too early
    outbox.load_head(lanes[1], "me", NOW_MS)
    outbox.save_retry(lanes[1], "me", Tried(lanes[1].name), NOW_MS + 10)

    assert outbox.list_due(NOW_MS, 100) == [lanes[2]]
    assert outbox.list_due(NOW_MS + 9, 100) == []
    assert outbox.list_due(NOW_MS + 10, 100) == [lanes[1]]


def test_a_dead_drain_s_lane_comes_due(client: redis.Redis, outbox: OutboxStore, lane: Lane) -> None:
    """Leased by somebody who never came back: no wake-up and no search is needed."""
    put(client, lane, new("1"))
    client.zrem(keys.lanes_due("callbacks"), str(lane))
    outbox.load_head(lane, "dead", NOW_MS)
    client.delete(keys.lane_lease("callbacks", lane.sid, lane.name))

    assert outbox.list_due(NOW_MS + LEASE_MS, 100) == []
    assert outbox.list_due(LATER_MS, 100) == [lane]


def test_what_is_due_and_empty_leaves_the_sweep_s_list(client: redis.Redis, outbox: OutboxStore, lane: Lane) -> None:
    """A worked-off lane costs one look."""
    put(client, lane, new("1"))
    outbox.load_head(lane, "me", NOW_MS)
    deliver(outbox, lane, "me", "1")
    assert client.zcard(keys.lanes_due("callbacks")) == 1
    client.zadd(keys.lanes_due("callbacks"), {str(lane): NOW_MS})

    assert outbox.list_due(NOW_MS, 100) == []
    assert client.zcard(keys.lanes_due("callbacks")) == 0


def test_a_lane_that_fills_again_while_the_sweep_looks_is_found(
    client: redis.Redis, outbox: OutboxStore, lane: Lane, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was empty when the sweep asked, and a commit and its lost wake-up came before it was taken off the list: the
    search for forgotten lanes has it back."""
    client.zadd(keys.lanes_due("callbacks"), {str(lane): NOW_MS})
    plain = outbox.list_empty

    def list_empty(lanes: Sequence[Lane]) -> set[Lane]:
        answer = plain(lanes)
        put(client, lane, new("1"))
        return answer

    monkeypatch.setattr(outbox, "list_empty", list_empty)
    assert outbox.list_due(NOW_MS, 100) == []
    monkeypatch.undo()
    outbox.save_forgotten(NOW_MS)

    assert due_at(client, lane) is not None


def test_a_round_looks_at_so_many_lanes_and_the_earliest_first(
    client: redis.Redis, outbox: OutboxStore, made: Participant
) -> None:
    """The others get their turn: those that were found have gone to the back."""
    lanes = [Lane(made.conference_sid, f"lane{number}") for number in range(6)]
    for number, lane in enumerate(lanes):
        put(client, lane, new(lane.name))
        client.zadd(keys.lanes_due("callbacks"), {str(lane): NOW_MS + number})

    assert outbox.list_due(NOW_MS + 10, 4) == lanes[:4]
    assert outbox.list_due(NOW_MS + 10, 4) == lanes[4:]
    assert outbox.list_due(NOW_MS + 10, 4) == []


def test_forgotten_lanes_are_put_on_the_list(client: redis.Redis, outbox: OutboxStore, made: Participant) -> None:
    """A listener died between its commit and that. Lanes that are on it already keep their moment."""
    lanes = [Lane(made.conference_sid, name) for name in ("a", "b")]
    for lane in lanes:
        put(client, lane, new(lane.name))
    client.zrem(keys.lanes_due("callbacks"), str(lanes[0]))
    client.zadd(keys.lanes_due("callbacks"), {str(lanes[1]): NOW_MS + 99_000})

    assert outbox.save_forgotten(NOW_MS) == 1
    assert outbox.save_forgotten(NOW_MS) == 0
    assert outbox.list_due(NOW_MS, 100) == [lanes[0]]
    assert due_at(client, lanes[1]) == NOW_MS + 99_000


def test_a_name_that_outlives_its_conference_is_freed(
    client: redis.Redis, outbox: OutboxStore, made: Participant, lane: Lane
) -> None:
    """A listener died between its commit and that; callbacks that still wait do not keep the name."""
    put(client, lane, new("1"))
    names = keys.account_names(ACCOUNT)
    outbox.save_forgotten(NOW_MS)
    assert client.hvals(names) == [made.conference_sid], "it goes on"
    client.hset(keys.conference(made.conference_sid), "status", "completed")
    outbox.save_forgotten(NOW_MS)
    assert client.hvals(names) == []
    client.hset(names, "weekly", "CF" + "9" * 32)
    outbox.save_forgotten(NOW_MS)

    assert client.hvals(names) == ["CF" + "9" * 32], "it is another's by now"


def test_a_conference_that_its_node_does_not_know_of_is_made_known_to_it(
    client: redis.Redis, outbox: OutboxStore, made: Participant
) -> None:
    """In a cluster the node's list may lie on a server that lost it: nobody would look at the conference, or close it
    to the listener before. One that is over need not be known."""
    ours = keys.node_conferences(NODE)
    known = client.zrange(ours, 0, -1, withscores=True)
    client.delete(ours)
    outbox.save_forgotten(NOW_MS)
    assert client.zrange(ours, 0, -1, withscores=True) == known
    client.delete(ours)
    client.hset(keys.conference(made.conference_sid), "status", "completed")
    outbox.save_forgotten(NOW_MS)

    assert not client.exists(ours)


def test_conferences_that_are_over_and_delivered_leave_the_open_list(
    client: redis.Redis, outbox: OutboxStore, made: Participant, lane: Lane
) -> None:
    """Not before the last callback is out and the last call has ended; and a conference that was claimed and never made
    after a minute."""
    put(client, lane, new("1"))
    client.hset(keys.conference(made.conference_sid), "status", "completed")
    client.zadd(keys.OPEN_CONFERENCES, {"CF" + "9" * 32: NOW_MS})
    outbox.save_forgotten(NOW_MS + 59_000)
    assert client.zcard(keys.OPEN_CONFERENCES) == 2
    outbox.load_head(lane, "me", NOW_MS)
    deliver(outbox, lane, "me", "1")
    outbox.save_forgotten(NOW_MS + 61_000)
    assert client.zrange(keys.OPEN_CONFERENCES, 0, -1) == [made.conference_sid], "its call has not ended"
    client.delete(keys.live_participants(made.conference_sid))
    outbox.save_forgotten(NOW_MS + 61_000)

    assert client.zcard(keys.OPEN_CONFERENCES) == 0
