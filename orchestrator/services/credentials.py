"""What an account's owner and the operator do about credentials: API keys, and tokens that follow one another.

Twilio's ways: https://www.twilio.com/docs/iam/api-keys , https://www.twilio.com/docs/iam/api/authtoken
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from orchestrator.errors import Conflict, NotFound
from orchestrator.sids import mint_sid
from orchestrator.store.accounts import MOST_KEYS, Account, AccountStore, ApiKey, digest


class Credentials:
    """Changes credentials. Changes are known everywhere within a second (`CACHE_SECONDS`)."""

    def __init__(self, accounts: AccountStore) -> None:
        self._accounts = accounts

    def load_account(self, account_sid: str) -> Account:
        """Load an account. Raises NotFound."""
        account = self._accounts.load_account(account_sid)
        if account is None:
            raise NotFound(f"The account {account_sid} was not found")
        return account

    def list_keys(self, account_sid: str) -> list[ApiKey]:
        """List the account's API keys, oldest first. Raises NotFound."""
        return sorted(self.load_account(account_sid).keys.values(), key=lambda key: (key.created_at, key.key_sid))

    def create_key(self, account_sid: str, friendly_name: str) -> tuple[ApiKey, str]:
        """Create an API key; returns it and its secret, which nobody can be told again. Raises NotFound, Conflict."""
        if len(self.load_account(account_sid).keys) >= MOST_KEYS:
            raise Conflict(f"The account has {MOST_KEYS} keys: revoke one first")
        secret = secrets.token_hex(16)
        key = ApiKey(mint_sid("SK"), digest(secret), friendly_name, datetime.now(UTC).isoformat())
        self._accounts.save_key(account_sid, key)
        return key, secret

    def revoke_key(self, account_sid: str, key_sid: str) -> None:
        """Refuse a key from now on. Raises NotFound."""
        self.load_account(account_sid)
        if not self._accounts.delete_key(account_sid, key_sid):
            raise NotFound(f"The key {key_sid} was not found")

    def rotate_token(self, account_sid: str) -> Account:
        """Give the account a new AuthToken; the old one is refused at once. Raises NotFound."""
        token = secrets.token_hex(16)
        return self.change_account(account_sid, lambda account: replace(account, auth_token=token))

    def create_secondary_token(self, account_sid: str) -> Account:
        """Create a second AuthToken beside the first, instead of one that there may be. Raises NotFound."""
        token = secrets.token_hex(16)
        return self.change_account(account_sid, lambda account: replace(account, secondary_token=token))

    def promote_token(self, account_sid: str) -> Account:
        """Make the second token the one that signs; the first is refused. Raises NotFound, Conflict."""

        def promote(account: Account) -> Account:
            if not account.secondary_token:
                raise Conflict(f"The account {account_sid} has no secondary token")
            return replace(account, auth_token=account.secondary_token, secondary_token="")

        return self.change_account(account_sid, promote)

    def change_account(self, account_sid: str, change: Callable[[Account], Account]) -> Account:
        """Write the account as `change` makes it of what it is now, and return it. Raises NotFound."""
        changed = self._accounts.change_account(account_sid, change)
        if changed is None:
            raise NotFound(f"The account {account_sid} was not found")
        return changed
