"""What an operator does about accounts, by the command line, the operators' API and the console's page alike. Their
tokens and keys: `credentials.py`."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import Any, Final, TypeVar

from orchestrator.errors import BadParameter, Conflict
from orchestrator.limits import parse_limit
from orchestrator.policy import OutboundPolicy, parse_numbers
from orchestrator.services.credentials import Credentials
from orchestrator.services.node_operations import check_group
from orchestrator.sids import is_sid, mint_sid
from orchestrator.store.account_removal import AccountRemoval
from orchestrator.store.accounts import Account, AccountStore
from orchestrator.trunks import LONGEST_NAME

NODE_GROUP: Final = "node_group"
"""Shown and changed with the limits."""

_TOKEN: Final = re.compile(r"[A-Za-z0-9]{32,128}", re.ASCII)
"""Too long to be guessed; some SDKs refuse anything but letters and digits before they send it."""

Value = TypeVar("Value")


class AccountOperations:
    """Changes accounts. Changes are known everywhere within a second (`CACHE_SECONDS`)."""

    def __init__(self, accounts: AccountStore, removal: AccountRemoval) -> None:
        self._accounts = accounts
        self._removal = removal
        self._credentials = Credentials(accounts)

    def create_account(self, friendly_name: str, sid: str | None = None, token: str | None = None) -> Account:
        """Create an account, with the SID and the token that are given; once more with both of them: it is left as it
        is. Raises BadParameter, Conflict."""
        sid = sid or mint_sid("AC")
        if not is_sid("AC", sid):
            raise BadParameter("AccountSid: has to be AC and 32 lower-case hexadecimal digits")
        if token is not None and _TOKEN.fullmatch(token) is None:
            raise BadParameter("AuthToken: has to be 32 to 128 letters and digits (twilio-go refuses others)")
        check_name(friendly_name)
        self._accounts.forget(sid)
        existing = self._accounts.load_account(sid)
        if existing is None:
            existing = Account(sid, token or secrets.token_hex(16), "active", friendly_name)
            self._accounts.save_account(existing)
        elif token != existing.auth_token:
            raise Conflict(f"The account {sid} exists; rotate its token to give it a new one")
        return existing

    def update_account(self, sid: str, status: str | None = None, friendly_name: str | None = None) -> Account:
        """Suspend an account, resume or rename it; None leaves what is. Raises NotFound, BadParameter."""
        if status not in (None, "active", "suspended"):
            raise BadParameter("Status: takes active and suspended")
        given = {"status": status, "friendly_name": friendly_name and check_name(friendly_name)}
        changed: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        return self._credentials.change_account(sid, lambda account: replace(account, **changed))

    def delete_account(self, sid: str) -> int:
        """Delete an account that is suspended and all that is kept of it; returns how many keys there were. Raises
        NotFound, Conflict."""
        self._credentials.load_account(sid)
        gone = self._removal.delete(sid)
        self._accounts.forget(sid)
        return gone

    def load_limits(self, sid: str) -> dict[str, Any]:
        """Load what an account may take, and the group of nodes that it is kept to. Raises NotFound."""
        account = self._credentials.load_account(sid)
        return {**asdict(account.limits), NODE_GROUP: account.node_group}

    def change_limits(self, sid: str, given: Mapping[str, str]) -> dict[str, Any]:
        """Change limits by name, as an operator writes them, and NODE_GROUP; returns what is so now. Raises NotFound,
        BadParameter."""
        self._credentials.load_account(sid)
        changed = _parse_all({name: text for name, text in given.items() if name != NODE_GROUP}, parse_limit)
        if NODE_GROUP in given:
            self._accounts.save_node_group(sid, check_group(NODE_GROUP, given[NODE_GROUP]))
        self._accounts.save_limits(sid, changed)
        return self.load_limits(sid)

    def load_policy(self, sid: str) -> OutboundPolicy:
        """Load whom an account may call, and as whom. Raises NotFound."""
        return self._credentials.load_account(sid).policy

    def change_policy(self, sid: str, given: Mapping[str, str]) -> OutboundPolicy:
        """Change lists of the policy by name, as an operator writes them; returns the whole. Raises NotFound,
        BadParameter."""
        self._credentials.load_account(sid)
        self._accounts.save_policy(sid, _parse_all(given, parse_numbers))
        return self.load_policy(sid)


def check_name(name: str) -> str:
    """Return a name for operators, if it is one. Raises BadParameter."""
    if not (name.isprintable() and len(name) <= LONGEST_NAME):
        raise BadParameter(f"FriendlyName: takes at most {LONGEST_NAME} characters, all of which can be printed")
    return name


def _parse_all(given: Mapping[str, str], parse: Callable[[str], Value]) -> dict[str, Value]:
    parsed: dict[str, Value] = {}
    for name, text in given.items():
        try:
            parsed[name] = parse(text)
        except ValueError as error:
            raise BadParameter(f"{name}: {error}") from error
    return parsed
