"""Accounts in a real Redis, and how long a process believes what it has read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import pytest
import redis

from orchestrator.limits import DEFAULTS
from orchestrator.store import accounts as accounts_module
from orchestrator.store import keys
from orchestrator.store.accounts import CACHE_SECONDS, Account, AccountStore
from tests.unit.records import ACCOUNT, OTHER_ACCOUNT

Clock = Callable[[float], None]


@pytest.fixture
def tick(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Moves the store's clock on."""
    now = [1000.0]
    monkeypatch.setattr(accounts_module, "time", SimpleNamespace(monotonic=lambda: now[0]))

    def move(seconds: float) -> None:
        now[0] += seconds

    return move


def test_an_account_is_read_as_it_was_written(client: redis.Redis) -> None:
    """All its fields; one that does not exist is None."""
    written = Account(ACCOUNT, "secret", "active", "Ünïcode & Co")
    AccountStore(client).save_account(written)

    read = AccountStore(client).load_account(ACCOUNT)
    assert read is not None
    assert read.created_at == read.updated_at != ""
    assert replace(read, created_at="", updated_at="") == written
    assert AccountStore(client).load_account(OTHER_ACCOUNT) is None


def test_accounts_are_listed_by_sid(client: redis.Redis) -> None:
    """All of them, and the moment of making one survives a change."""
    store = AccountStore(client)
    for sid in (OTHER_ACCOUNT, ACCOUNT):
        store.save_account(Account(sid, "secret", "active"))
    made_at = client.hget(keys.account(ACCOUNT), "created_at")
    store.save_account(Account(ACCOUNT, "other", "suspended"))

    assert [(a.account_sid, a.status) for a in store.list_accounts()] == [
        (ACCOUNT, "suspended"), (OTHER_ACCOUNT, "active"),
    ]  # fmt: skip
    assert client.hget(keys.account(ACCOUNT), "created_at") == made_at


@pytest.mark.parametrize(
    "change", [Account(ACCOUNT, "rotated", "active"), Account(ACCOUNT, "secret", "suspended")], ids=["token", "status"]
)
def test_a_change_in_another_process_counts_after_the_cache_time(
    client: redis.Redis, tick: Clock, change: Account
) -> None:
    """A rotated token, or a suspension, is known everywhere within a second."""
    here, elsewhere = AccountStore(client), AccountStore(client)
    here.save_account(Account(ACCOUNT, "secret", "active"))
    first = here.load_account(ACCOUNT)
    elsewhere.save_account(change)
    assert here.load_account(ACCOUNT) == first
    tick(CACHE_SECONDS)

    read = here.load_account(ACCOUNT)
    assert read is not None
    assert (read.auth_token, read.status) == (change.auth_token, change.status)


def test_a_change_in_this_process_counts_at_once(client: redis.Redis, tick: Clock) -> None:
    """Its own cache is not asked."""
    store = AccountStore(client)
    assert store.load_account(ACCOUNT) is None
    store.save_account(Account(ACCOUNT, "secret", "active"))

    assert store.load_account(ACCOUNT) is not None


def test_guessed_sids_do_not_fill_the_memory(client: redis.Redis, tick: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cache is bounded, whoever asks for whatever."""
    store = AccountStore(client)
    store._cache.update({f"AC{number:032x}": (0.0, None) for number in range(10_000)})
    store.load_account(ACCOUNT)

    assert len(store._cache) == 1


def test_limits_of_its_own_are_kept_apart_from_defaults(client: redis.Redis) -> None:
    """One is set, the others stay at their defaults; `default` gives it its default again; a new token changes none."""
    store = AccountStore(client)
    store.save_account(Account(ACCOUNT, "secret", "active"))
    store.save_limits(ACCOUNT, {"live_participants": 3, "dialling": 0})
    store.save_account(Account(ACCOUNT, "other", "active"))
    assert AccountStore(client).load_limits(ACCOUNT) == replace(DEFAULTS, live_participants=3, dialling=0)

    store.save_limits(ACCOUNT, {"live_participants": None})
    assert store.load_limits(ACCOUNT) == replace(DEFAULTS, dialling=0)
    assert store.load_limits(OTHER_ACCOUNT) == DEFAULTS


def test_a_change_leaves_alone_what_others_have_changed(client: redis.Redis, tick: Clock) -> None:
    """Also within the second in which a process believes what it has read: a token that was rotated stays refused."""
    here, elsewhere = AccountStore(client), AccountStore(client)
    here.save_account(Account(ACCOUNT, "secret", "active"))
    here.load_account(ACCOUNT)
    elsewhere.change_account(ACCOUNT, lambda account: replace(account, auth_token="rotated"))
    changed = here.change_account(ACCOUNT, lambda account: replace(account, status="suspended"))

    assert changed is not None
    assert (changed.auth_token, changed.status) == ("rotated", "suspended")
    assert client.hmget(keys.account(ACCOUNT), "auth_token", "status") == ["rotated", "suspended"]


def test_a_change_meets_one_that_comes_between(client: redis.Redis, tick: Clock) -> None:
    """It is made again, of the account as it is then."""
    here, elsewhere = AccountStore(client), AccountStore(client)
    here.save_account(Account(ACCOUNT, "secret", "active"))
    seen: list[str] = []

    def suspend(account: Account) -> Account:
        if not seen:
            elsewhere.change_account(ACCOUNT, lambda other: replace(other, auth_token="rotated"))
        seen.append(account.auth_token)
        return replace(account, status="suspended")

    here.change_account(ACCOUNT, suspend)
    assert seen == ["secret", "rotated"]
    assert client.hmget(keys.account(ACCOUNT), "auth_token", "status") == ["rotated", "suspended"]


def test_a_change_makes_no_account_of_one_that_was_deleted(client: redis.Redis, tick: Clock) -> None:
    """Though this process has read it within the second."""
    store = AccountStore(client)
    store.save_account(Account(ACCOUNT, "secret", "active"))
    store.load_account(ACCOUNT)
    client.delete(keys.account(ACCOUNT))

    assert store.change_account(ACCOUNT, lambda account: replace(account, status="active")) is None
    assert not client.exists(keys.account(ACCOUNT))
    assert store.load_account(ACCOUNT) is None
