"""Lanes of sound in Redis: leases, what has ended, announcements, and what a sweep finds."""

from __future__ import annotations

import time

import pytest
import redis

from orchestrator.errors import ConferenceNotInProgress, TooManyAnnouncements
from orchestrator.sids import mint_sid
from orchestrator.store import keys
from orchestrator.store.outbox import Lane
from orchestrator.store.sounds import (
    KEEP_SECONDS,
    LEASE_MS,
    MOST_ANNOUNCEMENTS,
    LeaseLost,
    SoundStore,
    Stored,
)

URL = "https://app.example/a"


@pytest.fixture
def store(client: redis.Redis) -> SoundStore:
    return SoundStore(client)


@pytest.fixture
def lane(client: redis.Redis) -> Lane:
    sid = mint_sid("CF")
    client.hset(keys.conference(sid), "status", "in-progress")
    return Lane(sid, mint_sid("CA"))


def due_in_ms(client: redis.Redis, lane: Lane) -> float | None:
    found = client.zscore(keys.SOUNDS_DUE, str(lane))
    return None if found is None else float(found) - time.time() * 1000


def test_one_at_a_time(store: SoundStore, lane: Lane) -> None:
    """Who has the lane is told that something has happened meanwhile, and looks again; then it is free."""
    assert store.take(lane, "one")
    assert not store.take(lane, "two")
    assert not store.release(lane, "one"), "something has happened meanwhile"
    assert not store.take(lane, "three"), "still the first one's"
    assert not store.release(lane, "one")
    assert store.release(lane, "one")
    assert store.take(lane, "two")


def test_what_has_ended_is_noted_by_whoever_hears_of_it(store: SoundStore, lane: Lane) -> None:
    """Also while another has the lane; of two that end at once the later does not make the earlier forgotten."""
    store.take(lane, "one")
    store.take(lane, "two", "0123456789abcdef")
    assert store.load(lane).ended == ("0123456789abcdef",)
    store.release(lane, "one")
    store.release(lane, "one")
    store.take(lane, "three", "fedcba9876543210")

    assert store.load(lane) == Stored("", ("0123456789abcdef", "fedcba9876543210"), None)


def test_a_lane_of_its_own_is_nobody_else_s(store: SoundStore, lane: Lane) -> None:
    """Another participant, or the whole conference."""
    store.take(lane, "one")

    assert store.take(Lane(lane.conference_sid, "conference"), "two")
    assert store.take(Lane(mint_sid("CF"), lane.name), "three")


def test_who_lost_its_lease_writes_nothing(store: SoundStore, client: redis.Redis, lane: Lane) -> None:
    """It ran out while its worker was stopped; another has taken over."""
    store.add_announcement(lane, URL, "POST")
    stored = store.load(lane)
    store.take(lane, "one")
    client.delete(keys.sound_lease(lane.conference_sid, lane.name))
    store.take(lane, "two")
    store.save(lane, "two", "theirs", due_ms=1)
    for act in (
        lambda: store.save(lane, "one", "mine", taken=1),
        lambda: store.renew(lane, "one"),
    ):
        with pytest.raises(LeaseLost):
            act()
    assert store.release(lane, "one"), "nothing to look at: it is not its lane"

    assert store.load(lane) == Stored("theirs", (), stored.next)
    assert client.get(keys.sound_lease(lane.conference_sid, lane.name)) == "two"


def test_a_lease_ends_by_itself_and_a_sweep_finds_the_lane(store: SoundStore, client: redis.Redis, lane: Lane) -> None:
    """A worker that dies: soon after its lease somebody looks again."""
    store.take(lane, "one")
    due = due_in_ms(client, lane)

    assert 0 < client.pttl(keys.sound_lease(lane.conference_sid, lane.name)) <= LEASE_MS
    assert due is not None
    assert LEASE_MS - 1000 < due <= LEASE_MS + 1000


