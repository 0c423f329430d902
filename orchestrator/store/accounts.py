"""Accounts: an AccountSid, an AuthToken, whether the operator has suspended it, and what it may take."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

import orjson
import redis

from orchestrator import trunks
from orchestrator.limits import Limits
from orchestrator.policy import OutboundPolicy
from orchestrator.store import keys
from orchestrator.store.connection import redis_errors
from orchestrator.store.shared_reads import SharedReads

CACHE_SECONDS = 1.0
"""How long a process may act on what it last read of an account; a rotated token is refused after that."""

MOST_KEYS: Final = 100
"""Most API keys of one account: every one of them is read with it."""

_LIMIT: Final = "limit:"
_KEY: Final = "key:"
_POLICY: Final = "policy:"
_TRUNK: Final = "trunk:"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """Credentials beside the AuthToken, which can be revoked by themselves. The secret is known to its owner alone."""

    key_sid: str
    secret_sha256: str
    friendly_name: str
    created_at: str


def digest(secret: str) -> str:
    """Return the hash that is kept of a secret with as many random bits as this."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


@lru_cache(maxsize=1024)
def token_id(token: str) -> str:
    """Return eight digits that name a token without telling it: callbacks carry them, so that a receiver knows which
    one signs."""
    return digest(token)[:8]


def _listed(stored: str) -> tuple[str, ...]:
    return tuple(stored.split(","))


@dataclass(frozen=True, slots=True)
class Account:
    """`status` is `active` or `suspended`. The token also signs the account's callbacks; while it is being rotated
    there is a `secondary_token`, which is as good for requests and signs nothing yet. `node_group`: the nodes that its
    conferences are kept to, if not to any."""

    account_sid: str
    auth_token: str
    status: str
    friendly_name: str = ""
    created_at: str = ""
    updated_at: str = ""
    limits: Limits = field(default_factory=Limits)
    secondary_token: str = ""
    keys: Mapping[str, ApiKey] = field(default_factory=dict)
    policy: OutboundPolicy = field(default_factory=OutboundPolicy)
    node_group: str = ""
    trunks: tuple[trunks.Trunk, ...] = ()


def _parse(account_sid: str, raw: Mapping[str, str]) -> Account | None:
    if "auth_token" not in raw:
        return None
    own = {name.removeprefix(_LIMIT): value for name, value in raw.items() if name.startswith(_LIMIT)}
    return Account(
        account_sid,
        raw["auth_token"],
        raw["status"],
        raw.get("friendly_name", ""),
        raw.get("created_at", ""),
        raw.get("updated_at", raw.get("created_at", "")),
        Limits.parse(own),
        raw.get("secondary_token", ""),
        {row[len(_KEY) :]: ApiKey(**orjson.loads(raw[row])) for row in raw if row.startswith(_KEY)},
        OutboundPolicy(**{row[len(_POLICY) :]: _listed(raw[row]) for row in raw if row.startswith(_POLICY)}),
        raw.get("node_group", ""),
        tuple(trunks.load(row[len(_TRUNK) :], raw[row]) for row in sorted(raw) if row.startswith(_TRUNK)),
    )


