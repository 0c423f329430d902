"""Updates as a client sends them: from the form to what waits, is told to the switch, or is refused."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from orchestrator.domain.conference import Participant
from orchestrator.sids import mint_sid
from orchestrator.store import keys
from orchestrator.store.lanes import Lane
from orchestrator.store.playback import PlaybackStore
from tests.unit.api.test_app import Api, is_error, make_api, present, stop
from tests.unit.records import ACCOUNT, create

URL = "https://app.example/x"


@pytest.fixture
def api(redis_url: str) -> Iterator[Api]:
    made = make_api(redis_url)
    yield made
    stop(made)


@pytest.fixture
def one(api: Api) -> Participant:
    made = create(api.store, label="host")
    api.redis.hset(keys.participant(made.conference_sid, made.call_sid), mapping=present(made))
    return made


def path_of(one: Participant) -> str:
    return f"/Conferences/{one.conference_sid}/Participants/{one.call_sid}.json"


def test_a_hold_is_shown_at_once(api: Api, one: Participant) -> None:
    """In the answer, in a GET and in a list that asks for it; what is heard is up to a worker."""
    answer = api.request("POST", path_of(one), data={"Hold": "true", "HoldUrl": URL}).get_json()
    listed = api.request("GET", f"/Conferences/{one.conference_sid}/Participants.json?Hold=true").get_json()

    assert answer["hold"] is True
    assert api.request("GET", path_of(one)).get_json()["hold"] is True
    assert [row["call_sid"] for row in listed["participants"]] == [one.call_sid]
    assert api.heard == [f"api conference {one.conference_sid} deaf 7", f"api conference {one.conference_sid} hold 7"]
    assert api.woken == [Lane(one.conference_sid, one.call_sid)]


def test_an_announcement_to_a_participant_waits(api: Api, one: Participant) -> None:
    """With Twilio's default method."""
    response = api.request("POST", path_of(one), data={"AnnounceUrl": URL})
    waiting = PlaybackStore(api.redis).load(Lane(one.conference_sid, one.call_sid)).next

    assert response.status_code == 200
    assert waiting is not None
    assert (waiting.url, waiting.method) == (URL, "POST")


def test_an_announcement_to_a_conference_waits(api: Api, one: Participant) -> None:
    """Once it has started; before, it is refused."""
    path = f"/Conferences/{one.conference_sid}.json"
    is_error(api.request("POST", path, data={"AnnounceUrl": URL}), 400, 16001)
    api.redis.hset(keys.conference(one.conference_sid), "status", "in-progress")
    response = api.request("POST", path, data={"AnnounceUrl": URL, "AnnounceMethod": "GET"})
    waiting = PlaybackStore(api.redis).load(Lane(one.conference_sid, "conference")).next

    assert response.get_json()["sid"] == one.conference_sid
    assert waiting is not None
    assert (waiting.url, waiting.method) == (URL, "GET")


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ({"Hold": "true", "AnnounceUrl": URL}, 16099),
        ({"Hold": "true", "HoldUrl": "file:///etc/passwd"}, 21205),
        ({"AnnounceUrl": "not a url"}, 21205),
        ({"WaitUrl": "ftp://a/"}, 21205),
        ({"HoldMethod": "PUT"}, 21209),
        ({"Hold": "maybe"}, 20001),
        ({"Coaching": "true"}, 20001),
        ({"Coaching": "true", "CallSidToCoach": mint_sid("CA")}, 16028),
        ({"CallSidToCoach": mint_sid("CA")}, 16028),
    ],
)
def test_a_refused_update_changes_nothing(api: Api, one: Participant, data: dict[str, str], code: int) -> None:
    """The issue's "What gets what"."""
    before = api.request("GET", path_of(one)).get_json()
    is_error(api.request("POST", path_of(one), data={"Muted": "true", **data}), 400, code)

    assert api.request("GET", path_of(one)).get_json() == before
    assert (api.heard, api.woken) == ([], [])


def test_nobody_coaches_themselves(api: Api, one: Participant) -> None:
    """400, by CallSid or by label."""
    for reference in (one.call_sid, "host"):
        path = f"/Conferences/{one.conference_sid}/Participants/{reference}.json"
        is_error(api.request("POST", path, data={"CallSidToCoach": one.call_sid}), 400, 20001)


def test_who_is_on_hold_is_not_coached(api: Api, one: Participant) -> None:
    """16027, on create and on update."""
    two = create(api.store)
    api.store.request_hold(ACCOUNT, one.conference_sid, one.call_sid, True, None)
    is_error(api.request("POST", path_of(two), data={"CallSidToCoach": one.call_sid}), 400, 16027)
    call = {"From": "+15550009999", "To": "+15550001000", "CallSidToCoach": one.call_sid}
    created = api.request("POST", f"/Conferences/{one.conference_sid}/Participants.json", data=call)

    is_error(created, 400, 16027)


def test_an_empty_call_sid_to_coach_is_none(api: Api, one: Participant) -> None:
    """SDKs send it with everything."""
    response = api.request("POST", path_of(one), data={"Muted": "true", "CallSidToCoach": ""})

    assert (response.status_code, response.get_json()["coaching"]) == (200, False)


def test_an_empty_wait_url_is_silence(api: Api, one: Participant) -> None:
    """On create and on update."""
    call = {"From": "+15550009999", "To": "+15550001000", "WaitUrl": ""}
    made = api.request("POST", f"/Conferences/{one.conference_sid}/Participants.json", data=call).get_json()
    api.request("POST", path_of(one), data={"WaitUrl": ""})

    for call_sid in (made["call_sid"], one.call_sid):
        assert api.store.load_participant(ACCOUNT, one.conference_sid, call_sid).wait_url == ""
