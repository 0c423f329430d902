"""The API as a client meets it: Flask's test client, a real Redis and a scripted switch on a real socket."""

from __future__ import annotations

import base64
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gevent
import pytest
import redis
import structlog
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import TestResponse, create_environ, run_wsgi_app
from werkzeug.wrappers import Response

from orchestrator import metrics
from orchestrator.api import authentication
from orchestrator.api.app import create_app
from orchestrator.api.forms import MAX_BODY_BYTES
from orchestrator.dialects.base import Dialects
from orchestrator.dialects.registry import DIALECTS
from orchestrator.dialects.twilio import paging
from orchestrator.dialects.twilio.callbacks import serialize_callback
from orchestrator.dialling.call_rate import CallRate
from orchestrator.dialling.destinations import Destinations
from orchestrator.dialling.queued_call import Seal
from orchestrator.dialling.sessions import Sessions
from orchestrator.domain.conference import Participant
from orchestrator.embedded_redis import EmbeddedRedis
from orchestrator.errors import Unavailable
from orchestrator.freeswitch.coach_mark import UnmuteUnlessCoach
from orchestrator.freeswitch.dial_string import Routes
from orchestrator.freeswitch.nodes import Nodes
from orchestrator.limits import TABLE
from orchestrator.listener.coaching import Send
from orchestrator.listener.committer import Committer
from orchestrator.outgoing.names import no_name, parse_literal
from orchestrator.outgoing.networks import Address
from orchestrator.outgoing.sip_targets import SipTargets
from orchestrator.recordings.service import Recordings
from orchestrator.recordings.storage import Directory
from orchestrator.services import confirmation, pacing
from orchestrator.services.all_services import Services
from orchestrator.services.callback_log import CallbackLog
from orchestrator.services.calls import CallService
from orchestrator.services.conferences import ConferenceService
from orchestrator.services.credentials import Credentials
from orchestrator.services.participants import ParticipantService
from orchestrator.services.placement import Placement
from orchestrator.services.updates import UpdateService
from orchestrator.store import keys
from orchestrator.store.accounts import Account, AccountStore
from orchestrator.store.callbacks import CallbackStore
from orchestrator.store.calls import CallStore
from orchestrator.store.commits import CommitStore
from orchestrator.store.conferences import ConferenceStore
from orchestrator.store.connection import connect
from orchestrator.store.dials import DialStore
from orchestrator.store.media import MediaStore
from orchestrator.store.nodes import NodeStore
from orchestrator.store.playback import PlaybackStore
from orchestrator.store.quotas import QuotaStore
from orchestrator.store.receivers import ReceiverStore
from orchestrator.store.registry import NodeRegistry, NodeRow
from orchestrator.wiring.stores import list_addresses
from tests.unit.fake_esl import PASSWORD, FakeEsl, Peer, Script, obedient, settled
from tests.unit.patience import is_quick
from tests.unit.recorder import make_recorder
from tests.unit.records import ACCOUNT, NODE, OTHER_ACCOUNT, create

TOKEN = "a" * 32
SUSPENDED = "AC" + "3" * 32
BASE = f"/2010-04-01/Accounts/{ACCOUNT}"
CF = "CF" + "0" * 32
CA = "CA" + "0" * 32
ANSWER_SECONDS = 2.0
GOOD = {"From": "+15550009999", "To": "+15550001000"}


def basic(sid: str = ACCOUNT, token: str = TOKEN) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{sid}:{token}".encode()).decode()}


@dataclass
class Api:
    web: FlaskClient
    store: ConferenceStore
    redis: redis.Redis
    nodes: Nodes
    switch: FakeEsl
    heard: list[str]
    woken: list[object]

    def request(self, method: str, path: str, **options: Any) -> TestResponse:
        options.setdefault("headers", basic())
        return self.web.open(BASE + path, method=method, **options)


