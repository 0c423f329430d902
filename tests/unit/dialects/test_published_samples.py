"""The sample requests of the published documents, sent as printed, get the answers that they print, apart from values.

Mended where a sample cannot work: placeholders (`CallSid`, `ACCOUNT_SID`) stand for SIDs; SignalWire's documents print
`call_sid_to_coach` in most answers and leave it out in others, and we always say it; the 2010 document's list is no
well-formed XML (attributes without quotes).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import pytest
from werkzeug.test import TestResponse

from orchestrator.domain.conference import Participant
from orchestrator.sids import write_as_uuid
from orchestrator.store import keys
from orchestrator.store.conferences import ConferenceStore
from tests.unit.api.test_app import Api, basic, make_api, present, stop
from tests.unit.records import ACCOUNT, create

NULLABLE = {"label", "call_sid_to_coach", "queue_time", "next_page_uri", "previous_page_uri"}
"""Printed as null in one sample and as a text in another."""

# https://www.twilio.com/docs/voice/api/conference-participant-resource
TWILIO_PARTICIPANT: dict[str, type] = {
    "account_sid": str, "call_sid": str, "label": str, "conference_sid": str, "date_created": str, "date_updated": str,
    "end_conference_on_exit": bool, "muted": bool, "hold": bool, "status": str, "start_conference_on_enter": bool,
    "coaching": bool, "call_sid_to_coach": str, "queue_time": str, "uri": str,
}  # fmt: skip
TWILIO_PAGE: dict[str, type] = {
    "participants": list, "first_page_uri": str, "next_page_uri": str, "previous_page_uri": str, "uri": str,
    "page": int, "page_size": int, "start": int, "end": int,
}  # fmt: skip

# https://developer.signalwire.com/compatibility-api/rest/update-a-participant
SIGNALWIRE_PARTICIPANT: dict[str, type] = {
    "account_sid": str, "call_sid": str, "conference_sid": str, "date_created": str, "date_updated": str,
    "end_conference_on_exit": bool, "muted": bool, "hold": bool, "status": str, "start_conference_on_enter": bool,
    "coaching": bool, "call_sid_to_coach": str, "uri": str,
}  # fmt: skip

# The Participant resource of Twilio's API of 2010, in XML
XML_PARTICIPANT = [
    "CallSid", "ConferenceSid", "AccountSid", "Muted", "EndConferenceOnExit", "StartConferenceOnEnter", "DateCreated",
    "DateUpdated", "Uri",
]  # fmt: skip
XML_LISTED_PARTICIPANT = ["ConferenceSid", "AccountSid", "CallSid", *XML_PARTICIPANT[3:]]
XML_PAGE = [
    "page", "numpages", "pagesize", "total", "start", "end", "uri", "firstpageuri", "previouspageuri", "nextpageuri",
    "lastpageuri",
]  # fmt: skip

# RestComm's Conference Participants API, its table of properties
RESTCOMM_PROPERTIES = {
    "CallSid", "ConferenceSid", "DateCreated", "DateUpdated", "AccountSid", "Muted", "StartConferenceOnEnter",
    "EndConferenceOnExit", "Uri",
}  # fmt: skip


@pytest.fixture
def api(redis_url: str) -> Iterator[Api]:
    made = make_api(redis_url)
    yield made
    stop(made)


def connected(api: Api, **values: Any) -> Participant:
    made = create(api.store, **values)
    api.redis.hset(keys.participant(made.conference_sid, made.call_sid), mapping=present(made))
    return made


@pytest.fixture
def one(api: Api) -> Participant:
    return connected(api, label="customer")


def has_exactly(body: dict[str, Any], expected: dict[str, type]) -> None:
    assert sorted(body) == sorted(expected)
    for key, kind in expected.items():
        fits = isinstance(body[key], kind) or (key in NULLABLE and body[key] is None)
        assert fits, f"{key}: {body[key]!r}"


# ------------------------------------------------------------ Twilio, JSON


def of_twilio(api: Api, method: str, path: str, **options: Any) -> TestResponse:
    return api.web.open(f"/2010-04-01/Accounts/{ACCOUNT}/Conferences/{path}", method=method, headers=basic(), **options)


def test_twilio_create(api: Api) -> None:
    """By FriendlyName, with the parameters of the page."""
    data = {
        "Beep": "onEnter", "EarlyMedia": "true", "From": "+15017122661", "Label": "customer", "Record": "true",
        "StatusCallback": "https://myapp.com/events", "StatusCallbackEvent": "ringing", "To": "+15558675310",
    }  # fmt: skip
    response = of_twilio(api, "POST", "CFXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX/Participants.json", data=data)
    body = response.get_json()

    assert response.status_code == 201
    has_exactly(body, TWILIO_PARTICIPANT)
    assert (body["label"], body["status"], body["queue_time"]) == ("customer", "queued", "0")


@pytest.mark.parametrize("reference", ["CallSid", "customer"])
@pytest.mark.parametrize(
    ("method", "data"),
    [
        ("GET", None),
        ("POST", {"Muted": "true"}),
        ("POST", {"Hold": "true", "HoldUrl": "http://www.myapp.com/hold_music"}),
        ("POST", {"AnnounceUrl": "http://www.myapp.com/announce"}),
    ],
)
def test_twilio_fetch_and_update(api: Api, one: Participant, reference: str, method: str, data: Any) -> None:
    """By CallSid and by label; the CallSid is always said as such."""
    name = one.call_sid if reference == "CallSid" else reference
    response = of_twilio(api, method, f"{one.conference_sid}/Participants/{name}.json", data=data)
    body = response.get_json()

    assert response.status_code == 200
    has_exactly(body, TWILIO_PARTICIPANT)
    assert body["call_sid"] == one.call_sid
    assert (body["muted"], body["hold"]) == ("Muted" in (data or {}), "Hold" in (data or {}))


def test_twilio_list(api: Api) -> None:
    """`Muted=true&PageSize=2` of three: the page and its rows."""
    made = [connected(api, muted=True) for _ in range(3)]
    response = of_twilio(api, "GET", f"{made[0].conference_sid}/Participants.json?Muted=true&PageSize=2")
    body = response.get_json()

    has_exactly(body, TWILIO_PAGE)
    assert len(body["participants"]) == 2
    for row in body["participants"]:
        has_exactly(row, TWILIO_PARTICIPANT)
    assert body["next_page_uri"].partition("?")[2].startswith("Muted=true&PageSize=2&Page=1&PageToken=PACP")


# ------------------------------------------------------------ SignalWire


@pytest.mark.parametrize(
    ("data", "muted", "coaching"),
    [
        ({}, False, False),
        ({"Muted": "False", "Coaching": "True", "Beep": "False", "CallSidToCoach": "CallSidToCoach"}, False, True),
        ({"Muted": "True", "Coaching": "True", "Beep": "False", "CallSidToCoach": "CallSidToCoach"}, True, True),
        ({"Muted": "False", "Coaching": "False"}, False, False),
        ({"Muted": "False", "Coaching": "False", "CallSidToCoach": ""}, False, False),
        ({"Muted": "True"}, True, False),
    ],
    ids=["nothing", "coach", "monitor", "barge", "barge, as JavaScript sends it", "mute"],
)
def test_signalwire_update(api: Api, data: dict[str, str], muted: bool, coaching: bool) -> None:
    """Each of its samples, with UUIDs in and out."""
    coach, coached = create(api.store), create(api.store)
    sent = {key: write_as_uuid(coached.call_sid) if value == key else value for key, value in data.items()}
    response = of_signalwire(api, coach, sent)
    body = response.get_json()

    assert response.status_code == 200, body
    has_exactly(body, SIGNALWIRE_PARTICIPANT)
    assert (body["muted"], body["coaching"]) == (muted, coaching)
    assert body["call_sid_to_coach"] == (write_as_uuid(coached.call_sid) if coaching else None)
    assert body["uri"] == (
        f"/api/laml/2010-04-01/Accounts/{body['account_sid']}/Conferences/{body['conference_sid']}"
        f"/Participants/{body['call_sid']}.json"
    )


def test_signalwire_hold(api: Api, one: Participant) -> None:
    """Its answer has the `hold_url`, as long as the hold lasts; the sound is asked for by POST, its default."""
    url = "http://www.your-application.com/hold"
    body = of_signalwire(api, one, {"Hold": "True", "HoldUrl": url}).get_json()

    has_exactly(body, {**SIGNALWIRE_PARTICIPANT, "hold_url": str})
    assert (body["hold"], body["hold_url"]) == (True, url)
    assert api.store.load_participant(ACCOUNT, one.conference_sid, one.call_sid).hold_method == "POST"
    has_exactly(of_signalwire(api, one, {"Hold": "False"}).get_json(), SIGNALWIRE_PARTICIPANT)


def of_signalwire(api: Api, one: Participant, data: dict[str, str]) -> TestResponse:
    account, sid, call_sid = (write_as_uuid(text) for text in (ACCOUNT, one.conference_sid, one.call_sid))
    path = f"/api/laml/2010-04-01/Accounts/{account}/Conferences/{sid}/Participants/{call_sid}.json"
    return api.web.post(path, headers=basic(account), data=data)


# ------------------------------------------------------------ Twilio, XML


def of_xml(api: Api, method: str, one: Participant, path: str, **options: Any) -> TestResponse:
    base = f"/2010-04-01/Accounts/{ACCOUNT}/Conferences/{one.conference_sid}/Participants{path}"
    return api.web.open(base, method=method, headers={**basic(), "Accept": "application/json"}, **options)


def parsed(response: TestResponse) -> ElementTree.Element:
    assert (response.status_code, response.mimetype) == (200, "application/xml")
    root = ElementTree.fromstring(response.get_data())  # noqa: S314 -- our own answer
    assert root.tag == "TwilioResponse"
    (inner,) = root
    return inner


@pytest.mark.parametrize(("method", "data"), [("GET", None), ("POST", {"Muted": "true"})])
def test_xml_fetch_and_mute(api: Api, one: Participant, method: str, data: Any) -> None:
    """The elements of the document in its order, whatever `Accept` says; newer ones stand between."""
    participant = parsed(of_xml(api, method, one, f"/{one.call_sid}", data=data))
    texts = {child.tag: child.text for child in participant}

    assert participant.tag == "Participant"
    assert [child.tag for child in participant if child.tag in XML_PARTICIPANT] == XML_PARTICIPANT
    assert texts["Muted"] == ("true" if data else "false")
    assert str(texts["Uri"]).endswith(f"/Participants/{one.call_sid}")
    assert texts["CallSidToCoach"] is None, "nothing is an empty element"


def test_xml_anything_but_true_unmutes(api: Api, one: Participant) -> None:
    """As the document says."""
    of_xml(api, "POST", one, f"/{one.call_sid}", data={"Muted": "true"})
    changed = parsed(of_xml(api, "POST", one, f"/{one.call_sid}", data={"Muted": "yes"}))

    assert changed.findtext("Muted") == "false"


def test_xml_list(api: Api, one: Participant) -> None:
    """The attributes of the document, whole numbers and links; rows in the order that it has in a list."""
    page = parsed(of_xml(api, "GET", one, ""))
    (row,) = page

    assert page.tag == "Participants"
    assert list(page.attrib) == XML_PAGE
    assert (page.attrib["numpages"], page.attrib["total"], page.attrib["end"]) == ("1", "1", "0")
    assert (page.attrib["previouspageuri"], page.attrib["nextpageuri"]) == ("", "")
    assert [child.tag for child in row if child.tag in XML_PARTICIPANT] == XML_LISTED_PARTICIPANT


@pytest.mark.parametrize("way", ["xml", "json", "signalwire"])
def test_delete_is_204_without_a_body(api: Api, one: Participant, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No Content-Type either: older SDKs take only that for true."""
    path, account = f"/2010-04-01/Accounts/{ACCOUNT}/Conferences/{one.conference_sid}/Participants/customer", ACCOUNT
    if way == "signalwire":
        account = write_as_uuid(ACCOUNT)
        path = f"/2010-04-01/Accounts/{account}/Conferences/{write_as_uuid(one.conference_sid)}/Participants/customer"

    def request_removal(*_: object) -> Participant:
        """It has ended by the time that we look."""
        api.redis.hset(keys.participant(one.conference_sid, one.call_sid), "status", "complete")
        return one

    monkeypatch.setattr(ConferenceStore, "request_removal", request_removal)
    response = api.web.delete(path + (".json" if way == "json" else ""), headers=basic(account))

    assert (response.status_code, response.get_data()) == (204, b"")
    assert "Content-Type" not in response.headers


