"""Accounts: an AccountSid, an AuthToken, whether the operator has suspended it, and what it may take."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import redis

from orchestrator.limits import Limits
from orchestrator.store import keys
from orchestrator.store.connection import redis_errors

CACHE_SECONDS = 1.0
"""How long a process may act on what it last read of an account; a rotated token is refused after that."""

_LIMIT: Final = "limit:"


@dataclass(frozen=True, slots=True)
class Account:
    """`status` is `active` or `suspended`. The token also signs the account's callbacks."""

    account_sid: str
    auth_token: str
    status: str
    friendly_name: str = ""
    created_at: str = ""
    updated_at: str = ""
    limits: Limits = field(default_factory=Limits)


class AccountStore:
    """Reads are cached for CACHE_SECONDS, at most 10,000 accounts; writes go straight to Redis."""

    def __init__(self, client: redis.Redis) -> None:
        self._redis: Any = client
        self._cache: dict[str, tuple[float, Account | None]] = {}

    def load_account(self, account_sid: str) -> Account | None:
        """The account, or None if there is none."""
        cached = self._cache.get(account_sid)
        now = time.monotonic()
        if cached is not None and cached[0] > now:
            return cached[1]
        with redis_errors():
            raw = self._redis.hgetall(keys.account(account_sid))
        account = None
        if "auth_token" in raw:
            own = {name.removeprefix(_LIMIT): value for name, value in raw.items() if name.startswith(_LIMIT)}
            account = Account(
                account_sid,
                raw["auth_token"],
                raw["status"],
                raw.get("friendly_name", ""),
                raw.get("created_at", ""),
                raw.get("updated_at", raw.get("created_at", "")),
                Limits.parse(own),
            )
        if len(self._cache) >= 10_000:
            self._cache.clear()
        self._cache[account_sid] = (now + CACHE_SECONDS, account)
        return account

    def load_limits(self, account_sid: str) -> Limits:
        """What the account may take."""
        account = self.load_account(account_sid)
        return account.limits if account else Limits()

    def save_limits(self, account_sid: str, changed: Mapping[str, int | None]) -> None:
        """Set limits of their own by name; None gives one its default again. Processes see it within CACHE_SECONDS."""
        with redis_errors():
            pipe = self._redis.pipeline(transaction=True)
            for name, value in changed.items():
                if value is None:
                    pipe.hdel(keys.account(account_sid), _LIMIT + name)
                else:
                    pipe.hset(keys.account(account_sid), _LIMIT + name, value)
            pipe.execute()
        self._cache.pop(account_sid, None)

    def list_accounts(self) -> list[Account]:
        """Every account, by SID."""
        with redis_errors():
            sids = sorted(self._redis.smembers(keys.ACCOUNTS))
        return [account for sid in sids if (account := self.load_account(sid)) is not None]

    def save_account(self, account: Account) -> None:
        """Write an account, new or changed."""
        with redis_errors():
            pipe = self._redis.pipeline(transaction=True)
            key, now = keys.account(account.account_sid), datetime.now(UTC).isoformat()
            pipe.hset(
                key,
                mapping={
                    "auth_token": account.auth_token,
                    "status": account.status,
                    "friendly_name": account.friendly_name,
                    "updated_at": now,
                },
            )
            pipe.hsetnx(key, "created_at", now)
            pipe.execute()
            self._redis.sadd(keys.ACCOUNTS, account.account_sid)
        self._cache.pop(account.account_sid, None)
