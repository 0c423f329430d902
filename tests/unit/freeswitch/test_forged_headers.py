"""Whoever can send one SIP packet tries to forge an event, on a real FreeSWITCH."""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Iterator

import pytest

from orchestrator.freeswitch.client import EventSocket, parse_headers
from orchestrator.freeswitch.events import translate_event
from orchestrator.listener.batch import parse_event
from tests.harness.freeswitch import FreeSwitch, find_freeswitch
from tests.unit.fake_esl import settled

VICTIM = "CF" + "d" * 32
_ACTION = f"\nAction: conference-destroy\nConference-Name: {VICTIM}\nvariable_orchestrator_conference_sid: {VICTIM}"


def _percent(text: str) -> str:
    return "".join(
        character if character.isalnum() or character == "-" else f"%{ord(character):02X}" for character in text
    )


ENCODED = {"once": _percent(_ACTION), "twice": _percent(_ACTION).replace("%", "%25"), "crlf": "%0D" + _percent(_ACTION)}


@pytest.fixture(scope="module")
def switch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FreeSwitch]:
    if find_freeswitch() is None:
        if os.environ.get("REQUIRE_FREESWITCH"):
            pytest.fail("no FreeSWITCH: set FREESWITCH_BIN or put freeswitch on PATH", pytrace=False)
        pytest.skip("no FreeSWITCH: set FREESWITCH_BIN or put freeswitch on PATH")
    running = FreeSwitch(tmp_path_factory.mktemp("node"))
    running.start()
    yield running
    running.kill_9()


@pytest.fixture(params=["json", "plain"])
def events(switch: FreeSwitch, request: pytest.FixtureRequest) -> Iterator[list[dict[str, str]]]:
    """The headers of every event of the switch, as JSON (what we ask for), or as plain text (what greenswitch did)."""
    found: list[dict[str, str]] = []
    connection = EventSocket(
        "127.0.0.1", switch.esl_port, switch.password, lambda body: found.append(parse_event(body))
    )
    if request.param == "plain":

        def dispatch(headers: dict[str, str], body: bytes) -> None:
            if headers.get("Content-Type") == "text/event-plain":
                found.append(parse_headers(body))
            else:
                EventSocket._dispatch(connection, headers, body)

        connection._dispatch = dispatch  # type: ignore[method-assign,assignment]  # a tap for this test
    connection.connect()
    connection.command(f"event {request.param} ALL")
    yield found
    connection.close()


def _invite(switch: FreeSwitch, user: str, display_name: str) -> str:
    """One UDP packet, no credentials; returns its Call-ID."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.bind(("127.0.0.1", 0))
        port, call_id = phone.getsockname()[1], uuid.uuid4().hex
        body = (
            f"v=0\r\no=x 1 1 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
            f"m=audio {port} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
        )
        lines = [
            f"INVITE sip:{user}@{switch.sip_host} SIP/2.0",
            f"Via: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK{call_id}",
            "Max-Forwards: 70",
            f'From: "{display_name}" <sip:{user}@127.0.0.1:{port}>;tag={call_id[:8]}',
            f"To: <sip:{user}@{switch.sip_host}>",
            f"Call-ID: {call_id}",
            "CSeq: 1 INVITE",
            f"Contact: <sip:x@127.0.0.1:{port}>",
            f"X-Forged: {display_name}",
            "Content-Type: application/sdp",
            f"Content-Length: {len(body)}",
            "",
            body,
        ]
        phone.sendto("\r\n".join(lines).encode(), ("127.0.0.1", switch.sip_port))
        return call_id


@pytest.mark.parametrize("encoding", ENCODED)
def test_a_sip_invite_forges_no_header(switch: FreeSwitch, events: list[dict[str, str]], encoding: str) -> None:
    """The dialled user and the display name hold encoded line breaks: they stay inside their own values."""
    forged = ENCODED[encoding]
    call_id = _invite(switch, f"x{forged}@x", f"name{forged}")

    def of_this_call(name: str) -> list[dict[str, str]]:
        return [e for e in events if e.get("Event-Name") == name and e.get("variable_sip_call_id") == call_id]

    settled(lambda: of_this_call("CHANNEL_HANGUP_COMPLETE"), "the call has come and gone")
    ours = [headers for headers in events if call_id in headers.values()]

    assert any("conference-destroy" in value for headers in ours for value in headers.values()), "the attack arrived"
    for headers in events:
        assert headers.get("Action") != "conference-destroy"
        assert headers.get("Conference-Name") != VICTIM
        assert headers.get("variable_orchestrator_conference_sid") != VICTIM
        translated = translate_event(headers)
        assert translated is None or translated.conference_sid != VICTIM
    # Inbound legs are nobody's participants: what they do is translated into nothing that has a conference.
    assert all(t.conference_sid is None for headers in ours if (t := translate_event(headers)) is not None)