@pytest.mark.parametrize("path", [".csv", "/customer.csv"])
def test_csv_is_refused_by_name(api: Api, one: Participant, path: str) -> None:
    """404, and what there is instead."""
    response = of_xml(api, "GET", one, path)

    assert response.status_code == 404
    assert ".csv is not offered" in response.text


def test_an_error_in_xml(api: Api, one: Participant) -> None:
    """`<RestException>`, its elements by name."""
    response = of_xml(api, "GET", one, "/nobody")
    root = ElementTree.fromstring(response.get_data())  # noqa: S314 -- our own answer

    assert (response.status_code, response.mimetype, root.tag) == (404, "application/xml", "TwilioResponse")
    assert [(child.tag, [inner.tag for inner in child]) for child in root] == [
        ("RestException", ["Code", "Message", "MoreInfo", "Status"])
    ]
    assert root.findtext("RestException/Code") == "20404"


# ------------------------------------------------------------ RestComm


def of_restcomm(api: Api, method: str, one: Participant, path: str, **options: Any) -> TestResponse:
    base = f"/restcomm/2012-04-24/Accounts/{ACCOUNT}/Conferences/{one.conference_sid}/Participants{path}"
    headers = {**basic(), "Accept": options.pop("accept", "*/*")}
    return api.web.open(base, method=method, headers=headers, **options)


