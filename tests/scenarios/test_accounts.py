"""Accounts are isolated: nothing of another one can be read, guessed, changed or reached."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.rest import Client

from tests.harness.freeswitch import FarEnd
from tests.harness.polling import eventually
from tests.harness.stack import Stack

FIRST = "first" * 8
FOREIGN = ("AC" + "f0" * 16, "f0" * 20)


@pytest.fixture
def foreign(stack: Stack) -> Client:
    stack.add_account(FOREIGN[0], FOREIGN[1])
    return stack.client(*FOREIGN)


def _refused(call: object, *arguments: object, **named: object) -> tuple[int, int]:
    with pytest.raises(TwilioRestException) as refused:
        call(*arguments, **named)  # type: ignore[operator]  # a method of the SDK
    return refused.value.status, refused.value.code


def test_a_foreign_account_finds_nothing_and_changes_nothing(stack: Stack, foreign: Client) -> None:
    """Every path with somebody else's SIDs answers 404, as if they did not exist."""
    own = (
        stack.client()
        .conferences("private")
        .participants.create(to=FarEnd.ANSWERS, label="secret", **stack.call_settings())
    )
    stack.receiver.await_kind(own.conference_sid, "participant-join")
    theirs = foreign.conferences(own.conference_sid)
    attempts: list[tuple[Any, dict[str, Any]]] = [
        (theirs.fetch, {}),
        (theirs.update, {"status": "completed"}),
        (theirs.participants.list, {}),
        (theirs.participants.create, {"from_": "+15550009999", "to": FarEnd.ANSWERS}),
    ]
    for reference in (own.call_sid, "secret"):
        participant = theirs.participants(reference)
        attempts += [(participant.fetch, {}), (participant.update, {"muted": True}), (participant.delete, {})]
    for call, arguments in attempts:
        with pytest.raises(TwilioException, match="404"):
            call(**arguments)

    assert foreign.conferences.list() == []
    still = stack.client().conferences(own.conference_sid).participants("secret").fetch()
    assert (still.status, still.muted) == ("connected", False)


def test_the_same_friendly_name_in_two_accounts_is_two_conferences(stack: Stack, foreign: Client) -> None:
    """Tenants cannot meet: names are scoped by account, and the switch knows only SIDs."""
    own = stack.client().conferences("lobby").participants.create(to=FarEnd.ANSWERS, **stack.call_settings())
    other = foreign.conferences("lobby").participants.create(to=FarEnd.ANSWERS, from_="+15550009999")

    assert own.conference_sid != other.conference_sid
    assert _refused(foreign.conferences(own.conference_sid).fetch) == (404, 20404)


def test_credentials_decide_before_anything_else(stack: Stack, foreign: Client) -> None:
    """401/20003 without, with wrong, or with somebody else's credentials; 403 when suspended."""
    url = f"{stack.base_url}/2010-04-01/Accounts/{stack.account_sid}/Conferences.json"
    for auth in (None, (stack.account_sid, "wrong"), ("AC" + "0" * 32, stack.auth_token), FOREIGN):
        answer = requests.get(url, auth=auth, timeout=5)
        assert (answer.status_code, answer.json()["code"]) == (401, 20003), auth
        assert "Basic" in answer.headers["WWW-Authenticate"]
    stack.orchestrator("account", "suspend", FOREIGN[0])

    def is_suspended() -> bool:
        own_url = f"{stack.base_url}/2010-04-01/Accounts/{FOREIGN[0]}/Conferences.json"
        return requests.get(own_url, auth=FOREIGN, timeout=5).status_code == 403

    assert eventually(is_suspended, "the suspension is noticed", 3)
    stack.orchestrator("account", "resume", FOREIGN[0])


def test_a_rotated_token_replaces_the_old_one(stack: Stack) -> None:
    """The old AuthToken is refused within 2 s, the new one accepted."""
    sid = "AC" + "e1" * 16
    stack.add_account(sid, FIRST)
    url = f"{stack.base_url}/2010-04-01/Accounts/{sid}/Conferences.json"
    assert requests.get(url, auth=(sid, FIRST), timeout=5).status_code == 200
    _, second, _ = stack.orchestrator("account", "rotate-token", sid).split()
    eventually(lambda: requests.get(url, auth=(sid, FIRST), timeout=5).status_code == 401, "refused", 2)

    assert requests.get(url, auth=(sid, second), timeout=5).status_code == 200


def test_keys_and_tokens_from_the_command_line(stack: Stack) -> None:
    """An SDK works with a key until it is revoked; a second token is accepted before the first is given up; the
    operator sees the account's project id."""
    sid, first = "AC" + "e2" * 16, "f" * 32
    stack.add_account(sid, first)
    key, secret = stack.orchestrator("keys", "create", "--account", sid, "--name", "app").split()

    def works(user: str, password: str) -> bool:
        client = Client(user, password, sid)
        client.api.base_url = stack.base_url
        try:
            return bool(client.api.accounts(sid).fetch().sid == sid)
        except TwilioRestException as error:
            return bool(error.code != 20003)

    eventually(lambda: works(key, secret), "the key is known", 2)
    assert key in stack.orchestrator("keys", "list", "--account", sid)
    stack.orchestrator("keys", "revoke", "--account", sid, key)
    eventually(lambda: not works(key, secret), "the key is refused", 5)

    _, second, _ = stack.orchestrator("account", "secondary-token", sid).split()
    eventually(lambda: works(sid, second) and works(sid, first), "both are accepted", 2)
    stack.orchestrator("account", "promote-token", sid)
    eventually(lambda: not works(sid, first), "the first is refused", 5)
    assert works(sid, second)
    shown = [json.loads(line) for line in stack.orchestrator("account", "list", "--json").splitlines()]
    assert {row["account_sid"]: row["project_id"] for row in shown}[sid] == "e2e2e2e2-e2e2-e2e2-e2e2-e2e2e2e2e2e2"
