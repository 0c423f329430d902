"""What is refused leaves a line, and a flood of it does not fill the log."""

from __future__ import annotations

import pytest
import redis
from structlog.testing import capture_logs

from orchestrator import logs
from orchestrator.api.request_log import LINES_IN_ALL, LINES_PER_SECOND, RequestLog
from orchestrator.services.credentials import Credentials
from orchestrator.store.accounts import AccountStore
from tests.unit.api.test_app import Api, basic, make_api
from tests.unit.records import ACCOUNT


@pytest.fixture
def api(redis_url: str) -> Api:
    return make_api(redis_url)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/Conferences/Standup/Participants.json", 400),
        ("PUT", "/Conferences.json", 405),
        ("GET", "/Conferences/CF" + "0" * 32 + ".json", 404),
    ],
)
def test_a_refused_request_leaves_a_line(api: Api, method: str, path: str, status: int) -> None:
    """With its path, status, code, address; account and request are in it as in every line."""
    with capture_logs() as lines:
        assert api.request(method, path).status_code == status

    (line,) = [line for line in lines if line["event"] == "request_refused"]
    assert line["path"].endswith(path)
    assert (line["method"], line["status"], line["address"]) == (method, status, "127.0.0.1")
    assert line["code"] > 20_000
    assert line["error"]


def test_what_succeeds_leaves_none(api: Api) -> None:
    with capture_logs() as lines:
        api.request("GET", "/Conferences.json")

    assert [line for line in lines if line["event"] == "request_refused"] == []


def test_a_create_that_is_warned_of_leaves_a_line_of_its_call(api: Api) -> None:
    """With Twilio's code; it is made all the same. One that is refused is not warned of, too."""
    path, data = "/Conferences/Standup/Participants.json", {"From": "+15550009999", "MachineDetection": "Enable"}
    with capture_logs(processors=[logs.add_names]) as lines:
        assert api.request("POST", path, data={**data, "To": "1"}).status_code == 400
        made = api.request("POST", path, data={**data, "To": "+15550001000", "AsyncAmd": "true"})

    warnings = [line for line in lines if line["event"] == "create_warning"]
    assert (made.status_code, [line["code"] for line in warnings]) == (201, [21262, 21263])
    assert {line["call_sid"] for line in warnings} == {made.get_json()["call_sid"]}


def test_a_flood_is_counted_and_others_are_still_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one account a few lines a second, of all together fifty; how many are not told is in the next line."""
    now = [0.0]
    monkeypatch.setattr("orchestrator.api.request_log.time.monotonic", lambda: now[0])
    log = RequestLog()
    with capture_logs() as lines:
        for _ in range(1_000):
            log.refused("greedy", "GET", "/x", 429)
        log.refused("other", "GET", "/x", 404)
        for number in range(200):
            log.refused(str(number), "GET", "/x", 404)
        now[0] = 1.0
        log.refused("other", "GET", "/x", 404)

    assert len(lines) == LINES_IN_ALL + 1
    assert lines[LINES_PER_SECOND]["untold"] == 1_000 - LINES_PER_SECOND
    assert sum(line["untold"] for line in lines) + len(lines) == 1_202


def test_who_mutes_and_who_removes_is_in_the_log(redis_url: str, client: redis.Redis) -> None:
    """By which API key; the AuthToken is not named."""
    api = make_api(redis_url)
    key, secret = Credentials(AccountStore(client)).create_key(ACCOUNT, "ops")
    made = api.request(
        "POST",
        "/Conferences/Standup/Participants.json",
        data={"From": "+15550009999", "To": "sip:bob:secret@example.com?x=secret"},
    ).get_json()
    path = f"/Conferences/{made['conference_sid']}/Participants/{made['call_sid']}.json"
    with capture_logs(processors=[logs.add_names]) as lines:
        api.request("POST", path, data={"Muted": "true"}, headers=basic(key.key_sid, secret))
        api.request("POST", path, data={"HoldUrl": "https://a.example/x?token=secret", "Hold": "true"})

    (muted,) = [line for line in lines if line["event"] == "mute_asked"]
    (held,) = [line for line in lines if line["event"] == "update_asked"]
    names = {"account_sid": ACCOUNT, "call_sid": made["call_sid"]}
    assert muted.items() >= {**names, "muted": True, "asked_with": key.key_sid}.items()
    assert held.items() >= {**names, "hold": True, "hold_url": "https://a.example/x"}.items()
    assert "asked_with" not in held
    assert "secret" not in str(lines)
