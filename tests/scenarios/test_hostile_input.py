"""Values that mean something to FreeSWITCH, Redis, HTTP or a log, in every parameter: refused, or carried unchanged.

Never a second leg, a variable, or a command on the switch; never a 500.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
import requests

from orchestrator.dialects.twilio.schemas import CREATE, CREATE_CALLBACKS
from orchestrator.sids import channel_uuid_of
from tests.harness.freeswitch import FarEnd
from tests.harness.stack import Stack

HOSTILE = (
    "x,orchestrator_evil=1",
    "x\\,orchestrator_evil=1",
    "x}sofia/internal/+15550001000@127.0.0.1",
    "x]|sofia/internal/+15550001000@127.0.0.1",
    "+15550004000,sofia/internal/+15550001000@127.0.0.1",
    "+15550004000|sofia/internal/+15550001000@127.0.0.1",
    "sip:a@b:_:sofia/internal/+15550001000@127.0.0.1",
    "^^:a=1:orchestrator_evil=1",
    "${global_setvar(orchestrator_evil=1)}",
    "sip:${global_setvar(orchestrator_evil=1)}@b",
    "x\n\napi global_setvar orchestrator_evil=1\n\n",
    "x\r\nJob-UUID: 1\r\n",
    "x%0Aapi%20global_setvar%20orchestrator_evil=1%0A",
    "' inline set:orchestrator_evil=1",
    '"><script>alert(1)</script>',
    "sip:a@b;x=<1>?X-A=b%0d%0aEvil: 1",
    "client:x?orchestrator_evil=1,orchestrator_evil=1",
    "😀𝄞 ünïcödé",
    "\x00\x01\x1b[31m",
    "A" * 5000,
)

PARAMETERS = [*CREATE, *(f"{row.url}{part}" for row in CREATE_CALLBACKS for part in ("", "Method", "Event"))]


@pytest.fixture
def post(stack: Stack) -> Iterator[Any]:
    session = requests.Session()
    session.auth = (stack.account_sid, stack.auth_token)
    base = f"{stack.base_url}/2010-04-01/Accounts/{stack.account_sid}/Conferences"

    def send(path: str, form: dict[str, str], method: str = "POST") -> requests.Response:
        return session.request(method, f"{base}/{path}", data=form, timeout=10)

    yield send
    session.close()


def _legs(stack: Stack) -> int:
    """How many legs the switch has ever made: also one that was gone at once counts."""
    found = re.search(r"(\d+) session\(s\) since startup", stack.switch.api("status"))
    assert found is not None
    return int(found[1])


def _no_evil(stack: Stack) -> bool:
    return stack.switch.api("global_getvar orchestrator_evil").strip() != "1"


@pytest.mark.parametrize("parameter", PARAMETERS)
def test_no_parameter_reaches_into_the_switch(stack: Stack, post: Any, parameter: str) -> None:
    """Each hostile value in each parameter: 201 with one leg and no variable, or 400 that names the parameter."""
    name = f"hostile {parameter} {uuid.uuid4().hex[:6]}"
    for value in HOSTILE:
        before = _legs(stack)
        form = {"From": "+15550009999", "To": FarEnd.NEVER_ANSWERS, parameter: value}
        answer = post(f"{quote(name)}/Participants.json", form)
        assert answer.status_code in (201, 400), (value, answer.text)
        assert _no_evil(stack), value
        if answer.status_code == 400:
            assert parameter in answer.json()["message"], (value, answer.text)
            assert _legs(stack) == before, value
            continue
        body = answer.json()
        if parameter == "Label":
            assert body["label"] == value
        channel = channel_uuid_of(body["call_sid"])
        assert stack.switch.api(f"uuid_getvar {channel} orchestrator_evil").strip() in (
            "_undef_",
            "-ERR No such channel!",
        )
        assert _legs(stack) == before + 1, value
        assert post(f"{body['conference_sid']}/Participants/{body['call_sid']}.json", {}, "DELETE").status_code == 204


def test_hostile_names_of_conferences_and_people_are_carried_unchanged(stack: Stack, post: Any) -> None:
    """A FriendlyName and a Label may be any text of 1 to 128 characters; they come back as they went."""
    for value in HOSTILE:
        if not 0 < len(value.strip()) <= 128 or "/" in value or "\x00" in value:
            continue
        answer = post(
            f"{quote(value, safe='')}/Participants.json",
            {"From": "+15550009999", "To": FarEnd.NEVER_ANSWERS, "Label": value},
        )
        assert answer.status_code == 201, (value, answer.text)
        sid = answer.json()["conference_sid"]
        label = quote(value, safe="")
        fetched = post(f"{sid}/Participants/{label}.json", {}, "GET")
        conference = post(f"{sid}.json", {}, "GET").json()

        assert (fetched.status_code, fetched.json()["label"]) == (200, value)
        assert conference["friendly_name"] == value.strip()
        assert post(f"{sid}/Participants/{label}.json", {}, "DELETE").status_code == 204
    assert _no_evil(stack)


@pytest.mark.parametrize(
    "to", ["sip:alice@{domain}", "sip:alice@{domain};transport=udp", "client:alice", "+15550001000"]
)
def test_every_kind_of_address_is_dialled(stack: Stack, to: str) -> None:
    """Phone numbers, SIP addresses and clients, each by its route."""
    to = to.replace("{domain}", stack.switch.sip_domain)
    participant = (
        stack.client().conferences(f"kinds {uuid.uuid4().hex}").participants.create(to=to, **stack.call_settings())
    )

    assert stack.receiver.await_kind(participant.conference_sid, "participant-join")
    stack.client().conferences(participant.conference_sid).update(status="completed")