def test_a_renewed_lease_says_whether_something_has_happened(
    store: SoundStore, client: redis.Redis, lane: Lane
) -> None:
    """While a document loads."""
    store.take(lane, "one")
    client.pexpire(keys.sound_lease(lane.conference_sid, lane.name), 1000)
    assert store.renew(lane, "one") is False
    store.take(lane, "two")

    assert store.renew(lane, "one") is True
    assert client.pttl(keys.sound_lease(lane.conference_sid, lane.name)) > 1000


def test_a_state_is_kept_for_a_day_and_none_leaves_nothing(store: SoundStore, client: redis.Redis, lane: Lane) -> None:
    """Also what had ended, and what a sweep would look at."""
    store.take(lane, "one", "0123456789abcdef")
    store.save(lane, "one", "state", due_ms=2**45)
    key = keys.sound(lane.conference_sid, lane.name)
    assert 0 < client.ttl(key) <= KEEP_SECONDS
    assert client.zscore(keys.SOUNDS_DUE, str(lane)) == 2**45
    store.save(lane, "one", "")
    store.release(lane, "one")

    assert list(client.scan_iter()) == [keys.conference(lane.conference_sid)]


def test_announcements_wait_in_order_and_are_bounded(store: SoundStore, client: redis.Redis, lane: Lane) -> None:
    """One that is taken makes room for another; they end by themselves a day after the last one."""
    for number in range(MOST_ANNOUNCEMENTS):
        store.add_announcement(lane, f"{URL}{number}", "GET")
    with pytest.raises(TooManyAnnouncements):
        store.add_announcement(lane, URL, "GET")
    store.take(lane, "one")
    assert next_url(store, lane) == f"{URL}0"
    store.save(lane, "one", "state", taken=1)

    assert next_url(store, lane) == f"{URL}1"
    store.add_announcement(lane, URL, "POST")
    assert 0 < client.ttl(keys.announcements(lane.conference_sid, lane.name)) <= KEEP_SECONDS


def test_nothing_is_announced_to_a_conference_that_has_ended(
    store: SoundStore, client: redis.Redis, lane: Lane
) -> None:
    """Its end has been told, and nothing is told after it."""
    client.hset(keys.conference(lane.conference_sid), "status", "completed")
    with pytest.raises(ConferenceNotInProgress):
        store.add_announcement(lane, URL, "GET")

    assert store.load(lane).next is None


def next_url(store: SoundStore, lane: Lane) -> str:
    waiting = store.load(lane).next
    assert waiting is not None
    return waiting.url


def test_an_announcement_whose_wake_up_is_lost_is_found(store: SoundStore, client: redis.Redis, lane: Lane) -> None:
    """And one more does not put the others off."""
    store.add_announcement(lane, URL, "POST")
    first = client.zscore(keys.SOUNDS_DUE, str(lane))
    store.add_announcement(lane, URL, "POST")
    now_ms = int(time.time() * 1000)

    assert client.zscore(keys.SOUNDS_DUE, str(lane)) == first
    assert store.list_due(now_ms, 10) == []
    assert store.list_due(now_ms + 1000, 10) == [lane]


def test_an_announcement_that_comes_while_the_lane_is_looked_at_is_found(store: SoundStore, lane: Lane) -> None:
    """Its wake-up is lost, and whoever has the lane did not see it any more: the sweep has to."""
    store.take(lane, "one")
    store.add_announcement(lane, URL, "POST")
    store.save(lane, "one", "")
    store.release(lane, "one")

    assert store.list_due(int(time.time() * 1000) + LEASE_MS, 10) == [lane]


def test_what_is_due_is_found_once_and_again_later(store: SoundStore, client: redis.Redis) -> None:
    """The oldest first, so many at a time; two sweeps do not both find it at once, and one that dies loses nothing."""
    lanes = [Lane(mint_sid("CF"), "conference") for _ in range(5)]
    for number, one in enumerate(lanes):
        client.zadd(keys.SOUNDS_DUE, {str(one): 1000 + number})

    assert store.list_due(1003, 3) == lanes[:3]
    assert store.list_due(1003, 3) == lanes[3:4]
    assert store.list_due(1003, 3) == []
    assert set(store.list_due(1003 + LEASE_MS, 10)) == set(lanes)
