"""Who supports a client finds by the name of a request all that came of it, and by a call all that happened to it."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
import requests

from tests.harness.polling import eventually
from tests.harness.room import Room
from tests.harness.stack import Stack
from tests.harness.tape import EVERY_WORD, callbacks, finished
from tests.harness.web import Web


@pytest.fixture
def two(room: Room) -> Room:
    room.add("anna", 1)
    room.add("bert", 2)
    return room


def _lines(stack: Stack, conference_sid: str) -> list[dict[str, Any]]:
    """What all processes have said about a conference."""
    processes = (stack.api, stack.listener, *stack.workers)
    texts = [line for process in processes for line in process.log().splitlines() if conference_sid in line]
    return [row for row in map(json.loads, texts) if row.get("conference_sid") == conference_sid]


def _ids(rows: list[dict[str, Any]], event: str, **named: str) -> list[str | None]:
    """The requests that these lines name, each once."""
    found = (row.get("request_id") for row in rows if row["event"] == event and named.items() <= row.items())
    return list(dict.fromkeys(found))


def test_every_line_names_request_account_conference_and_call(two: Room, web: Web) -> None:
    """Through API, listener and worker: what the switch says of what a request asked for, and the delivery of that."""
    stack, sid = two.stack, two.conference_sid
    anna, auth = two.people["anna"].call_sid, (stack.account_sid, stack.auth_token)
    url = f"{stack.base_url}/2010-04-01/Accounts/{stack.account_sid}/Conferences/{sid}/Participants/anna.json"
    asked: dict[str, str] = {}

    def ask(what: str, callback: str, **form: str) -> None:
        answer = requests.request("POST" if form else "DELETE", url, data=form, auth=auth, timeout=5)
        assert answer.ok, answer.text
        asked[what] = answer.headers["Twilio-Request-Id"]
        two.await_event(callback)

    ask("ParticipantModified", "participant-modify", BeepOnExit="true")
    ask("ParticipantMuted", "participant-mute", Muted="true")
    ask("ParticipantUnmuted", "participant-unmute", Muted="false")
    ask("ParticipantHeld", "participant-hold", Hold="true", HoldUrl=web.url("/nowhere.xml"))
    eventually(lambda: _ids(_lines(stack, sid), "sound_failed"), "the music on hold has failed")
    ask("MemberRemoved", "participant-leave")
    two.people.pop("anna")
    created = _ids(_lines(stack, sid), "participant_created", call_sid=anna)
    delivered = {
        "participant-modify": asked["ParticipantModified"],
        "participant-mute": asked["ParticipantMuted"],
        "participant-unmute": asked["ParticipantUnmuted"],
        "participant-hold": asked["ParticipantHeld"],
        "participant-leave": asked["MemberRemoved"],
        "participant-join": created[0],
    }
    eventually(lambda: _ids(_lines(stack, sid), "callback_attempt", callback="participant-leave"), "all are in the log")
    rows = [row for row in _lines(stack, sid) if row.get("call_sid") == anna]

    assert len(created) == 1
    for what, request_id in (*asked.items(), *((what, created[0]) for what in ("CallAnswered", "MemberAdded"))):
        assert _ids(rows, "transition", what=what) == [request_id], what
    for callback, request_id in delivered.items():
        assert _ids(rows, "callback_attempt", callback=callback) == [request_id], callback
    # Whoever wakes the lane first is named: the request, or the switch, whose music has ended, which is due to none.
    assert _ids(rows, "sound_failed")[0] in (None, asked["ParticipantHeld"])
    assert {row["account_sid"] for row in rows} == {stack.account_sid}
    assert {row["process"] for row in rows} == {"api", "listen", "work"}


def test_calls_that_waited_name_their_own_requests(own_stack: Stack) -> None:
    """One worker dials both in one go, woken by one of the two."""
    stack, auth = own_stack, (own_stack.account_sid, own_stack.auth_token)
    stack.set_limits(stack.account_sid, calls_per_second=1)
    url = f"{stack.base_url}/2010-04-01/Accounts/{stack.account_sid}/Conferences/queued/Participants.json"
    asked: dict[str, str] = {}
    for number in range(3):
        settings = {"StatusCallback": stack.receiver.url(), "StatusCallbackEvent": ["initiated", "ringing", "answered"]}
        form = {"From": "+15550009999", "To": f"+1555000100{number}", **settings}
        answer = requests.post(url, data=form, auth=auth, timeout=5)
        assert answer.status_code == 201, answer.text
        asked[answer.json()["call_sid"]] = answer.headers["Twilio-Request-Id"]
        sid = answer.json()["conference_sid"]

    def has_come(call_sid: str) -> bool:
        rows = _lines(stack, sid)
        is_told = _ids(rows, "callback_attempt", call_sid=call_sid, callback="answered")
        return bool(is_told and _ids(rows, "transition", call_sid=call_sid, what="MemberAdded"))

    for call_sid in asked:
        eventually(lambda: has_come(call_sid), "it is told to have answered, and is a member")  # noqa: B023
    for call_sid, request_id in asked.items():
        rows = [row for row in _lines(stack, sid) if row.get("call_sid") == call_sid]
        assert _ids(rows, "participant_created") == _ids(rows, "callback_attempt") == [request_id]
        for what in ("CallInitiated", "CallAnswered", "MemberAdded"):
            assert _ids(rows, "transition", what=what) == [request_id], what
    queued = [row for row in _lines(stack, sid) if row["event"] == "waiting_call_dialled"]

    assert [(row["call_sid"], row["request_id"]) for row in queued] == list(asked.items())[1:]


def test_the_end_that_a_client_asked_for_names_its_request(two: Room) -> None:
    """Each leave and the conference's end, from the switch's event to their deliveries."""
    stack, sid = two.stack, two.conference_sid
    calls = {person.call_sid for person in two.people.values()}
    url = f"{stack.base_url}/2010-04-01/Accounts/{stack.account_sid}/Conferences/{sid}.json"
    answer = requests.post(url, data={"Status": "completed"}, auth=(stack.account_sid, stack.auth_token), timeout=5)
    assert answer.ok, answer.text
    ended = answer.headers["Twilio-Request-Id"]
    eventually(lambda: _ids(_lines(stack, sid), "callback_attempt", callback="conference-end"), "the end is told")
    eventually(lambda: len(_calls_ended(stack, sid)) == 2, "both calls are over")
    rows = _lines(stack, sid)

    assert _calls_ended(stack, sid) == dict.fromkeys(calls, ended)
    assert _ids(rows, "transition", what="MemberRemoved") == _ids(rows, "transition", what="CallEnded") == [ended]
    for callback in ("participant-leave", "conference-end"):
        assert _ids(rows, "callback_attempt", callback=callback) == [ended], callback


def test_a_recording_names_who_asked_for_each_of_its_steps(two: Room) -> None:
    """Of its beginning, its pause, its going on, its stop and what a worker makes of it then, and its deletion."""
    stack, auth = two.stack, (two.stack.account_sid, two.stack.auth_token)
    account = f"{stack.base_url}/2010-04-01/Accounts/{stack.account_sid}"
    asked = list[str]()

    def ask(method: str, path: str, **form: str) -> Any:
        answer = requests.request(method, f"{account}/{path}.json", data=form, auth=auth, timeout=5)
        assert answer.ok, answer.text
        asked.append(answer.headers["Twilio-Request-Id"])
        return answer.json() if answer.content else None

    def told(count: int) -> list[tuple[str, str | None]]:
        rows = [row for row in _lines(stack, two.conference_sid) if row.get("recording_sid") == sid]
        rows = [row for row in rows if row["event"] == "callback_attempt"]
        assert len(rows) >= count, rows
        return [(row["callback"], row.get("request_id")) for row in rows]

    on_call = f"Calls/{two.people['anna'].call_sid}/Recordings"
    hook = {"RecordingStatusCallback": stack.receiver.url(), "RecordingStatusCallbackEvent": " ".join(EVERY_WORD)}
    sid = ask("POST", on_call, **hook)["sid"]
    eventually(lambda: told(1), "it has begun")
    for number, status in enumerate(("paused", "in-progress", "stopped")):
        time.sleep(0.5)  # less is too short to be kept
        ask("POST", f"{on_call}/{sid}", Status=status)
        eventually(lambda: told(number + 2), status)  # noqa: B023
    finished(two, sid)
    started, paused, resumed, stopped = asked
    eventually(lambda: told(5), "it is kept")
    ask("DELETE", f"Recordings/{sid}")
    rows = [row for row in _lines(stack, two.conference_sid) if row.get("recording_sid") == sid]

    assert told(5) == [
        ("recording-in-progress", started), ("recording-paused", paused), ("recording-in-progress", resumed),
        ("recording-stopped", stopped), ("recording-completed", stopped),
    ]  # fmt: skip
    assert _ids(rows, "recording_begins") == [started]
    assert {(row["status"], row.get("request_id")) for row in rows if row["event"] == "recording"} == {
        ("paused", paused), ("in-progress", resumed), ("stopped", stopped), ("processing", stopped),
        ("completed", stopped), ("deleted", asked[-1]),
    }  # fmt: skip


def test_recordings_that_creates_asked_for_name_them(room: Room) -> None:
    """The call's and the conference's: each its own create, until it is over."""
    room.add("anna", 1, conference_record="record-from-start", **callbacks(room, "conference_recording"))
    room.add("bert", 2, record=True, **callbacks(room))
    stack, sid = room.stack, room.conference_sid

    def told() -> dict[str, list[str | None]]:
        return _by_recording(_lines(stack, sid), "callback_attempt")

    eventually(lambda: len(told()) == 2, "both are told of")
    room.end()
    created = {
        _ids(_lines(stack, sid), "participant_created", call_sid=person.call_sid)[0] for person in room.people.values()
    }
    eventually(lambda: sorted(map(len, told().values())) == [2, 3], "both are told to be kept")
    logged = _by_recording(_lines(stack, sid), "recording_begins", "recording")

    assert {tuple(set(ids)) for ids in logged.values()} == {(one,) for one in created}
    assert {of: set(ids) for of, ids in told().items()} == {of: set(ids) for of, ids in logged.items()}


def _by_recording(rows: list[dict[str, Any]], *events: str) -> dict[str, list[str | None]]:
    """RecordingSid -> the requests that its lines of these events name."""
    found = dict[str, list[str | None]]()
    for row in rows:
        if row["event"] in events and "recording_sid" in row:
            found.setdefault(row["recording_sid"], []).append(row.get("request_id"))
    return found


def _calls_ended(stack: Stack, sid: str) -> dict[str, str | None]:
    """CallSid -> the request that the last line of the call names."""
    rows = (row for row in _lines(stack, sid) if row["event"] == "call_ended")
    return {row["call_sid"]: row.get("request_id") for row in rows}
