"""What an operator does about an account's trunks."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.errors import BadParameter, Conflict, NotFound
from orchestrator.services.account_operations import check_name
from orchestrator.services.credentials import Credentials
from orchestrator.sids import mint_sid
from orchestrator.store.accounts import AccountStore
from orchestrator.trunks import MOST_GATEWAYS, MOST_TRUNKS, Gateway, Trunk, find, parse_gateway


class Trunking:
    """Changes trunks. Changes are known everywhere within a second (`CACHE_SECONDS`)."""

    def __init__(self, accounts: AccountStore) -> None:
        self._accounts = accounts
        self._credentials = Credentials(accounts)

    def list_trunks(self, account_sid: str) -> Sequence[Trunk]:
        """List the account's trunks. Raises NotFound."""
        return self._credentials.load_account(account_sid).trunks

    def load_trunk(self, account_sid: str, trunk_sid: str) -> Trunk:
        """Load a trunk. Raises NotFound."""
        found = find(self.list_trunks(account_sid), trunk_sid)
        if found is None:
            raise NotFound(f"The account has no trunk {trunk_sid}")
        return found

    def create_trunk(self, account_sid: str, gateways: Sequence[str], friendly_name: str) -> Trunk:
        """Create a trunk. Raises NotFound, Conflict, BadParameter."""
        if len(self.list_trunks(account_sid)) >= MOST_TRUNKS:
            raise Conflict(f"The account has {MOST_TRUNKS} trunks: delete one first")
        return self._save(account_sid, Trunk(mint_sid("BY"), _parse(gateways), friendly_name))

    def update_trunk(
        self, account_sid: str, trunk_sid: str, gateways: Sequence[str], friendly_name: str | None
    ) -> Trunk:
        """Change a trunk's gateways, if any are given, and its name, if one is. Raises NotFound, BadParameter."""
        before = self.load_trunk(account_sid, trunk_sid)
        name = before.friendly_name if friendly_name is None else friendly_name
        return self._save(account_sid, Trunk(trunk_sid, _parse(gateways) if gateways else before.gateways, name))

    def delete_trunk(self, account_sid: str, trunk_sid: str) -> None:
        """Delete a trunk: creates that name it are refused from now on. Raises NotFound."""
        self.load_trunk(account_sid, trunk_sid)
        self._accounts.delete_trunk(account_sid, trunk_sid)

    def _save(self, account_sid: str, trunk: Trunk) -> Trunk:
        check_name(trunk.friendly_name)
        self._accounts.save_trunk(account_sid, trunk)
        return trunk


def _parse(gateways: Sequence[str]) -> tuple[Gateway, ...]:
    if not 0 < len(gateways) <= MOST_GATEWAYS:
        raise BadParameter(f"Gateway: a trunk has 1 to {MOST_GATEWAYS} gateways")
    try:
        return tuple(map(parse_gateway, gateways))
    except ValueError as error:
        raise BadParameter(f"Gateway: {error}") from error
