"""Nobody whom we call decides whom we call next: not by a redirect, a transfer, or a Contact of somebody else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pytest

from orchestrator.sids import channel_uuid_of
from tests.harness.freeswitch import FarEnd
from tests.harness.room import Room
from tests.harness.rtp import RtpPort
from tests.harness.sip import Agent, Message, Reply, answers
from tests.harness.stack import RealSwitch, Stack

ELSEWHERE = "127.0.0.9"


@pytest.fixture
def node(stack: Stack) -> RealSwitch:
    if not isinstance(stack.switch, RealSwitch):
        pytest.skip("the sandbox has no SIP")
    return stack.switch


@pytest.fixture(params=["udp", "tcp"])
def elsewhere(request: pytest.FixtureRequest) -> Iterator[Agent]:
    """Whom nobody has asked us to call."""
    with Agent(host=ELSEWHERE, transport=request.param) as agent:
        yield agent


def call(stack: Stack, to: str) -> tuple[str, Mapping[str, str], list[str]]:
    """Dial somebody who does not answer: CallSid, the last callback of the call, what the conference was told."""
    settings = stack.call_settings(conference_status_callback_event=["start", "end", "join", "leave"])
    made = stack.client().conferences(f"redirect {to}").participants.create(to=to, **settings)
    stack.receiver.await_kind(made.conference_sid, "conference-end")
    (completed,) = stack.receiver.await_kind(made.call_sid, "call failed")
    return made.call_sid, completed.parameters, stack.receiver.kinds(made.conference_sid)


def test_a_phone_that_redirects_is_a_call_that_fails(stack: Stack) -> None:
    """302, to a phone that would answer at once: nobody joins, and the app reads the far end's own status."""
    _, completed, told = call(stack, FarEnd.REDIRECTS)

    assert completed["SipResponseCode"] == "302"
    assert told == ["participant-leave", "conference-end"]


@pytest.mark.parametrize("status", [300, 301, 302, 305, 380])
def test_no_redirect_is_followed(stack: Stack, node: RealSwitch, elsewhere: Agent, status: int) -> None:
    """One INVITE to the one who was dialled, none to whomever it names, itself included."""

    def redirect(request: Message) -> Sequence[Reply]:
        contacts = f"<{elsewhere.uri}>, <{phone.uri}>, <sip:x@{node.sip_host}>"
        return [Reply(status, {"Contact": contacts})] if request.method == "INVITE" else []

    with Agent(redirect) as phone:
        _, completed, _ = call(stack, phone.uri)

        assert (phone.count("INVITE"), elsewhere.count("INVITE")) == (1, 0)
    assert completed["SipResponseCode"] == str(status)


def test_no_transfer_is_obeyed(room: Room, node: RealSwitch, elsewhere: Agent) -> None:
    """REFER inside the call, plain, with Replaces of another participant, or with a method: refused, and the call goes
    on."""
    anna = room.add("anna", 1)
    room.add("bert", 2)
    call_id = node.api(f"uuid_getvar {channel_uuid_of(anna.call_sid)} sip_call_id").strip()
    targets = (
        f"<{elsewhere.uri}>",
        f"<{elsewhere.uri}?Replaces={call_id}%3Bto-tag%3Da%3Bfrom-tag%3Db>",
        f"<sip:x@{node.sip_host}?Replaces={channel_uuid_of(anna.call_sid)}%3Bto-tag%3Da%3Bfrom-tag%3Db>",
        f"<{elsewhere.uri};method=BYE>",
    )
    with RtpPort() as ear, Agent(answers(ear.host, ear.port)) as phone:
        room.add("gina", 7, to=phone.uri)
        dialog = phone.dialog()
        found = [dialog.request(phone, "REFER", {"Refer-To": target}).status for target in targets]
        dialog.request(phone, "NOTIFY", {"Event": "refer", "Subscription-State": "active"})

        assert all(status >= 400 for status in found), found
        assert elsewhere.requests == []
        assert [one.method for one in phone.requests] == ["INVITE", "ACK"]
        room.remove("gina")
    room.expect("after REFERs", anna="bert", bert="anna")


def test_a_redirect_inside_a_call_is_not_followed(room: Room, node: RealSwitch, elsewhere: Agent) -> None:
    """302 to a re-INVITE of ours."""
    with RtpPort() as ear:

        def answer(request: Message) -> Sequence[Reply]:
            if request.method == "INVITE" and "tag=" in request.header("to"):
                return [Reply(302, {"Contact": f"<{elsewhere.uri}>"})]
            return answers(ear.host, ear.port)(request)

        with Agent(answer) as phone:
            gina = room.add("gina", 7, to=phone.uri)
            node.api(f"uuid_media_reneg {channel_uuid_of(gina.call_sid)}")
            room.stack.receiver.await_kind(gina.call_sid, "call completed")

            assert (phone.count("INVITE"), elsewhere.requests) == (2, [])


def test_a_contact_of_somebody_else_is_not_called(room: Room, node: RealSwitch, elsewhere: Agent) -> None:
    """What belongs to the call goes where the call went: the answer's Contact, and its Record-Route, name another."""
    with RtpPort() as ear:

        def answer(request: Message) -> Sequence[Reply]:
            named = {"Contact": f"<{elsewhere.uri}>", "Record-Route": f"<sip:{elsewhere.address};lr>"}
            return [
                Reply(one.status, {**one.headers, **named}, one.body) for one in answers(ear.host, ear.port)(request)
            ]

        with Agent(answer) as phone:
            room.add("gina", 7, to=phone.uri)
            room.remove("gina")
            room.await_event("participant-leave")

            assert elsewhere.requests == []
