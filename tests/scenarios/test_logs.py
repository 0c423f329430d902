"""Who supports a client finds by the name of a request all that came of it, and by a call all that happened to it."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from tests.harness.polling import eventually
from tests.harness.room import Room
from tests.harness.stack import Process
from tests.harness.web import Web


@pytest.fixture
def two(room: Room) -> Room:
    room.add("anna", 1)
    room.add("bert", 2)
    return room


def _lines(*processes: Process) -> list[dict[str, Any]]:
    """What they have said that is about a conference."""
    texts = [line for process in processes for line in process.log().splitlines() if '"conference_sid"' in line]
    return [json.loads(text) for text in texts]


def test_every_line_names_request_account_conference_and_call(two: Room, web: Web) -> None:
    """Through API, listener and worker; the delivery of what a request made so by itself carries that request, too."""
    stack, sid = two.stack, two.conference_sid
    anna, auth = two.people["anna"].call_sid, (stack.account_sid, stack.auth_token)
    url = f"{stack.base_url}/2010-04-01/Accounts/{stack.account_sid}/Conferences/{sid}/Participants/anna.json"
    modified = requests.post(url, data={"EndConferenceOnExit": "true"}, auth=auth, timeout=5)
    held = requests.post(url, data={"Hold": "true", "HoldUrl": web.url("/nowhere.xml")}, auth=auth, timeout=5)
    names = {"account_sid": stack.account_sid, "conference_sid": sid, "call_sid": anna}

    def find(event: str, *processes: Process) -> list[dict[str, Any]]:
        return [row for row in _lines(*processes) if row["event"] == event and row["conference_sid"] == sid]

    eventually(lambda: find("sound_failed", *stack.workers), "the music on hold has failed")
    (failed,) = find("sound_failed", *stack.workers)
    assert failed.items() >= names.items()
    # Whoever wakes the lane first is named: the request, or the switch's event of the hold, which is due to none.
    assert failed.get("request_id") in (None, held.headers["Twilio-Request-Id"])
    two.await_event("participant-modify")
    eventually(
        lambda: [row for row in find("callback_attempt", *stack.workers) if row["callback"] == "participant-modify"],
        "its delivery is in the log",
    )
    attempts = find("callback_attempt", *stack.workers)
    (told,) = [row for row in attempts if row["callback"] == "participant-modify"]
    assert told.items() >= {**names, "request_id": modified.headers["Twilio-Request-Id"]}.items()
    assert not [row for row in attempts if row["callback"] == "participant-join" and "request_id" in row]
    created = find("participant_created", stack.api)
    assert [row["request_id"][:2] for row in created] == ["RQ"] * 2
    seen = [*created, *find("transition", stack.listener), *attempts]
    assert all(row["account_sid"] == stack.account_sid for row in seen)
    assert anna in {row["call_sid"] for row in find("transition", stack.listener)}
    assert {row["process"] for row in seen} == {"api", "listen", "work"}
