"""Lanes of sound in Redis: leases, what has ended, announcements, and what a sweep finds."""

from __future__ import annotations

import time

import pytest
import redis

from orchestrator.errors import ConferenceNotInProgress, TooManyAnnouncements
from orchestrator.sids import mint_sid
from orchestrator.store import keys
from orchestrator.store.lanes import Lane, LeaseLost
from orchestrator.store.playback import (
    KEEP_SECONDS,
    MOST_ANNOUNCEMENTS,
    PlaybackStore,
    Stored,
)

URL = "https://app.example/a"


@pytest.fixture
def store(client: redis.Redis) -> PlaybackStore:
    return PlaybackStore(client)


@pytest.fixture
def lane(client: redis.Redis) -> Lane:
    sid = mint_sid("CF")
    client.hset(keys.conference(sid), "status", "in-progress")
    return Lane(sid, mint_sid("CA"))


def test_what_has_ended_is_noted_by_whoever_hears_of_it(store: PlaybackStore, lane: Lane) -> None:
    """Also while another has the lane; of two that end at once the later does not make the earlier forgotten."""
    store.take(lane, "one", 0)
    store.take(lane, "two", 0, "0123456789abcdef")
    assert store.load(lane).ended == ("0123456789abcdef",)
    store.take(lane, "three", 0, "fedcba9876543210")

    assert store.load(lane) == Stored("", ("0123456789abcdef", "fedcba9876543210"), None)


def test_who_lost_its_lease_writes_nothing(store: PlaybackStore, client: redis.Redis, lane: Lane) -> None:
    """It ran out while its worker was stopped; another has taken over."""
    store.add_announcement(lane, URL, "POST")
    stored = store.load(lane)
    store.take(lane, "one", 0)
    client.delete(store.lease(lane))
    store.take(lane, "two", 0)
    store.save(lane, "two", "theirs")
    with pytest.raises(LeaseLost):
        store.save(lane, "one", "mine", taken=1)

    assert store.load(lane) == Stored("theirs", (), stored.next)


def test_who_has_been_woken_meanwhile_still_writes(store: PlaybackStore, lane: Lane) -> None:
    """The lane is theirs; they look once more afterwards."""
    store.take(lane, "one", 0)
    store.take(lane, "two", 0)
    store.save(lane, "one", "mine")

    assert store.load(lane).state == "mine"


def test_a_state_is_kept_for_a_day_and_none_leaves_nothing(
    store: PlaybackStore, client: redis.Redis, lane: Lane
) -> None:
    """Also what had ended."""
    store.take(lane, "one", 0, "0123456789abcdef")
    store.save(lane, "one", "state")
    assert 0 < client.ttl(keys.playback(lane.sid, lane.name)) <= KEEP_SECONDS
    store.save(lane, "one", "")
    store.release(lane, "one", None)

    assert list(client.scan_iter()) == [keys.conference(lane.sid)]


def test_announcements_wait_in_order_and_are_bounded(store: PlaybackStore, client: redis.Redis, lane: Lane) -> None:
    """One that is taken makes room for another; they end by themselves a day after the last one."""
    for number in range(MOST_ANNOUNCEMENTS):
        store.add_announcement(lane, f"{URL}{number}", "GET")
    with pytest.raises(TooManyAnnouncements):
        store.add_announcement(lane, URL, "GET")
    store.take(lane, "one", 0)
    assert next_url(store, lane) == f"{URL}0"
    store.save(lane, "one", "state", taken=1)

    assert next_url(store, lane) == f"{URL}1"
    store.add_announcement(lane, URL, "POST")
    assert 0 < client.ttl(keys.announcements(lane.sid, lane.name)) <= KEEP_SECONDS


def test_nothing_is_announced_to_a_conference_that_has_ended(
    store: PlaybackStore, client: redis.Redis, lane: Lane
) -> None:
    """Its end has been told, and nothing is told after it."""
    client.hset(keys.conference(lane.sid), "status", "completed")
    with pytest.raises(ConferenceNotInProgress):
        store.add_announcement(lane, URL, "GET")

    assert store.load(lane).next is None


def next_url(store: PlaybackStore, lane: Lane) -> str:
    waiting = store.load(lane).next
    assert waiting is not None
    return waiting.url


def test_an_announcement_whose_wake_up_is_lost_is_found(store: PlaybackStore, client: redis.Redis, lane: Lane) -> None:
    """And one more does not put the others off."""
    store.add_announcement(lane, URL, "POST")
    first = client.zscore(keys.lanes_due("playback"), str(lane))
    store.add_announcement(lane, URL, "POST")
    now_ms = int(time.time() * 1000)

    assert client.zscore(keys.lanes_due("playback"), str(lane)) == first
    assert store.list_due(now_ms, 10) == []
    assert store.list_due(now_ms + 1000, 10) == [lane]


def test_what_is_taken_leaves_the_others_to_be_told_of(store: PlaybackStore, lane: Lane) -> None:
    """Who saves is told how many still wait: their wake-ups may be lost."""
    store.add_announcement(lane, URL, "POST")
    store.take(lane, "one", 0)
    assert store.save(lane, "one", "") == 1

    assert store.save(lane, "one", "", taken=1) == 0