@pytest.mark.parametrize("mute", ["true", "false"])
def test_restcomm_mute(api: Api, one: Participant, mute: str) -> None:
    """Its curl line, and its Python sample with `Accept: text/plain`: JSON by the suffix."""
    for accept in ("*/*", "text/plain"):
        response = of_restcomm(api, "POST", one, f"/{one.call_sid}.json", data={"Mute": mute}, accept=accept)
        body = response.get_json()

        assert response.status_code == 200
        assert {key.replace("_", "").lower() for key in body} >= {name.lower() for name in RESTCOMM_PROPERTIES}
        assert body["muted"] is (mute == "true")
        assert (body["sid"], body["end_conference_on_enter"]) == (one.call_sid, False), "what its code calls them"


@pytest.mark.parametrize(("accept", "mimetype"), [("*/*", "application/xml"), ("application/json", "application/json")])
def test_restcomm_reads(api: Api, one: Participant, accept: str, mimetype: str) -> None:
    """XML unless `Accept` asks for JSON; a call by its code's name, in a list of calls."""
    single, listed = (of_restcomm(api, "GET", one, path, accept=accept) for path in (f"/{one.call_sid}", ""))
    assert (single.mimetype, listed.mimetype) == (mimetype, mimetype)
    if mimetype == "application/json":
        body = listed.get_json()
        assert [row["sid"] for row in body["calls"]] == [one.call_sid]
        assert (body["num_pages"], body["total"], body["start"], body["next_page_uri"]) == (1, 1, "0", "null")
        return
    root, page = (ElementTree.fromstring(answer.get_data()) for answer in (single, listed))  # noqa: S314 -- our own
    (call,) = root
    assert (root.tag, call.tag) == ("RestcommResponse", "Call")
    assert {child.tag for child in call} >= RESTCOMM_PROPERTIES
    assert [child.tag for child in page] == ["Calls"]
    assert page.find("Calls/Call/Sid") is not None


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/CA" + "0" * 32, 404), ("POST", "/CA" + "0" * 32, 406), ("GET", "?Page=9", 400), ("POST", "", 405),
        ("DELETE", "/customer", 405), ("PUT", "/customer", 405),
    ],
)  # fmt: skip
def test_restcomm_refuses_without_a_word(api: Api, one: Participant, method: str, path: str, status: int) -> None:
    """An empty body; 406 for a call that a POST does not find."""
    response = of_restcomm(api, method, one, path)

    assert (response.status_code, response.get_data()) == (status, b"")
