"""Authenticates requests: HTTP Basic with AccountSid and AuthToken, or with an API key's SID and secret. The path has
to name the same account, in every dialect.

Wrong credentials are answered after a second and logged, by where they come from. Nobody is locked out: whoever has the
right token is answered at once, whatever others try meanwhile.
"""

from __future__ import annotations

import hmac
import time
from dataclasses import dataclass
from typing import Final

import structlog
from flask import Request

from orchestrator.api.connections import let_wait
from orchestrator.dialects.base import Asked
from orchestrator.errors import AccountSuspended, AuthenticationFailed
from orchestrator.sids import is_sid
from orchestrator.store.accounts import Account, AccountStore, digest

OPEN_PATHS: Final = frozenset({"/healthz", "/readyz", "/openapi", "/openapi.json"})
OPEN_PREFIXES: Final = ("/media/", "/openapi/")
"""Open to everybody: what switches fetch, by names that cannot be guessed; and how this API is described."""

WRONG_SECONDS = 1.0
LOGGED_SECONDS: Final = 10.0
"""How often an address that goes on trying is logged; the line says how often it has tried since the last."""

_MOST_ADDRESSES: Final = 1_000
_WRONG: Final = "Your AccountSid or AuthToken was incorrect."

log = structlog.get_logger("authentication")


def is_open(request: Request) -> bool:
    """Return whether a path needs no credentials."""
    return request.path in OPEN_PATHS or request.path.startswith(OPEN_PREFIXES)


class Authenticator:
    """Lets requests pass, or raises AuthenticationFailed, AccountSuspended, Unavailable."""

    def __init__(self, accounts: AccountStore) -> None:
        self._accounts = accounts
        self._tries: dict[str, _Tries] = {}

    def authenticate(self, request: Request, asked: Asked) -> Account:
        """Return the account whose credentials the request has."""
        try:
            credentials = request.authorization
        except ValueError:  # werkzeug lets base64 that is no ASCII raise
            credentials = None
        if credentials is None or credentials.type != "basic":
            raise AuthenticationFailed(_WRONG)
        user, password = asked.dialect.read_sid("AC", credentials.username or ""), credentials.password or ""
        sid = asked.account_sid if is_sid("SK", user) else user
        account = self._accounts.load_account(sid) if is_sid("AC", sid) else None
        right = _is_right(account, user, password)
        if account is None or not right or asked.account_sid not in ("", sid):
            self._note(request.remote_addr or "?", sid if is_sid("AC", sid) else "no AccountSid")
            let_wait(request.environ)
            time.sleep(WRONG_SECONDS)
            raise AuthenticationFailed(_WRONG)
        if account.status != "active":
            raise AccountSuspended("This account is suspended.")
        return account

    def _note(self, address: str, account_sid: str) -> None:
        now = time.monotonic()
        tries = self._tries.get(address)
        if tries is not None and now < tries.logged_at + LOGGED_SECONDS:
            tries.since += 1
            return
        log.warning("credentials_refused", address=address, account_sid=account_sid, before=tries.since if tries else 0)
        if len(self._tries) >= _MOST_ADDRESSES:
            self._tries.clear()
        self._tries[address] = _Tries(now)


def _is_right(account: Account | None, user: str, password: str) -> bool:
    """Return whether the password is an AuthToken of the account, or the secret of its API key `user`."""
    given = digest(password)
    if account is None:
        known = [""]
    elif user == account.account_sid:
        known = [digest(token) for token in (account.auth_token, account.secondary_token) if token]
    else:
        key = account.keys.get(user)
        known = [key.secret_sha256 if key else ""]
    return any(hmac.compare_digest(one, given) for one in known)


@dataclass(slots=True)
class _Tries:
    """Counts an address' wrong credentials since its last line in the log."""

    logged_at: float
    since: int = 0
