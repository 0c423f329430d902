"""API keys and tokens that follow one another, as a client and an operator meet them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from orchestrator.api import authentication
from orchestrator.dialects.base import SIGNED_WITH
from orchestrator.dialects.registry import DIALECTS
from orchestrator.errors import Conflict, NotFound
from orchestrator.services.credentials import Credentials
from orchestrator.sids import write_as_uuid
from orchestrator.store import accounts as accounts_module
from orchestrator.store.accounts import MOST_KEYS, AccountStore, token_id
from tests.unit.api.test_app import TOKEN, Api, basic, is_error, make_api, stop
from tests.unit.records import ACCOUNT, OTHER_ACCOUNT

KEYS = f"/v1/Accounts/{ACCOUNT}/Keys"


@pytest.fixture
def api(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    monkeypatch.setattr(authentication, "WRONG_SECONDS", 0)
    monkeypatch.setattr(accounts_module, "CACHE_SECONDS", 0)
    made = make_api(redis_url)
    yield made
    stop(made)


@pytest.fixture
def credentials(api: Api) -> Credentials:
    return Credentials(AccountStore(api.redis))


def status(api: Api, user: str, password: str, path: str = "") -> int:
    return api.web.get(path or f"/2010-04-01/Accounts/{ACCOUNT}.json", headers=basic(user, password)).status_code


def test_a_key_is_as_good_as_the_token_until_it_is_revoked(api: Api) -> None:
    """In every dialect and in our own API; its secret is told once, and kept nowhere."""
    made = api.web.post(KEYS, data={"FriendlyName": "deploys"}, headers=basic())
    body = made.get_json()
    sid, secret = body["sid"], body["secret"]
    listed = api.web.get(KEYS, headers=basic(sid, secret)).get_json()["keys"]

    assert (made.status_code, sid[:2], len(secret)) == (201, "SK", 32)
    assert listed == [{"sid": sid, "friendly_name": "deploys", "date_created": body["date_created"]}]
    assert secret not in str(api.redis.hgetall(f"account:{{{ACCOUNT}}}"))
    for path in ("", f"/2010-04-01/Accounts/{ACCOUNT}", f"/api/laml/2010-04-01/Accounts/{write_as_uuid(ACCOUNT)}.json"):
        assert status(api, sid, secret, path) == 200
    assert api.web.delete(f"{KEYS}/{sid}", headers=basic()).status_code == 204
    assert status(api, sid, secret) == 401
    is_error(api.web.delete(f"{KEYS}/{sid}", headers=basic()), 404, 20404)


def test_a_key_opens_its_own_account_only(api: Api, credentials: Credentials) -> None:
    """With its own secret: not with the token, nor with another key's, and nobody else's account."""
    key, secret = credentials.create_key(ACCOUNT, "")
    other, others = credentials.create_key(ACCOUNT, "")

    for user, password in ((key.key_sid, TOKEN), (key.key_sid, others), (other.key_sid, secret), (ACCOUNT, secret),
                           (key.key_sid, ""), ("SK" + "0" * 32, secret), ("SK" + "0" * 32, "")):  # fmt: skip
        assert status(api, user, password) == 401, (user, password)
    assert status(api, key.key_sid, secret, f"/2010-04-01/Accounts/{OTHER_ACCOUNT}.json") == 401
    assert status(api, key.key_sid, secret, "/2010-04-01/Accounts.json") == 401


def test_a_key_neither_makes_nor_revokes_keys(api: Api, credentials: Credentials) -> None:
    """One that has leaked could outlive its revocation by another that it has made, and shut out the rest."""
    key, secret = credentials.create_key(ACCOUNT, "")
    other, _ = credentials.create_key(ACCOUNT, "")

    is_error(api.web.post(KEYS, headers=basic(key.key_sid, secret)), 403, 20403)
    is_error(api.web.delete(f"{KEYS}/{other.key_sid}", headers=basic(key.key_sid, secret)), 403, 20403)
    assert {one.key_sid for one in credentials.list_keys(ACCOUNT)} == {key.key_sid, other.key_sid}


def test_keys_have_a_bound(credentials: Credentials, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are read with the account at every request."""
    monkeypatch.setattr("orchestrator.services.credentials.MOST_KEYS", 2)
    for _ in range(2):
        credentials.create_key(ACCOUNT, "")
    with pytest.raises(Conflict):
        credentials.create_key(ACCOUNT, "")
    assert MOST_KEYS == 100


def test_what_has_no_account_or_no_second_token_is_said(credentials: Credentials) -> None:
    """Nothing is made of nothing."""
    with pytest.raises(NotFound):
        credentials.create_key("AC" + "7" * 32, "")
    with pytest.raises(Conflict):
        credentials.promote_token(ACCOUNT)


def test_tokens_overlap_while_they_are_rotated(api: Api, credentials: Credentials) -> None:
    """Two are accepted and the first signs; after the change the second signs, and is the only one."""
    second = credentials.create_secondary_token(ACCOUNT).secondary_token
    assert (status(api, ACCOUNT, TOKEN), status(api, ACCOUNT, second), status(api, ACCOUNT, "")) == (200, 200, 401)
    assert credentials.load_account(ACCOUNT).auth_token == TOKEN
    credentials.promote_token(ACCOUNT)

    assert (status(api, ACCOUNT, TOKEN), status(api, ACCOUNT, second), status(api, ACCOUNT, "")) == (401, 200, 401)
    assert credentials.load_account(ACCOUNT).auth_token == second


def test_a_signature_says_which_token_it_was_made_with() -> None:
    """By an id that an operator sees as well, and that does not tell the token."""
    for dialect in DIALECTS:
        headers = [DIALECTS.sign(dialect.name, token, "https://x/", []) for token in ("a" * 32, "b" * 32)]

        assert [header[SIGNED_WITH] for header in headers] == [token_id("a" * 32), token_id("b" * 32)]
        assert len(headers[0]) == 2
    assert len(token_id("a")) == 8