class AccountStore:
    """Reads and writes accounts. Reads are cached for CACHE_SECONDS, at most 10,000 accounts; writes go straight to
    Redis."""

    def __init__(self, client: redis.Redis) -> None:
        self._redis: Any = client
        self._cache: dict[str, tuple[float, Account | None]] = {}
        self._reads: SharedReads[Account | None] = SharedReads()

    def load_account(self, account_sid: str) -> Account | None:
        """Load an account; None if there is none."""
        cached = self._cache.get(account_sid)
        if cached is not None and cached[0] > time.monotonic():
            return cached[1]
        return self._reads.read(account_sid, lambda: self._read(account_sid))

    def _read(self, account_sid: str) -> Account | None:
        now = time.monotonic()
        with redis_errors():
            raw = self._redis.hgetall(keys.account(account_sid))
        account = _parse(account_sid, raw)
        if len(self._cache) >= 10_000:
            self._cache.clear()
        self._cache[account_sid] = (now + CACHE_SECONDS, account)
        return account

    def save_key(self, account_sid: str, key: ApiKey) -> None:
        """Add an API key; every process knows it within CACHE_SECONDS."""
        with redis_errors():
            self._redis.hset(keys.account(account_sid), _KEY + key.key_sid, orjson.dumps(key).decode())
        self.forget(account_sid)

    def delete_key(self, account_sid: str, key_sid: str) -> bool:
        """Revoke an API key, within CACHE_SECONDS everywhere; False if there is none."""
        with redis_errors():
            deleted = self._redis.hdel(keys.account(account_sid), _KEY + key_sid)
        self.forget(account_sid)
        return bool(deleted)

    def load_limits(self, account_sid: str) -> Limits:
        """Load the account's quotas."""
        account = self.load_account(account_sid)
        return account.limits if account else Limits()

    def is_suspended(self, account_sid: str) -> bool:
        """Return whether the operator has suspended the account."""
        account = self.load_account(account_sid)
        return account is not None and account.status == "suspended"

    def load_policy(self, account_sid: str) -> OutboundPolicy:
        """Load the rules of whom the account may call, and as whom."""
        account = self.load_account(account_sid)
        return account.policy if account else OutboundPolicy()

    def save_policy(self, account_sid: str, changed: Mapping[str, Sequence[str]]) -> None:
        """Set lists of an outbound policy by name; an empty one allows everything. Processes see it within
        CACHE_SECONDS."""
        self._save_own(account_sid, _POLICY, {name: ",".join(listed) or None for name, listed in changed.items()})

    def load_node_group(self, account_sid: str) -> str:
        """Load the group of nodes that the account's conferences are kept to; '': none."""
        account = self.load_account(account_sid)
        return account.node_group if account else ""

    def save_node_group(self, account_sid: str, group: str) -> None:
        """Keep an account's new conferences to a group of nodes; '': to none."""
        with redis_errors():
            self._redis.hset(keys.account(account_sid), "node_group", group)
        self.forget(account_sid)

    def load_trunk(self, account_sid: str, trunk_sid: str) -> trunks.Trunk | None:
        """Load the account's trunk of that SID."""
        account = self.load_account(account_sid)
        return trunks.find(account.trunks, trunk_sid) if account else None

    def save_trunk(self, account_sid: str, trunk: trunks.Trunk) -> None:
        """Write a trunk, new or changed. Processes see it within CACHE_SECONDS."""
        self._save_own(account_sid, _TRUNK, {trunk.trunk_sid: trunks.dump(trunk)})

    def delete_trunk(self, account_sid: str, trunk_sid: str) -> None:
        """Forget a trunk; calls that are on their way to its gateways go on."""
        self._save_own(account_sid, _TRUNK, {trunk_sid: None})

    def save_limits(self, account_sid: str, changed: Mapping[str, int | None]) -> None:
        """Set limits of their own by name; None gives one its default again. Processes see it within CACHE_SECONDS."""
        self._save_own(account_sid, _LIMIT, changed)

    def _save_own(self, account_sid: str, kind: str, changed: Mapping[str, int | str | None]) -> None:
        with redis_errors():
            pipe = self._redis.pipeline(transaction=True)
            for name, value in changed.items():
                if value is None:
                    pipe.hdel(keys.account(account_sid), kind + name)
                else:
                    pipe.hset(keys.account(account_sid), kind + name, value)
            pipe.execute()
        self.forget(account_sid)

    def forget(self, account_sid: str) -> None:
        """Read an account again before the next answer: it has been changed, or deleted."""
        self._cache.pop(account_sid, None)
        self._reads.forget(account_sid)

    def list_accounts(self) -> list[Account]:
        """List every account, by SID."""
        sids = list_account_sids(self._redis)
        return [account for sid in sids if (account := self.load_account(sid)) is not None]

    def change_account(self, account_sid: str, change: Callable[[Account], Account]) -> Account | None:
        """Write what `change` makes of the account's tokens, status and name as they are now, whatever has been read
        before, so that nothing is put back that others have changed; None if there is no account any more."""
        key = keys.account(account_sid)

        def write(pipe: Any) -> Account | None:
            before = _parse(account_sid, pipe.hgetall(key))
            pipe.multi()
            if before is None:
                return None
            after = replace(change(before), updated_at=_now())
            pipe.hset(key, mapping=_written(after))
            return after

        with redis_errors():
            changed: Account | None = self._redis.transaction(write, key, value_from_callable=True)
        self.forget(account_sid)
        return changed

    def save_account(self, account: Account) -> None:
        """Write a new account."""
        with redis_errors():
            pipe = self._redis.pipeline(transaction=True)
            key, now = keys.account(account.account_sid), _now()
            pipe.hset(key, mapping=_written(replace(account, updated_at=now)))
            pipe.hsetnx(key, "created_at", now)
            pipe.execute()
            self._redis.sadd(keys.ACCOUNTS, account.account_sid)
        self.forget(account.account_sid)


def list_account_sids(client: Any) -> list[str]:
    """List every AccountSid."""
    with redis_errors():
        return sorted(client.smembers(keys.ACCOUNTS))


def _written(account: Account) -> dict[str, str]:
    names = ("auth_token", "secondary_token", "status", "friendly_name", "updated_at")
    return {name: getattr(account, name) for name in names}


def _now() -> str:
    return datetime.now(UTC).isoformat()
