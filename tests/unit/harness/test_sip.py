"""The SIP endpoint and the RTP port of the tests, each against another of its kind."""

from __future__ import annotations

import pytest

from tests.harness.polling import eventually
from tests.harness.rtp import EXPANDED, RtpPort, tone_frames
from tests.harness.sip import Agent, Message, Reply, answers, media_of, parse, sdp
from tests.harness.sound import level


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_call_between_two(transport: str) -> None:
    """INVITE, 200 with SDP, ACK; then whatever either says in it, also from another endpoint."""
    with (
        Agent(answers("127.0.0.1", 4000), transport=transport) as callee,
        Agent(transport=transport) as caller,
        Agent(transport=transport, host="127.0.0.2") as other,
    ):
        target = (callee.host, callee.port)
        answer = caller.ask(target, "INVITE", callee.uri, body=sdp("127.0.0.1", 5000))
        assert answer is not None
        eventually(lambda: [one.method for one in callee.requests] == ["INVITE", "ACK"], "it is acknowledged")
        declined = callee.dialog().request(other, "BYE")

        assert (answer.status, media_of(answer)) == (200, ("127.0.0.1", 4000))
        assert media_of(callee.requests[0]) == ("127.0.0.1", 5000)
        assert declined.status == 603  # what the caller answers to everything
        assert [one.method for one in caller.requests] == ["BYE"]


def test_what_is_answered_is_the_tests_business() -> None:
    """Any status, any header; several INVITEs are counted, one sent twice is one."""

    def redirect(request: Message) -> list[Reply]:
        return [Reply(100), Reply(302, {"Contact": "<sip:x@127.0.0.1:9>"})] if request.method == "INVITE" else []

    with Agent(redirect) as callee, Agent() as caller:
        target = (callee.host, callee.port)
        found = [caller.ask(target, "INVITE") for _ in range(2)]
        assert caller.ask(target, "OPTIONS", seconds=0.1) is None
        first = callee.requests[0]
        caller.send(target, f"INVITE x SIP/2.0\r\nVia: {first.header('via')}\r\n\r\n".encode())
        eventually(lambda: len([one for one in callee.requests if one.method == "INVITE"]) == 3, "the third has come")

        assert [one.header("contact") for one in found if one is not None] == ["<sip:x@127.0.0.1:9>"] * 2
        assert callee.count("INVITE") == 2


def test_compact_headers_are_read() -> None:
    """As some phones write them."""
    message = parse(b"SIP/2.0 200 OK\r\nv: SIP/2.0/UDP x\r\ni : 7\r\nl:0\r\n\r\n", ("127.0.0.1", 5060))

    assert (message.status, message.header("Via"), message.header("Call-ID")) == (200, "SIP/2.0/UDP x", "7")


def test_a_tone_arrives_as_loud_as_it_was_sent() -> None:
    """PCMU there and back; whence each packet came is known."""
    with RtpPort() as ear, RtpPort("127.0.0.2") as mouth:
        mouth.speak([(ear.host, ear.port)], 1000, 0.2)
        eventually(lambda: len(ear.packets) == 10, "all packets have come")

        assert {source for source, _ in ear.packets} == {("127.0.0.2", mouth.port)}
        assert abs(level(ear.samples(), 1000) + 10) < 0.5
        assert mouth.packet_count == 0


def test_what_is_no_rtp_is_counted_and_not_heard() -> None:
    """A packet is a packet, for who must get none."""
    with RtpPort() as ear, RtpPort() as mouth:
        mouth._socket.sendto(b"hello", (ear.host, ear.port))
        eventually(lambda: ear.packet_count == 1, "it has come")

        assert ear.packets == []


def test_mu_law() -> None:
    """Values of ITU-T G.711, table 2a; and a second of tone is 50 frames of 20 ms."""
    assert [EXPANDED[code] for code in (0x00, 0x7F, 0x80, 0xFF)] == [-32124, 0, 32124, 0]
    assert [len(frame) for frame in tone_frames(1000)] == [160] * 50
