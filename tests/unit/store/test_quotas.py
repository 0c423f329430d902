"""Quotas on a real Redis: what is counted, with the creates, without drift, whoever dies when; rates; full nodes."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import redis

from orchestrator.domain.conference import Participant
from orchestrator.domain.events import CallAnswered, CallEnded, CallInitiated, MemberAdded, MemberRemoved
from orchestrator.errors import QuotaReached
from orchestrator.limits import DEFAULTS, TABLE, Limits
from orchestrator.sids import mint_sid
from orchestrator.store import keys, quotas
from orchestrator.store.quotas import Admission, QuotaStore, Room
from tests.unit.listener.test_committer import NOW, World
from tests.unit.records import ACCOUNT, OTHER_ACCOUNT

FREE = Limits(**{row.name: 1_000_000 for row in TABLE})


@pytest.fixture
def store(client: redis.Redis) -> QuotaStore:
    return QuotaStore(client)


@pytest.fixture
def world(client: redis.Redis) -> World:
    return World(client)


def new(conference_sid: str | None = None, size: int = 100, account_sid: str = ACCOUNT) -> Admission:
    return Admission(account_sid, conference_sid or mint_sid("CF"), mint_sid("CA"), size, now_ms())


def now_ms() -> int:
    return int(time.time() * 1000)


def admit(store: QuotaStore, limits: Limits, admission: Admission | None = None) -> None:
    with store.admitted(admission or new(), limits):
        pass


def refused(store: QuotaStore, limits: Limits, admission: Admission | None = None) -> tuple[int, int, int]:
    with pytest.raises(QuotaReached) as reached:
        admit(store, limits, admission)
    return reached.value.http_status, reached.value.code, reached.value.retry_after_seconds or 0


def create(store: QuotaStore, world: World, limits: Limits, name: str = "weekly") -> Participant:
    """As the API does it."""
    made = world.create(name)
    admit(store, limits, Admission(ACCOUNT, made.conference_sid, made.call_sid, 100, now_ms()))
    return made


def end(world: World, *participants: Participant) -> None:
    for participant in participants:
        world.apply(participant, MemberRemoved(NOW), CallEnded(NOW, "NORMAL_CLEARING"))


@pytest.mark.parametrize("name", ["live_participants", "live_conferences", "dialling"])
def test_what_lives_at_once_is_bounded(store: QuotaStore, name: str) -> None:
    """As many as the limit says, and the next is refused with 429/16021 and a Retry-After; another account is not."""
    limits = replace(FREE, **{name: 3})
    for _ in range(3):
        admit(store, limits)

    assert refused(store, limits) == (429, 16021, 5)
    admit(store, limits, new(account_sid=OTHER_ACCOUNT))


def test_a_limit_of_nothing_allows_nothing(store: QuotaStore) -> None:
    """0 is a limit, too."""
    for name in ("live_participants", "live_conferences", "dialling", "creates_per_second", "kept_participants"):
        refused(store, replace(FREE, **{name: 0}), new(account_sid=mint_sid("AC")))


def test_a_conference_counts_once(store: QuotaStore) -> None:
    """However many join it: whoever joins one that is counted is not refused for it."""
    limits, one = replace(FREE, live_conferences=1), mint_sid("CF")
    for _ in range(3):
        admit(store, limits, new(one))

    assert refused(store, limits)[1] == 16021


def test_whatever_ends_makes_room(store: QuotaStore, world: World) -> None:
    """An answer for the next one to dial, an end of a call for the next call, that of a conference for the next."""
    dialling = replace(FREE, dialling=1)
    first = create(store, world, dialling)
    refused(store, dialling)
    world.apply(first, CallInitiated(NOW), CallAnswered(NOW), MemberAdded(NOW, 1))
    admit(store, dialling)

    limits = replace(FREE, live_participants=2, live_conferences=2)
    refused(store, limits)
    end(world, first)
    admit(store, limits)


def test_a_create_that_fails_was_never_there(store: QuotaStore) -> None:
    """But as one of its second: neither its call, nor its conference, nor its bytes are counted."""
    limits = replace(FREE, live_participants=1, live_conferences=1, dialling=1, kept_participants=1)
    for _ in range(3):
        fails = replace(new(), makes_conference=True)
        with pytest.raises(KeyError), store.admitted(fails, limits):
            raise KeyError
    admit(store, replace(limits, kept_parameter_bytes=100))


def test_many_at_once_get_as_many_as_there_are(client: redis.Redis) -> None:
    """Counting and admitting are one step."""
    limits = replace(FREE, live_participants=7)

    def ask(_: int) -> bool:
        try:
            admit(QuotaStore(client), limits)
        except QuotaReached:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(ask, range(60))) == 7


@pytest.mark.parametrize("dies", ["before the create", "after the end"])
def test_what_a_crash_leaves_is_found(
    store: QuotaStore, world: World, monkeypatch: pytest.MonkeyPatch, dies: str
) -> None:
    """An API process that dies between counting and creating, or a listener between the commit of an end and its
    bookkeeping, leaves members behind: the next create that would be refused finds them out and is not."""
    limits = replace(FREE, live_participants=3, live_conferences=3, dialling=3)
    for number in range(3):
        if dies == "before the create":
            admit(store, limits)
        else:
            made = world.create(f"room {number}")
            end(world, made)
            admit(store, limits, Admission(ACCOUNT, made.conference_sid, made.call_sid, 100, now_ms()))
    refused(store, limits)
    monkeypatch.setattr(quotas, "LOOK_AGAIN_MS", 0)

    for number in range(3):
        create(store, world, limits, f"new {number}")
    refused(store, limits)


def test_creates_that_succeed_clean_up_as_well(
    store: QuotaStore, world: World, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few members at a time are looked at, those longest not seen first; what is true stays."""
    monkeypatch.setattr(quotas, "LOOK_AGAIN_MS", 0)
    true = [create(store, world, FREE, f"room {number}") for number in range(8)]
    for _ in range(8):
        admit(store, FREE)
    for number in range(12):
        true.append(create(store, world, FREE, f"more {number}"))

    found = set(client.zrange(keys.account_live(ACCOUNT), 0, -1))
    assert {f"{made.conference_sid}.{made.call_sid}" for made in true} <= found
    assert len(found) <= len(true) + 1


