"""Our own API: pages of callbacks, which are replayed and which are not, receivers, keys, and who may ask."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis
from werkzeug.datastructures import MultiDict
from werkzeug.test import TestResponse

from orchestrator.api import authentication
from orchestrator.dialects.own import schemas
from orchestrator.errors import BadParameter
from orchestrator.store.callbacks import CallbackFilter
from orchestrator.store.outbox import State
from tests.harness.polling import eventually
from tests.unit.api.test_app import TOKEN, Api, basic, is_error, make_api, stop
from tests.unit.records import ACCOUNT, OTHER_ACCOUNT
from tests.unit.store.test_callbacks import NOW, Shelf

BASE = f"/v1/Accounts/{ACCOUNT}"
CF, CA = "CF" + "0" * 32, "CA" + "0" * 32
ONE = "11111111-1111-1111-1111-111111111111"
UUID = "00000000-0000-0000-0000-000000000000"


@pytest.fixture
def api(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    monkeypatch.setattr(authentication, "WRONG_SECONDS", 0)
    made = make_api(redis_url)
    yield made
    stop(made)


@pytest.fixture
def shelf(api: Api, client: redis.Redis) -> Shelf:
    return Shelf(client)


def ask(api: Api, method: str, path: str, **options: Any) -> TestResponse:
    return api.web.open(path if path.startswith("/v1") else BASE + path, method=method, headers=basic(), **options)


# ------------------------------------------------------------ what is asked for


@pytest.mark.parametrize(("given", "size"), [("", 50), ("1", 1), ("200", 200)])
def test_a_page_has_so_many_rows(given: str, size: int) -> None:
    assert schemas.parse_size(MultiDict({"PageSize": given})) == size
    assert schemas.parse_size(MultiDict()) == 50


@pytest.mark.parametrize(
    ("parse", "name", "value"),
    [
        (schemas.parse_size, "PageSize", "0"), (schemas.parse_size, "PageSize", "201"),
        (schemas.parse_size, "PageSize", "x"), (schemas.parse_place, "PageToken", "x"),
        (schemas.parse_place, "PageToken", f"1-{CF}.{UUID}\n"), (schemas.parse_filter, "State", "gone"),
        (schemas.parse_filter, "Kind", "party"), (schemas.parse_filter, "ConferenceSid", "CF1"),
        (schemas.parse_filter, "CallSid", CF), (schemas.parse_filter, "After", "yesterday"),
        (schemas.parse_friendly_name, "FriendlyName", "x" * 65),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_by_name(parse: Any, name: str, value: str) -> None:
    with pytest.raises(BadParameter, match=f"^{name}"):
        parse(MultiDict({name: value}))


def test_a_filter_says_which() -> None:
    """A moment without a zone is UTC."""
    given = {
        "ConferenceSid": CF, "CallSid": CA, "Kind": "participant-join", "State": "dead",
        "After": "2026-01-01T00:00:00", "Before": "2026-01-01T01:00:00+01:00",
    }  # fmt: skip
    at_ms = 1_767_225_600_000

    assert schemas.parse_filter(MultiDict(given)) == CallbackFilter(CF, CA, "participant-join", "dead", at_ms, at_ms)
    assert schemas.parse_filter(MultiDict()) == CallbackFilter()
    assert schemas.parse_place(MultiDict({"PageToken": f"7-{CF}.{UUID}"})) == (7, f"{CF}.{UUID}")
    assert schemas.parse_place(MultiDict()) is None


# ------------------------------------------------------------ callbacks


def test_fifty_callbacks_are_a_page_and_the_next_has_the_rest(api: Api, shelf: Shelf) -> None:
    """Newest first, with the filters kept."""
    tokens = [f"{number:08d}-0000-0000-0000-000000000000" for number in range(51)]
    for number, token in enumerate(tokens):
        shelf.put(token, planned_at=float(NOW + number))
    first = ask(api, "GET", "/Callbacks", query_string={"State": "waiting"}).get_json()
    second = ask(api, "GET", first["next_page_uri"]).get_json()
    found = [row["id"].partition(".")[2] for row in first["callbacks"] + second["callbacks"]]

    assert (len(first["callbacks"]), len(second["callbacks"]), second["next_page_uri"]) == (50, 1, None)
    assert found == tokens[::-1]
    assert "State=waiting" in urlsplit(first["next_page_uri"]).query


def test_a_callback_is_shown_with_its_attempts_to_its_account_alone(api: Api, shelf: Shelf) -> None:
    shelf.put(ONE)
    shelf.settle("dead", "http-404")
    path = f"/Callbacks/{shelf.lane.sid}.{ONE}"
    shown = ask(api, "GET", path).get_json()

    assert (shown["state"], [attempt["status"] for attempt in shown["attempts"]]) == ("dead", [404])
    foreign = api.web.get(f"/v1/Accounts/{OTHER_ACCOUNT}{path}", headers=basic())
    is_error(foreign, 401, 20003)
    is_error(ask(api, "GET", f"/Callbacks/{CF}.{ONE}"), 404, 20404)


@pytest.mark.parametrize(("state", "reason"), [("dead", "http-404"), ("delivered", "")])
def test_what_is_finished_is_sent_again_and_what_waits_is_not(
    api: Api, shelf: Shelf, state: State, reason: str
) -> None:
    """A second replay of the same is refused until it is finished anew: the receiver would get it twice."""
    shelf.put(ONE)
    path = f"/Callbacks/{shelf.lane.sid}.{ONE}/Replay"
    is_error(ask(api, "POST", path), 409, 20409)
    shelf.settle(state, reason)
    replayed = ask(api, "POST", path)
    again = ask(api, "POST", path)

    assert (replayed.status_code, replayed.get_json()["state"]) == (202, "waiting")
    is_error(again, 409, 20409)
    assert shelf.client.llen(f"outbox:{{{shelf.lane.sid}}}:{shelf.lane.name}") == 1
    is_error(ask(api, "POST", f"/Callbacks/{CF}.{ONE}/Replay"), 404, 20404)


def test_all_dead_ones_are_sent_again_and_nothing_else_unless_it_is_said(api: Api, shelf: Shelf) -> None:
    """Those that wait cannot be named."""
    for token, state, reason in ((ONE, "dead", "http-404"), (UUID, "delivered", "")):
        shelf.put(token)
        shelf.settle(state, reason)  # type: ignore[arg-type]  # its two words
    is_error(ask(api, "POST", "/Callbacks/Replay", data={"State": "waiting"}), 400, 20001)
    dead = ask(api, "POST", "/Callbacks/Replay")
    delivered = ask(api, "POST", "/Callbacks/Replay", data={"State": "delivered"})

    assert dead.get_json() == {"replayed": 1, "more": False, "next_after": None}
    assert (delivered.status_code, delivered.get_json()["replayed"]) == (202, 1)


# ------------------------------------------------------------ receivers, keys


def test_a_receiver_that_does_not_fail_cannot_be_resumed(api: Api) -> None:
    assert ask(api, "GET", "/Receivers").get_json() == {"receivers": []}
    is_error(ask(api, "POST", "/Receivers/Resume"), 400, 20001)
    is_error(ask(api, "POST", "/Receivers/Resume", data={"Host": "app.example:443"}), 404, 20404)


def test_a_key_is_as_good_as_the_token_but_for_keys_and_ends_when_it_is_revoked(api: Api) -> None:
    """Its secret is told once."""
    made = ask(api, "POST", "/Keys", data={"FriendlyName": "ci"}).get_json()
    key = basic(made["sid"], made["secret"])

    assert [row["sid"] for row in ask(api, "GET", "/Keys").get_json()["keys"]] == [made["sid"]]
    assert made["secret"] not in ask(api, "GET", "/Keys").get_data(as_text=True)
    eventually(lambda: api.web.get(f"{BASE}/Keys", headers=key).status_code == 200, "it is known", 3)
    assert api.web.post(f"{BASE}/Keys", headers=key).status_code == 403
    assert api.web.delete(f"{BASE}/Keys/{made['sid']}", headers=key).status_code == 403
    wrong = (basic(made["sid"], TOKEN), basic(made["sid"], ""), basic("SK" + "0" * 32, made["secret"]))
    for headers in wrong:
        is_error(api.web.get(f"{BASE}/Keys", headers=headers), 401, 20003)
    assert ask(api, "DELETE", f"/Keys/{made['sid']}").status_code == 204
    eventually(lambda: api.web.get(f"{BASE}/Keys", headers=key).status_code == 401, "it is refused", 3)