def make_api(
    url: str, script: Script | None = None, dialects: Dialects = DIALECTS, directory: str = "/no/such/recordings"
) -> Api:
    heard: list[str] = []
    switch = FakeEsl(script or obedient(heard=heard))
    switch.start()
    client = connect(url)
    accounts = AccountStore(client)
    for sid, status in ((ACCOUNT, "active"), (OTHER_ACCOUNT, "active"), (SUSPENDED, "suspended")):
        accounts.save_account(Account(sid, TOKEN, status))
        accounts.save_limits(sid, dict.fromkeys((row.name for row in TABLE), 1_000_000))
    registry = NodeRegistry(client, [NodeRow(NODE, "127.0.0.1", switch.port)])
    nodes = Nodes(list_addresses(registry), PASSWORD)
    nodes.start()
    store = ConferenceStore(client)
    routes = Routes("sofia/internal/{number}@carrier", "sofia/internal/{address}", "")
    destinations = Destinations(routes, SipTargets(parse_only, lambda _: (), ()))
    woken: list[object] = []

    recorder = make_recorder(client, woken, woken, directory)

    def make_committer(send: Send) -> Committer:
        return Committer(CommitStore(client), recorder, serialize_callback, woken.extend, woken.extend, _gives_up, send)

    sounds, quotas = PlaybackStore(client), QuotaStore(client)
    services = Services(
        ConferenceService(store, nodes, sounds, make_committer, woken.extend),
        ParticipantService(
            store,
            nodes,
            destinations,
            quotas,
            Sessions(nodes, quotas),
            CallRate(DialStore(client), Seal(PASSWORD), woken.extend),
            accounts,
            make_committer,
            Placement(nodes, registry, NodeStore(client)),
        ),
        UpdateService(store, nodes, NodeStore(client), sounds, make_committer, woken.extend),
        CallService(CallStore(client), store, nodes, make_committer),
        CallbackLog(CallbackStore(client), ReceiverStore(client)),
        Credentials(AccountStore(client)),
        Recordings(recorder, CommitStore(client), nodes, Directory(Path(directory) / "kept"), "https://api.example"),
    )
    media = MediaStore(client, 256 << 20)
    app = create_app(services, AccountStore(client), media, quotas, dialects)
    return Api(app.test_client(), store, client, nodes, switch, heard, woken)


def parse_only(host: str) -> tuple[Address, ...]:
    """Addresses of a host, without DNS."""
    literal = parse_literal(host)
    if literal is None:
        raise no_name(host, "is not asked of DNS in unit tests")
    return (literal,)


def _gives_up(_: float) -> None:
    raise Unavailable("The data store is not reachable")


def present(made: Participant) -> Any:
    """The fields of somebody who is in the conference."""
    fields = {"status": "connected", "member_id": "7"}
    return {**fields, "answered_at": made.created_at.isoformat()}


def stop(api: Api) -> None:
    api.nodes.stop()
    api.switch.stop()


@pytest.fixture(autouse=True)
def _sleep_on_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the API process, where gevent has patched it."""
    monkeypatch.setattr(confirmation, "time", SimpleNamespace(monotonic=time.monotonic, sleep=gevent.sleep))
    monkeypatch.setattr(authentication, "WRONG_SECONDS", 0)


@pytest.fixture
def api(redis_url: str) -> Iterator[Api]:
    made = make_api(redis_url)
    yield made
    stop(made)


def is_error(response: TestResponse, status: int, code: int) -> None:
    body = response.get_json()
    assert (response.status_code, body["code"], body["status"]) == (status, code, status), body
    assert body["more_info"] == f"https://www.twilio.com/docs/errors/{code}"
    assert isinstance(body["message"], str)
    assert body["message"]
    assert response.mimetype == "application/json"


# ------------------------------------------------------------ who may ask

CREDENTIALS = {
    "none": {},
    "no value": {"Authorization": ""},
    "another scheme": {"Authorization": "Bearer " + TOKEN},
    "no base64": {"Authorization": "Basic !!!"},
    "no colon": {"Authorization": "Basic " + base64.b64encode(b"x").decode()},
    "no utf-8": {"Authorization": "Basic " + base64.b64encode(b"\xff\xfe:\xff").decode()},
    "nul": {"Authorization": "Basic " + base64.b64encode(b"\0:\0").decode()},
    "wrong token": basic(token="b" * 32),
    "empty token": basic(token=""),
    "token of non-ascii": basic(token="ü🎧"),
    "unknown account": basic("AC" + "9" * 32),
    "no sid": basic("admin"),
    "sid in capitals": basic(ACCOUNT.replace("AC", "ac")),
    "a foreign account": basic(OTHER_ACCOUNT),
    "a key": basic("account:{" + ACCOUNT + "}"),
}


@pytest.mark.parametrize("name", CREDENTIALS)
@pytest.mark.parametrize("path", ["/Conferences.json", f"/Conferences/{CF}.json", "/Conferences/x/Participants.json"])
def test_without_the_right_credentials_nothing_is_told(api: Api, name: str, path: str) -> None:
    """401 with 20003, whatever is wrong and whatever is asked, and how to authenticate."""
    response = api.request("GET", path, headers=CREDENTIALS[name])

    is_error(response, 401, 20003)
    assert response.get_json()["detail"]
    assert "Basic" in response.headers["WWW-Authenticate"]


@pytest.mark.parametrize(
    "path", ["/", "/foo", "/v1/", "/2010-04-01/x.json", "/2010-04-01/Accounts.json", f"{BASE}/x.json"]
)
def test_what_does_not_exist_is_told_to_those_who_may_know(api: Api, path: str) -> None:
    """Right credentials on an unknown path: 404. Without them nothing is told."""
    is_error(api.web.get(path, headers=basic()), 404, 20404)
    is_error(api.web.get(path), 401, 20003)
    is_error(api.web.get(path, headers=basic(token="wrong")), 401, 20003)


def test_the_account_says_that_its_credentials_work(api: Api) -> None:
    """What SDKs ask for: all of Twilio's keys; the AuthToken, which whoever asks has, is not repeated."""
    response = api.web.get(f"{BASE}.json", headers=basic())
    body = response.get_json()

    assert response.status_code == 200
    assert set(body) == {
        "sid", "owner_account_sid", "friendly_name", "status", "type", "auth_token", "date_created", "date_updated",
        "subresource_uris", "uri",
    }  # fmt: skip
    assert (body["sid"], body["status"], body["type"], body["uri"]) == (ACCOUNT, "active", "Full", f"{BASE}.json")
    assert TOKEN not in response.get_data(as_text=True)
    assert body["date_created"].endswith("+0000")
    is_error(api.web.get(f"/2010-04-01/Accounts/{OTHER_ACCOUNT}.json", headers=basic()), 401, 20003)


