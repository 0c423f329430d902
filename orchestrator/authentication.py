"""Who asks: HTTP Basic with AccountSid and AuthToken. The path has to name the same account, in every dialect."""

from __future__ import annotations

import hmac
from typing import Final

from flask import Request

from orchestrator.dialects.base import Asked
from orchestrator.errors import AccountSuspended, AuthenticationFailed
from orchestrator.sids import is_sid
from orchestrator.store.accounts import AccountStore

OPEN_PATHS: Final = frozenset({"/healthz"})
OPEN_PREFIX: Final = "/media/"
"""What switches fetch, by names that cannot be guessed."""


def authenticate(request: Request, asked: Asked, accounts: AccountStore) -> None:
    """Let the request pass, or raise AuthenticationFailed, AccountSuspended, Unavailable."""
    if request.path in OPEN_PATHS or request.path.startswith(OPEN_PREFIX):
        return
    try:
        credentials = request.authorization
    except ValueError:  # werkzeug lets base64 that is no ASCII raise
        credentials = None
    if credentials is None or credentials.type != "basic":
        raise AuthenticationFailed("Your AccountSid or AuthToken was incorrect.")
    sid, token = asked.dialect.read_sid("AC", credentials.username or ""), credentials.password or ""
    account = accounts.load_account(sid) if is_sid("AC", sid) else None
    known = account.auth_token if account is not None else "-"
    right = hmac.compare_digest(known.encode(), token.encode("utf-8", "surrogateescape"))
    if account is None or not right or asked.account_sid != sid:
        raise AuthenticationFailed("Your AccountSid or AuthToken was incorrect.")
    if account.status != "active":
        raise AccountSuspended("This account is suspended.")
