"""Calls in Twilio's words: every key in every state, filters, the update; and the resource as a client meets it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from werkzeug.datastructures import MultiDict

from orchestrator.dialects.registry import DIALECTS
from orchestrator.dialects.twilio.calls import Calls, formatted, parse_filters, parse_update, serialize_call
from orchestrator.domain.conference import Participant, ParticipantStatus
from orchestrator.errors import BadParameter
from orchestrator.store import keys
from tests.unit.api.test_app import BASE, Api, basic, make_api, stop
from tests.unit.examples import AC, CA, START, a_participant, at
from tests.unit.records import ACCOUNT, OTHER_ACCOUNT, create

ASKED = DIALECTS.asked("GET", f"/2010-04-01/Accounts/{AC}/Calls.json", "")

QUEUED = a_participant(dialled_at=None)
DIALLED = a_participant(status=ParticipantStatus.CONNECTING, dialled_at=at(2))
RINGING = a_participant(status=ParticipantStatus.RINGING, dialled_at=at(2))
ANSWERED = a_participant(status=ParticipantStatus.CONNECTED, dialled_at=at(2), answered_at=at(5))
ENDED = a_participant(status=ParticipantStatus.COMPLETE, dialled_at=at(2), answered_at=at(5), ended_at=at(64.6))
BUSY = a_participant(status=ParticipantStatus.FAILED, dialled_at=at(2), ended_at=at(3), sip_status=486)
CANCELED = a_participant(status=ParticipantStatus.FAILED, dialled_at=None, ended_at=at(1), removal_requested=True)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (QUEUED, ("queued", None, None, None, "0")),
        (DIALLED, ("ringing", "Tue, 03 Feb 2026 04:05:08 +0000", None, None, "2000")),
        (RINGING, ("ringing", "Tue, 03 Feb 2026 04:05:08 +0000", None, None, "2000")),
        (ANSWERED, ("in-progress", "Tue, 03 Feb 2026 04:05:08 +0000", None, None, "2000")),
        (ENDED, ("completed", "Tue, 03 Feb 2026 04:05:08 +0000", "Tue, 03 Feb 2026 04:06:10 +0000", "60", "2000")),
        (BUSY, ("busy", "Tue, 03 Feb 2026 04:05:08 +0000", "Tue, 03 Feb 2026 04:05:09 +0000", "0", "2000")),
        (CANCELED, ("canceled", None, "Tue, 03 Feb 2026 04:05:07 +0000", "0", "0")),
    ],
)
def test_a_call_in_each_state(call: Participant, told: tuple[str | None, ...]) -> None:
    """Status, when it was dialled and ended, how long it was up, how long it waited; lengths are texts."""
    body = serialize_call(ASKED, call)

    assert tuple(body[key] for key in ("status", "start_time", "end_time", "duration", "queue_time")) == told


def test_every_key_of_the_contract_is_there() -> None:
    """Section 6: whoever indexes one finds it."""
    call = a_participant(options_json='{"caller_display_name":"Desk","byoc":"BY1"}', from_="alice", dialled_at=None)
    body = serialize_call(ASKED, call)
    links = body.pop("subresource_uris")

    assert body == {
        "sid": CA, "account_sid": AC, "parent_call_sid": None, "to": "+15550002000", "to_formatted": "+15550002000",
        "from": "alice", "from_formatted": "alice", "date_created": "Tue, 03 Feb 2026 04:05:06 +0000",
        "date_updated": "Tue, 03 Feb 2026 04:05:06 +0000", "status": "queued", "direction": "outbound-api",
        "start_time": None, "end_time": None, "duration": None, "answered_by": None, "price": None,
        "price_unit": "USD", "queue_time": "0", "api_version": "2010-04-01", "forwarded_from": None,
        "caller_name": "Desk", "group_sid": None, "trunk_sid": "BY1", "phone_number_sid": None,
        "uri": f"/2010-04-01/Accounts/{AC}/Calls/{CA}.json",
    }  # fmt: skip
    assert links["recordings"] == f"/2010-04-01/Accounts/{AC}/Calls/{CA}/Recordings.json"
    assert links["user_defined_messages"].endswith("/UserDefinedMessages.json")


def test_a_number_is_shown_as_people_write_it() -> None:
    """In North America; other numbers, and addresses, are themselves."""
    assert formatted("+12025550123") == "(202) 555-0123"
    assert [formatted(text) for text in ("+493012345", "sip:a@b", "+15")] == ["+493012345", "sip:a@b", "+15"]


def wanted(**given: str) -> Calls:
    return parse_filters(ASKED, MultiDict(given))[0]


@pytest.mark.parametrize(
    ("given", "matches"),
    [
        ({}, [QUEUED, RINGING, ANSWERED, ENDED, BUSY, CANCELED]),
        ({"Status": "in-progress"}, [ANSWERED]),
        ({"Status": "Ringing"}, [RINGING]),
        ({"Status": "canceled"}, [CANCELED]),
        ({"To": "+15550002000", "From": "+15550001000"}, [QUEUED, RINGING, ANSWERED, ENDED, BUSY, CANCELED]),
        ({"To": "+15550009999"}, []),
        ({"ParentCallSid": CA}, []),
        ({"StartTime": "2026-02-03"}, [RINGING, ANSWERED, ENDED, BUSY]),
        ({"StartTime": "2026-02-03T04:05:08Z"}, [RINGING, ANSWERED, ENDED, BUSY]),
        ({"StartTime": "2026-02-03T04:05:09Z"}, []),
        ({"StartTime>": "2026-02-04"}, []),
        ({"EndTime<": "2026-02-03T04:05:09Z"}, [BUSY, CANCELED]),
        ({"EndTime>": "2026-02-03T04:05:09Z", "EndTime<": "2026-02-03"}, [ENDED, BUSY]),
    ],
)
def test_filters(given: dict[str, str], matches: list[Participant]) -> None:
    """Days are UTC's and whole; what has not happened is in no time."""
    found = [call for call in (QUEUED, RINGING, ANSWERED, ENDED, BUSY, CANCELED) if wanted(**given).matches(call)]

    assert found == matches
    assert wanted(**given).is_live is (given.get("Status", "").lower() in ("ringing", "in-progress"))