def test_a_repeated_command_counts_once(store: QuotaStore) -> None:
    """The client repeats one whose answer was lost with the connection."""
    limits, one = replace(FREE, live_participants=1, creates_per_second=1), new()
    admit(store, limits, one)
    admit(store, limits, one)


def test_creates_have_a_rate(store: QuotaStore) -> None:
    """A second's worth at once, then 429/20429 until there is one again; what is refused for what lives counts, too."""
    limits = replace(FREE, creates_per_second=5, live_participants=3)
    codes = []
    for _ in range(6):
        try:
            admit(store, limits)
            codes.append(0)
        except QuotaReached as reached:
            codes.append(reached.code)

    assert codes == [0, 0, 0, 16021, 16021, 20429]


def test_history_has_a_bound(store: QuotaStore, client: redis.Redis) -> None:
    """Calls of 7 days and the bytes of their parameters: 429/20429, with the moment when the oldest is forgotten."""
    limits = replace(FREE, kept_participants=2)
    for _ in range(2):
        admit(store, limits)
    status, code, wait = refused(store, limits)
    assert (status, code) == (429, 20429)
    assert keys.RETENTION_SECONDS - 60 < wait <= keys.RETENTION_SECONDS
    assert refused(store, replace(FREE, kept_parameter_bytes=299))[1] == 20429

    oldest = str(client.zrange(keys.account_kept(ACCOUNT), 0, 0)[0])
    client.zadd(keys.account_kept(ACCOUNT), {oldest: 1})
    admit(store, replace(limits, kept_parameter_bytes=200))


def test_a_bucket_gives_what_is_left(store: QuotaStore) -> None:
    """Of a minute's replays a bulk one gets what is left; when nothing is, it is told when to come back."""
    limits = replace(DEFAULTS, replays_per_minute=100)
    assert store.take(ACCOUNT, limits, "replays_per_minute", 60_000, 70) == 70
    assert store.take(ACCOUNT, limits, "replays_per_minute", 60_000, 70) == 30
    with pytest.raises(QuotaReached) as reached:
        store.take(ACCOUNT, limits, "replays_per_minute", 60_000, 1)
    assert (reached.value.code, reached.value.retry_after_seconds) == (20429, 1)
    assert store.take(OTHER_ACCOUNT, limits, "replays_per_minute", 60_000, 1) == 1


def test_a_full_node_takes_no_more(store: QuotaStore) -> None:
    """What the switch shows, and what has been asked for since it was read, are not more than it has."""
    room = Room(free_sessions=3, age_ms=60_000, per_second=1_000)
    assert [store.reserve_session("fs1", mint_sid("CA"), room) for _ in range(4)] == [True, True, True, False]
    assert store.reserve_session("fs2", mint_sid("CA"), room)


def test_what_the_switch_shows_by_now_counts_no_longer(store: QuotaStore, settles: Callable[[], None]) -> None:
    """A call is reserved until the switch has been read after it."""
    assert store.reserve_session("fs1", mint_sid("CA"), Room(1, 60_000, 1_000))
    settles()
    assert store.reserve_session("fs1", mint_sid("CA"), Room(1, 0, 1_000))


def test_a_node_is_not_asked_for_more_in_a_second_than_it_makes(store: QuotaStore) -> None:
    """It would accept the job, and make no channel."""
    room = Room(free_sessions=1_000, age_ms=0, per_second=3)
    assert [store.reserve_session("fs1", mint_sid("CA"), room) for _ in range(4)] == [True, True, True, False]


@pytest.fixture
def settles(client: redis.Redis) -> Callable[[], None]:
    """Waits until Redis' clock has moved on by two milliseconds."""

    def wait() -> None:
        def now() -> int:
            seconds, micro = client.time()
            return int(seconds * 1_000_000 + micro)

        until = now() + 2_000
        while now() < until:
            pass

    return wait