def test_wrong_credentials_are_slow_and_logged_and_lock_nobody_out(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each wrong try is answered after a while; the log has the address, and one line however many there are; the right
    token is answered at once all along."""
    monkeypatch.setattr(authentication, "WRONG_SECONDS", 0.3)
    with structlog.testing.capture_logs() as lines:
        started = time.monotonic()
        for _ in range(3):
            is_error(api.request("GET", "/Conferences.json", headers=basic(token="wrong")), 401, 20003)
        slow = time.monotonic() - started
        started = time.monotonic()
        assert api.request("GET", "/Conferences.json").status_code == 200
        quick = time.monotonic() - started

    assert slow >= 0.9
    assert quick < 0.3
    told = [line for line in lines if line["event"] == "credentials_refused"]
    assert [(line["address"], line["account_sid"]) for line in told] == [("127.0.0.1", ACCOUNT)]
    assert "wrong" not in repr(told)


@pytest.mark.parametrize("path", ["/Conferences.json", f"/Conferences/{CF}.json", "/nowhere"])
def test_a_browser_asks_without_credentials(api: Api, path: str) -> None:
    """OPTIONS is answered to everybody, and every answer says that pages may read it."""
    response = api.request("OPTIONS", path, headers={"Origin": "https://app.example"})

    assert (response.status_code, response.get_data()) == (204, b"")
    for answer in (response, api.request("GET", path), api.request("GET", path, headers={})):
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert "DELETE" in answer.headers["Access-Control-Allow-Methods"]
        assert "Authorization" in answer.headers["Access-Control-Allow-Headers"]
        assert answer.headers["Access-Control-Expose-Headers"] == "ETag"


def test_a_redirect_keeps_the_query_and_where_the_application_is_mounted(api: Api) -> None:
    """The query in UTF-8, encoded by the client or not."""
    environ = create_environ("/openapi", query_string="a=%7e&b=ä")
    environ["SCRIPT_NAME"] = "/behind"
    _, status, headers = run_wsgi_app(api.web.application, environ)

    assert (status[:3], headers["Location"]) == ("308", "http://localhost/behind/openapi/?a=%7e&b=%C3%A4")


def _multipart(parts: dict[str, bytes]) -> dict[str, Any]:
    body = b"".join(
        b'--x\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (name.encode(), value)
        for name, value in parts.items()
    )
    return {"data": body + b"--x--\r\n", "content_type": "multipart/form-data; boundary=x"}


def test_a_part_that_is_no_utf8_is_refused_by_its_name(api: Api) -> None:
    """Not carried with other characters in its place."""
    form = {name: value.encode() for name, value in GOOD.items()}
    bad = api.request("POST", "/Conferences/x/Participants.json", **_multipart({**form, "Label": b"caf\xe9"}))
    is_error(bad, 400, 20001)
    assert bad.get_json()["message"].startswith("Label:")

    good = api.request("POST", "/Conferences/x/Participants.json", **_multipart({**form, "Label": "café".encode()}))
    assert (good.status_code, good.get_json()["label"]) == (201, "café")


def test_a_tenant_that_asks_too_often_is_told_so_late(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """429/20429 with Retry-After, after a while; another account is answered at once."""
    monkeypatch.setattr(pacing, "REFUSAL_SECONDS", 0.2)
    AccountStore(api.redis).save_limits(ACCOUNT, {"requests_per_second": 0})
    settled(lambda: api.request("GET", "/Conferences.json").status_code == 429, "the limit counts", 3)
    started = time.monotonic()
    refused = api.request("GET", "/Conferences.json")
    assert time.monotonic() - started >= 0.2
    is_error(refused, 429, 20429)
    assert refused.headers["Retry-After"] == "1"
    other = api.web.get(f"/2010-04-01/Accounts/{OTHER_ACCOUNT}/Conferences.json", headers=basic(OTHER_ACCOUNT))
    assert other.status_code == 200


def test_every_refusal_for_a_quota_comes_late(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """A create beyond what may live at once, too: whoever repeats it without a pause takes no time from the others."""
    monkeypatch.setattr(pacing, "REFUSAL_SECONDS", 0.2)
    AccountStore(api.redis).save_limits(ACCOUNT, {"live_participants": 0})
    settled(
        lambda: api.request("POST", "/Conferences/x/Participants.json", data=GOOD).status_code == 429,
        "the limit counts",
        3,
    )
    started = time.monotonic()
    is_error(api.request("POST", "/Conferences/x/Participants.json", data=GOOD), 429, 16021)

    assert time.monotonic() - started >= 0.2


def test_lists_look_at_so_many_rows_a_second(api: Api) -> None:
    """A filter that matches nothing costs its rows, and is refused while they are not paid for; other reads are not."""
    for number in range(30):
        create(api.store, f"room {number}")
    AccountStore(api.redis).save_limits(ACCOUNT, {"list_rows_per_second": 10})
    path = "/Conferences.json?FriendlyName=nothing"
    settled(lambda: api.request("GET", path).status_code == 429, "the limit counts", 3)
    is_error(api.request("GET", path), 429, 20429)
    assert api.web.get(f"{BASE}.json", headers=basic()).status_code == 200


def test_a_filter_that_matches_little_has_short_pages_that_lead_on(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """No request looks at more rows than it may; following the links finds everything, and back again."""
    monkeypatch.setattr(paging, "MOST_SEEN", 10)
    for number in range(45):
        create(api.store, f"room {number}")
    found, pages, path = [], 0, f"{BASE}/Conferences.json?FriendlyName=room%203&PageSize=2"
    while path:
        body = api.web.get(path, headers=basic()).get_json()
        found += [row["friendly_name"] for row in body["conferences"]]
        pages, path = pages + 1, body["next_page_uri"]

    assert found == ["room 3"]
    assert pages == 5


def test_live_conferences_are_found_however_many_are_over(api: Api) -> None:
    """By what lives, not by looking through what was."""
    created = api.request("POST", "/Conferences/oldest/Participants.json", data=GOOD).get_json()
    key = keys.account_conferences(ACCOUNT)
    api.redis.zadd(key, {created["conference_sid"]: 1})
    rows = api.request("GET", "/Conferences.json?Status=init").get_json()["conferences"]

    assert [row["sid"] for row in rows] == [created["conference_sid"]]


def test_credentials_are_looked_at_before_anything_else(api: Api) -> None:
    """A stranger learns neither which paths exist nor which verbs, nor whether his body was good."""
    for method, path in (
        ("GET", "/nowhere.json"),
        ("PUT", "/Conferences.json"),
        ("POST", "/Conferences/x/Participants.json"),
    ):
        is_error(api.request(method, path, headers={}, data=b"x" * 100_000), 401, 20003)


def test_a_suspended_account_is_refused(api: Api) -> None:
    """403, with the right token only."""
    path = f"/2010-04-01/Accounts/{SUSPENDED}/Conferences.json"

    is_error(api.web.get(path, headers=basic(SUSPENDED)), 403, 20006)
    is_error(api.web.get(path, headers=basic(SUSPENDED, "wrong")), 401, 20003)


def test_the_health_path_needs_no_credentials(api: Api) -> None:
    """Load balancers have none."""
    assert api.web.get("/healthz").status_code == 200


# ------------------------------------------------------------ what is not there


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/Usage.json", 404, 20404),
        ("GET", f"/Conferences/{CF}.json", 404, 20404),
        ("GET", f"/Conferences/{CF}/Participants.json", 404, 20404),
        ("GET", f"/Conferences/{CF}/Participants/{CA}.json", 404, 20404),
        ("GET", f"/Conferences/{CF}/Participants/label.json", 404, 20404),
        ("POST", f"/Conferences/{CF}.json", 404, 20404),
        ("POST", f"/Conferences/{CF}/Participants/{CA}.json", 404, 20404),
        ("DELETE", f"/Conferences/{CF}/Participants/{CA}.json", 404, 20404),
        ("POST", f"/Conferences/{CF}/Participants.json", 404, 20404),
        ("PUT", "/Conferences.json", 405, 20004),
        ("PATCH", f"/Conferences/{CF}.json", 405, 20004),
        ("DELETE", f"/Conferences/{CF}.json", 405, 20004),
        ("DELETE", f"/Conferences/{CF}/Participants.json", 405, 20004),
        ("GET", "/Conferences/name.json", 405, 20004),
        ("POST", "/Conferences/name.json", 405, 20004),
        ("GET", "/Conferences/name/Participants.json", 405, 20004),
        ("GET", f"/Conferences/name/Participants/{CA}.json", 405, 20004),
        ("POST", f"/Conferences/name/Participants/{CA}.json", 405, 20004),
        ("DELETE", f"/Conferences/name/Participants/{CA}.json", 405, 20004),
        ("GET", f"/Conferences/CF{'A' * 32}.json", 405, 20004),
        ("GET", f"/Conferences/{CF}0.json", 405, 20004),
    ],
)
def test_what_is_not_there_is_told_in_twilio_s_words(api: Api, method: str, path: str, status: int, code: int) -> None:
    """Unknown: 404/20404. Another verb, or a FriendlyName where a SID is needed: 405/20004."""
    is_error(api.request(method, path, data=GOOD if method == "POST" else None), status, code)


def test_a_foreign_conference_is_as_if_there_were_none(api: Api) -> None:
    """For every verb."""
    made = create(api.store, account_sid=OTHER_ACCOUNT)
    conference = f"/Conferences/{made.conference_sid}"
    participant = f"{conference}/Participants/{made.call_sid}.json"
    for method, path, data in (
        ("GET", f"{conference}.json", None),
        ("POST", f"{conference}.json", {"Status": "completed"}),
        ("GET", f"{conference}/Participants.json", None),
        ("POST", f"{conference}/Participants.json", GOOD),
        ("GET", participant, None),
        ("POST", participant, {"Muted": "true"}),
        ("POST", participant, {"Hold": "true"}),
        ("POST", participant, {"EndConferenceOnExit": "true"}),
        ("DELETE", participant, None),
    ):
        is_error(api.request(method, path, data=data), 404, 20404)

    assert api.heard == []


@pytest.mark.parametrize("kind", ["urlencoded", "multipart"])
def test_a_body_that_is_too_large_is_refused(api: Api, kind: str) -> None:
    """413 from 64 kB on, in Twilio's words."""
    data: Any = {**GOOD, "Label": "x" * MAX_BODY_BYTES}
    content = {"content_type": "multipart/form-data"} if kind == "multipart" else {}
    response = api.request("POST", "/Conferences/x/Participants.json", data=data, **content)

    is_error(response, 413, 20001)


def test_a_refused_create_dials_nobody(api: Api) -> None:
    """What is wrong with it is told first."""
    is_error(api.request("POST", "/Conferences/x/Participants.json", data={"From": "+1555"}), 400, 21201)
    is_error(api.request("POST", "/Conferences/x/Participants.json", data={"To": "+1555"}), 400, 21213)

    assert api.heard == []


# ------------------------------------------------------------ reads of one's writes


def test_what_was_created_is_shown(api: Api) -> None:
    """By a GET that is sent next, by SID and by label, in the list and in the conference."""
    made = api.request("POST", "/Conferences/weekly/Participants.json", data={**GOOD, "Label": "host"})
    assert made.status_code == 201
    body = made.get_json()
    conference = f"/Conferences/{body['conference_sid']}"
    (bgapi,) = api.heard

    assert body["status"] == "queued"
    assert body["queue_time"] == "0"
    for reference in (body["call_sid"], "host"):
        shown = api.request("GET", f"{conference}/Participants/{reference}.json").get_json()
        assert shown == {**body, "queue_time": None}
    listed = api.request("GET", f"{conference}/Participants.json").get_json()
    assert [row["call_sid"] for row in listed["participants"]] == [body["call_sid"]]
    assert api.request("GET", f"{conference}.json").get_json()["friendly_name"] == "weekly"
    assert bgapi.startswith("bgapi originate {")
    assert bgapi.splitlines()[1].removeprefix("Job-UUID: ").replace("-", "") == body["call_sid"][2:]


def test_a_mute_is_shown_at_once(api: Api) -> None:
    """And the switch has been told before the answer is given: how the leg is to join, or of the member."""
    made = create(api.store)
    key = keys.participant(made.conference_sid, made.call_sid)
    path = f"/Conferences/{made.conference_sid}/Participants/{made.call_sid}.json"
    assert api.request("POST", path, data={"Muted": "true"}).get_json()["muted"] is True
    assert api.heard == [f"api uuid_setvar {made.switch.channel_uuid} conference_member_flags mute|deaf"]
    api.heard.clear()
    api.redis.hset(key, mapping={"status": "connected", "member_id": "7"})
    assert api.request("POST", path, data={"Muted": "false"}).get_json()["muted"] is False

    assert api.request("GET", path).get_json()["muted"] is False
    unmute = UnmuteUnlessCoach(made.switch.channel_uuid, made.conference_sid, 7)
    assert api.heard == [f"api {unmute.render()}"]


def test_a_mute_that_the_switch_refuses_is_taken_back(redis_url: str) -> None:
    """The member has just left: 404, and a GET does not show it as muted."""
    api = make_api(redis_url, obedient({"api conference": "-ERR Non-Existant ID 7\n"}))
    made = create(api.store)
    key = keys.participant(made.conference_sid, made.call_sid)
    api.redis.hset(key, mapping={"status": "connected", "member_id": "7"})
    path = f"/Conferences/{made.conference_sid}/Participants/{made.call_sid}.json"
    try:
        is_error(api.request("POST", path, data={"Muted": "true"}), 404, 20404)
        assert api.request("GET", path).get_json()["muted"] is False
    finally:
        stop(api)


# ------------------------------------------------------------ what is away


def _every_write(made: Any) -> list[tuple[str, str, dict[str, str] | None]]:
    conference = f"/Conferences/{made.conference_sid}"
    participant = f"{conference}/Participants/{made.call_sid}.json"
    return [
        ("POST", "/Conferences/new/Participants.json", GOOD),
        ("POST", f"{conference}/Participants.json", GOOD),
        ("POST", participant, {"Muted": "true"}),
        ("POST", participant, {"Hold": "true"}),
        ("POST", participant, {"EndConferenceOnExit": "true"}),
        ("DELETE", participant, None),
        ("POST", f"{conference}.json", {"Status": "completed"}),
    ]


@pytest.mark.parametrize(
    ("error", "status", "code"), [(Unavailable("late"), 503, 20503), (ValueError("x"), 500, 20500)]
)
def test_what_is_raised_behind_the_handlers_is_answered_as_what_it_is(
    api: Api, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, code: int
) -> None:
    """A deadline may fire after the answer has been made."""

    def fail(*_: object) -> None:
        monkeypatch.undo()
        raise error

    monkeypatch.setattr(metrics.REQUESTS, "labels", fail)
    is_error(api.request("GET", "/Conferences.json"), status, code)


def _unavailable_in_time(api: Api, requests: list[tuple[str, str, dict[str, str] | None]], seconds: float) -> None:
    for method, path, data in requests:

        def ask(method: str = method, path: str = path, data: dict[str, str] | None = data) -> None:
            response = api.request(method, path, data=data)
            is_error(response, 503, 20503)
            assert response.headers["Retry-After"]

        assert is_quick(ask, seconds, tries=5), f"{method} {path}"


@pytest.fixture
def member(api: Api) -> Any:
    made = create(api.store)
    key = keys.participant(made.conference_sid, made.call_sid)
    api.redis.hset(key, mapping=present(made))
    return made


def test_with_the_switch_away_every_write_is_503_at_once(api: Api, member: Any) -> None:
    """And every read still answers."""
    api.switch.stop()
    settled(lambda: not api.nodes.get(NODE).is_connected, "the loss is seen")
    _unavailable_in_time(api, _every_write(member), 0.5)

    shown = api.request("GET", f"/Conferences/{member.conference_sid}/Participants/{member.call_sid}.json")
    assert shown.status_code == 200
    assert shown.get_json()["muted"] is False, "the wish was taken back"
    assert shown.get_json()["hold"] is False, "and so was this one"


@pytest.mark.parametrize("number", range(7))
def test_a_switch_that_hangs_is_503_in_time(redis_url: str, number: int) -> None:
    """The connection stands and no command is answered: every kind of write ends within 2 s."""

    def script(peer: Peer) -> None:
        peer.welcome()
        while True:
            peer.hear()

    api = make_api(redis_url, script)
    made = create(api.store)
    key = keys.participant(made.conference_sid, made.call_sid)
    api.redis.hset(key, mapping=present(made))
    try:
        _unavailable_in_time(api, [_every_write(made)[number]], ANSWER_SECONDS)
    finally:
        stop(api)


def test_an_end_that_no_event_confirms_is_503_in_time(api: Api, member: Any) -> None:
    """The switch does as it is told, and nobody listens to its events: 200 would be a lie."""
    _unavailable_in_time(api, _every_write(member)[-2:], ANSWER_SECONDS)


def test_a_switch_that_refuses_to_dial_is_503(redis_url: str) -> None:
    """`bgapi` itself answers -ERR: too many sessions, or a switch that is shutting down."""
    api = make_api(redis_url, obedient({"bgapi": "-ERR"}))
    try:
        _unavailable_in_time(api, [("POST", "/Conferences/x/Participants.json", GOOD)], 0.5)
        settled(lambda: _statuses_of(api, "x") == ["completed"], "nothing waits for an audit")
    finally:
        stop(api)


def test_a_create_whose_record_is_written_and_not_confirmed_is_over(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that is told 503 has no call: the record that Redis kept all the same ends, and is dialled by nobody."""
    write = ConferenceStore.create_participant

    def lose_the_answer(*args: Any) -> None:
        write(*args)
        raise Unavailable("The data store is too slow")

    monkeypatch.setattr(ConferenceStore, "create_participant", lose_the_answer)
    is_error(api.request("POST", "/Conferences/x/Participants.json", data=GOOD), 503, 20503)
    settled(lambda: _statuses_of(api, "x") == ["completed"], "it is over")

    assert not [command for command in api.heard if "originate" in command]


def _statuses_of(api: Api, name: str) -> list[str]:
    listed = api.request("GET", f"/Conferences.json?FriendlyName={name}").get_json()["conferences"]
    return [conference["status"] for conference in listed]


@pytest.mark.parametrize("how", ["gone", "silent"])
def test_with_redis_away_everything_is_503_in_time(own_redis: EmbeddedRedis, how: str) -> None:
    """Reads and writes; gone means refused connections, silent means SIGSTOP. Afterwards all is as before."""
    api = make_api(own_redis.start())
    made = create(api.store)
    requests = [("GET", "/Conferences.json", None), *_every_write(made)]
    assert api.request("GET", "/Conferences.json").status_code == 200
    process = own_redis._process
    assert process is not None
    try:
        if how == "gone":
            own_redis.stop()
            _unavailable_in_time(api, requests, 0.5)
        else:
            os.kill(process.pid, signal.SIGSTOP)
            _unavailable_in_time(api, requests[:2], ANSWER_SECONDS)
            os.kill(process.pid, signal.SIGCONT)
            settled(lambda: api.request("GET", "/Conferences.json").status_code == 200, "it answers again")
    finally:
        os.kill(process.pid, signal.SIGCONT) if how == "silent" else None
        stop(api)


# ------------------------------------------------------------ hostile clients


@pytest.fixture(scope="module")
def hostile(redis_server: str) -> Iterator[Api]:
    made = make_api(redis_server)
    yield made
    stop(made)


def _no_crash(response: Response) -> None:
    assert response.status_code < 500, response.get_data()[:500]
    if response.status_code >= 400 and response.data and response.mimetype == "application/xml":
        assert b"<RestException>" in response.get_data()
    elif response.status_code >= 400 and response.data:
        body = response.get_json()
        assert {"code", "message", "more_info", "status"} <= set(body)
        assert body["status"] == response.status_code


NASTY = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        ["%", "%zz", "%00", "%0a%0d", "%ff%fe", "%ed%a0%80", "%c0%af", "..", "../..", "%2f", "%2F..%2F", "\0", "{x}",
         CF, CA, "CF" + "0" * 500, "9" * 400, "-1", "1e999", "NaN", "\ud83c\udfa7", "${api}", "a" * 3000, "*", "[a-z]*"]
    ),
)  # fmt: skip
METHODS = st.sampled_from(["GET", "POST", "DELETE", "PUT", "HEAD", "OPTIONS"])


def _wsgi(api: Api, **values: str) -> Response:
    """The application as a server calls it, past the test client's own opinion of what can be sent."""
    environ = create_environ(BASE + "/Conferences.json", headers=basic())
    return Response.from_app(api.web.application, {**environ, **values})


def _raw(text: str) -> str:
    """As a path of the test client: what is percent-encoded stays so."""
    return text.encode("utf-8", "surrogatepass").decode("latin-1").replace("?", "%3F").replace("#", "%23")


@given(METHODS, st.lists(NASTY, min_size=1, max_size=4), st.sampled_from(["", ".json"]))
def test_no_path_makes_a_crash(hostile: Api, method: str, segments: list[str], suffix: str) -> None:
    """Whatever stands between the slashes, given as WSGI's bytes."""
    path = f"{BASE}/Conferences/" + "/".join(_raw(segment) for segment in segments) + suffix

    _no_crash(_wsgi(hostile, REQUEST_METHOD=method, PATH_INFO=path))


FIELDS = st.sampled_from(
    ["From", "To", "Label", "Timeout", "Muted", "MaxParticipants", "StatusCallback", "StatusCallbackEvent", "Status",
     "ConferenceStatusCallback", "CallSidToCoach", "Coaching", "Beep", "Record", "CallerId", "WaitUrl", "Region",
     "Hold", "SipAuthUsername", "EndConferenceOnExit", "PageSize", "Page", "PageToken",
     "FriendlyName", "DateCreated>", "\0"]
)  # fmt: skip
PATHS = st.sampled_from(
    ["/Conferences.json", "/Conferences/hostile/Participants.json", f"/Conferences/{CF}.json",
     f"/Conferences/{CF}/Participants.json", f"/Conferences/{CF}/Participants/{CA}.json"]
)  # fmt: skip


@given(METHODS, PATHS, st.lists(st.tuples(FIELDS, NASTY), max_size=6), st.booleans(), st.booleans())
def test_no_parameters_make_a_crash(
    hostile: Api, method: str, path: str, pairs: list[tuple[str, str]], whole: bool, in_query: bool
) -> None:
    """Any value, repeated or not, percent-encoded or raw; beside good ones, too."""
    good = list(GOOD.items()) if whole else []
    text = "&".join(f"{name}={value}" for name, value in [*good, *pairs]).encode("utf-8", "surrogatepass")
    options: dict[str, Any] = {"data": text, "content_type": "application/x-www-form-urlencoded"}
    if in_query:
        options = {"query_string": text.decode("latin-1")}

    _no_crash(hostile.request(method, path, **options))


@given(
    PATHS,
    st.binary(max_size=200),
    st.sampled_from(
        ["application/x-www-form-urlencoded", "application/x-www-form-urlencoded; charset=utf-7", "application/json",
         "multipart/form-data", "multipart/form-data; boundary=x", "multipart/form-data; boundary=", "text/plain", "x",
         "multipart/form-data; boundary=" + "y" * 300, ""]
    ),
)  # fmt: skip
def test_no_body_makes_a_crash(hostile: Api, path: str, body: bytes, content_type: str) -> None:
    """Any bytes, as any type."""
    _no_crash(hostile.request("POST", path, data=body, content_type=content_type))
    part = b'--x\r\nContent-Disposition: form-data; name="To"' + body + b"\r\n--x--"
    _no_crash(hostile.request("POST", path, data=part, content_type=content_type))


@given(
    st.sampled_from(
        ["Host", "Content-Length", "Accept", "X-Forwarded-For", "Cookie", "Authorization", "Range", "Expect"]
    ),
    st.text(alphabet=st.characters(min_codepoint=1, max_codepoint=255, exclude_characters="\r\n"), max_size=60),
)
def test_no_header_makes_a_crash(hostile: Api, name: str, value: str) -> None:
    """Also in the credentials themselves."""
    headers = {**basic(), name: value}
    if name == "Authorization":
        headers[name] = "Basic " + value
    key = {"Content-Length": "CONTENT_LENGTH"}.get(name, "HTTP_" + name.upper().replace("-", "_"))

    _no_crash(_wsgi(hostile, **{key: headers[name]}))


@given(st.text(min_size=1, max_size=128))
def test_a_name_of_any_text_is_carried(hostile: Api, name: str) -> None:
    """A FriendlyName is data: what was created under it is found under it, and no command to the switch holds it."""
    from urllib.parse import quote

    stored = name.strip()
    try:
        segment = quote(name, safe="")
    except UnicodeEncodeError:
        return
    if not stored or "/" in stored:
        return
    path = f"{BASE}/Conferences/{segment}/Participants.json"
    created = hostile.web.post(path, data=GOOD, headers=basic())

    assert created.status_code == 201, created.get_data()
    sid = created.get_json()["conference_sid"]
    assert hostile.request("GET", f"/Conferences/{sid}.json").get_json()["friendly_name"] == stored
    assert sid in hostile.heard[-1]


def test_a_crash_of_ours_tells_nothing_of_the_inside(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """500 in Twilio's words; the log has the rest."""

    def crash(*_: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(ConferenceStore, "list_conferences", crash)
    response = api.request("GET", "/Conferences.json")

    is_error(response, 500, 20500)
    assert b"secret" not in response.data


def test_every_answer_names_its_request(api: Api) -> None:
    """Support asks for it; also when it was refused."""
    for headers in (basic(), {}):
        assert api.request("GET", "/Conferences.json", headers=headers).headers["Twilio-Request-Id"].startswith("RQ")


def test_words_that_strangers_send_as_a_method_make_no_figures_of_their_own(api: Api) -> None:
    """A figure lasts as long as the process, and asks for no credentials."""
    for number in range(50):
        api.request(f"WORD{number}", "/Conferences.json", headers={})
    api.request("GET", "/Conferences.json", headers={})

    methods = {sample.labels["method"] for family in metrics.REQUESTS.collect() for sample in family.samples}
    assert methods <= {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other"}
    assert {"GET", "other"} <= methods
