"""CallRate on a real Redis: in order, at the account's rate, given back when they are not taken."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Any

import pytest
import redis

from orchestrator.limits import DEFAULTS
from orchestrator.sids import mint_sid
from orchestrator.store import keys
from orchestrator.store.dials import DialStore
from orchestrator.store.lanes import Lane
from orchestrator.store.quotas import QuotaStore
from tests.unit.records import ACCOUNT, OTHER_ACCOUNT

CF = mint_sid("CF")


@pytest.fixture
def store(client: redis.Redis) -> DialStore:
    return DialStore(client)


def reserve(store: DialStore, per_second: int = 10, account_sid: str = ACCOUNT) -> tuple[str, int]:
    call_sid = mint_sid("CA")
    return call_sid, store.reserve(account_sid, CF, call_sid, f"sealed {call_sid}", per_second).waits_ms


def test_the_first_is_dialled_at_once_and_each_after_it_in_its_turn(store: DialStore) -> None:
    """Ten a second: 0.1 s apart. Another account's queue is none of its business."""
    begun = time.time() * 1000
    waits = [(reserve(store)[1], time.time() * 1000 - begun) for _ in range(31)]
    slots = [wait + passed for wait, passed in waits]
    apart = [later - slot for slot, later in pairwise(slots)]

    assert waits[0][0] == 0
    assert 2_900 <= slots[-1] - slots[0] <= 3_000 + waits[-1][1]
    assert all(20 <= gap <= 180 for gap in apart[1:])
    assert reserve(store, account_sid=OTHER_ACCOUNT)[1] == 0


def test_they_are_dialled_in_the_order_in_which_they_came(store: DialStore) -> None:
    """The head is the one that waits longest, with what is needed to dial it; whoever is done leaves no trace."""
    made = [reserve(store, 1)[0] for _ in range(20)][1:]
    seen = []
    while (head := store.head(ACCOUNT)) is not None:
        seen.append(head.call_sid)
        assert store.claim(head) == (1, f"sealed {head.call_sid}", 0)
        store.finish(head, None)

    assert seen == [sid for sid in made if sid in seen]
    assert len(seen) >= 1
    assert store.list_empty([Lane(ACCOUNT, "calls")]) == {Lane(ACCOUNT, "calls")}


def test_a_rate_that_nobody_notices_is_noticed_by_nobody(store: DialStore) -> None:
    """A hundred at once at a thousand a second: those within the 20 ms of the switch's own clock do not wait; at a
    million none does. Who waits is not refused when the switch is full, so nobody may wait for nothing."""
    assert [reserve(store, 1_000_000)[1] for _ in range(100)] == [0] * 100
    many = [store.reserve(OTHER_ACCOUNT, CF, mint_sid("CA"), "x", 10_000).waits_ms for _ in range(100)]

    assert many[:20] == [0] * 20


def test_a_turn_that_is_not_taken_is_the_next_ones(store: DialStore) -> None:
    """A create that was refused costs nobody anything; asking twice for the same call is asking once."""
    reserve(store)
    refused, wait = reserve(store)
    slot = store.reserve(ACCOUNT, CF, refused, "x", 10)
    assert abs(slot.waits_ms - wait) <= 60
    store.give_back(ACCOUNT, CF, refused, 10, slot)

    assert abs(reserve(store)[1] - wait) <= 60
    head = store.head(ACCOUNT)
    assert head is not None
    assert head.call_sid != refused


def test_a_turn_that_came_at_once_is_given_back_like_any(store: DialStore) -> None:
    """Unless somebody has had the next one: then it has passed."""
    call_sid = mint_sid("CA")
    slot = store.reserve(ACCOUNT, CF, call_sid, "x", 1)
    store.give_back(ACCOUNT, CF, call_sid, 1, slot)
    again = store.reserve(ACCOUNT, CF, call_sid, "x", 1)
    _, wait = reserve(store, 1)
    store.give_back(ACCOUNT, CF, call_sid, 1, again)

    assert (slot.waits_ms, again.waits_ms) == (0, 0)
    assert 0 < wait <= 1_000
    assert reserve(store, 1)[1] > 1_000


def test_what_others_count_is_kept_as_long_as_they_say(store: DialStore, client: redis.Redis) -> None:
    """Tallies are one key: with calls kept for longer than a week their bytes were forgotten after a week."""
    any_client: Any = client
    key = keys.account_tallies(ACCOUNT)
    any_client.hset(key, "kept_bytes", 7)
    any_client.pexpire(key, 90 * 86_400_000)
    reserve(store)
    store.save_next(ACCOUNT, 5.0)
    QuotaStore(client).take(ACCOUNT, DEFAULTS, "requests_per_second", 1_000)
    assert any_client.pttl(key) > 89 * 86_400_000

    any_client.persist(key)
    reserve(store)
    assert 0 < any_client.pttl(key) <= keys.RETENTION_SECONDS * 1_000


def test_who_comes_while_nobody_dials_is_told_to_wait_for_all_before(store: DialStore, client: redis.Redis) -> None:
    """CallRate that are long past are still taken one after the other: what is promised counts from now."""
    for _ in range(6):
        reserve(store)
    any_client: Any = client
    names = any_client.zrange(keys.account_dials(ACCOUNT), 0, -1)
    any_client.zadd(keys.account_dials(ACCOUNT), {name: number for number, name in enumerate(names)})
    any_client.hset(keys.account_tallies(ACCOUNT), "dials_free_at", "7")

    assert 450 <= reserve(store)[1] <= 500


def test_a_claim_that_was_found_is_told_from_ones_own(store: DialStore) -> None:
    """Once 1; then 2 until it is taken back; 0 when the call waits no more."""
    reserve(store, 1)
    reserve(store, 1)
    head = store.head(ACCOUNT)
    assert head is not None

    assert [store.claim(head)[0], store.claim(head)[0]] == [1, 2]
    store.unclaim(head)
    assert store.claim(head)[0] == 1
    store.finish(head, None)
    assert store.claim(head) == (0, "", 0)


def test_a_queue_that_nobody_was_told_of_is_found(store: DialStore, client: redis.Redis) -> None:
    """Whoever queued the first call died before saying so."""
    client.sadd("accounts", ACCOUNT, OTHER_ACCOUNT)
    reserve(store, 1)
    reserve(store, 1)

    assert store.save_forgotten(5) == 1
    assert store.list_due(10, 10) == [Lane(ACCOUNT, "calls")]
    assert store.save_forgotten(5) == 0