@pytest.mark.parametrize(
    "given", [{"Status": "initiated"}, {"StartTime": "x"}, {"EndTime>": "2026-13-01"}, {"ParentCallSid": "CA1"},
              {"StartTime<": "9999-12-31"}],
)  # fmt: skip
def test_a_filter_that_is_none_is_refused(given: dict[str, str]) -> None:
    """By name."""
    with pytest.raises(BadParameter, match=next(iter(given))):
        wanted(**given)


@pytest.mark.parametrize(
    ("form", "named"),
    [({}, "Status"), ({"Status": "complete"}, "Status"), ({"Url": "http://x/"}, "Url"),
     ({"Status": "completed", "Twiml": "<Response/>"}, "Twiml")],
)  # fmt: skip
def test_a_call_can_only_be_ended(form: dict[str, str], named: str) -> None:
    """What would send it elsewhere is refused, not passed over."""
    with pytest.raises(BadParameter, match=f"^{named}:"):
        parse_update(MultiDict(form))


# ---------------------------------------------------------------- as a client meets it


@pytest.fixture
def api(redis_url: str) -> Iterator[Api]:
    made = make_api(redis_url)
    yield made
    stop(made)


def posted(api: Api, **form: str) -> Participant:
    """A create by the API, as it is kept."""
    data = {"From": "+15550009999", "To": "+15550001000", **form}
    body = api.request("POST", "/Conferences/weekly/Participants.json", data=data).get_json()
    return api.store.load_participant(ACCOUNT, body["conference_sid"], body["call_sid"])


def write(api: Api, call: Participant, **fields: Any) -> None:
    client: Any = api.redis
    client.hset(keys.participant(call.conference_sid, call.call_sid), mapping=fields)


def test_calls_are_read_by_sid_and_listed_newest_first(api: Api) -> None:
    """All of the account's, whatever conference they were for; pages lead to each once."""
    made = [posted(api, To=f"+1555000100{digit}") for digit in range(7)]
    write(api, made[2], ended_at=datetime.now(UTC).isoformat(), status="failed", sip_status="486")
    one = api.request("GET", f"/Calls/{made[2].call_sid}.json").get_json()
    path, found = "/Calls.json?PageSize=3", []
    while path:
        page = api.request("GET", path).get_json()
        found += [row["to"] for row in page["calls"]]
        path = (page["next_page_uri"] or "").removeprefix(BASE)
    busy = api.request("GET", "/Calls.json?Status=busy").get_json()["calls"]
    queued = api.request("GET", "/Calls.json?Status=queued&PageSize=10").get_json()["calls"]

    assert (one["sid"], one["status"], one["duration"]) == (made[2].call_sid, "busy", "0")
    assert found == [f"+1555000100{digit}" for digit in reversed(range(7))]
    assert [row["sid"] for row in busy] == [made[2].call_sid]
    assert [row["to"][-1] for row in queued] == ["6", "5", "4", "3", "1", "0"]


def test_another_accounts_calls_are_not_there(api: Api) -> None:
    """404, as for one that never was; and in nobody else's list."""
    made = posted(api)
    theirs = {"headers": basic(OTHER_ACCOUNT)}
    base = f"/2010-04-01/Accounts/{OTHER_ACCOUNT}"

    for path in (f"/Calls/{made.call_sid}.json", "/Calls/CA1.json", f"/Calls/CA{'0' * 32}.json"):
        assert api.web.get(base + path, **theirs).status_code == 404
    assert api.web.get(f"{base}/Calls.json", **theirs).get_json()["calls"] == []
    assert api.web.post(f"{base}/Calls/{made.call_sid}.json", data={"Status": "completed"}, **theirs).status_code == 404


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"ended_at": START.isoformat(), "status": "failed"}, "completed"),
        ({"ended_at": START.isoformat(), "status": "failed"}, "canceled"),
        ({"answered_at": START.isoformat(), "status": "connected"}, "canceled"),
    ],
)
def test_what_is_over_or_answered_is_21220(api: Api, fields: dict[str, str], status: str) -> None:
    """An answered call can be ended, not canceled."""
    made = create(api.store)
    write(api, made, **fields)
    response = api.request("POST", f"/Calls/{made.call_sid}.json", data={"Status": status})

    assert (response.status_code, response.get_json()["code"]) == (400, 21220)
