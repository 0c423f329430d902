"""RTP comes from whom we have called and from nobody else, and goes nowhere that policy does not name."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import pytest

from orchestrator.sids import channel_uuid_of
from tests.harness.ears import Ears
from tests.harness.polling import eventually
from tests.harness.room import Room
from tests.harness.rtp import RtpPort
from tests.harness.sip import Agent, Answer, Message, Reply, answers, sdp
from tests.harness.sound import HEARD_DBFS, NOTHING_DBFS, SILENT_DBFS, level
from tests.harness.stack import RealSwitch, Stack

STRANGER_HZ: Final = 2200
THIRD: Final = "127.0.0.7"
SENT: Final = {"Content-Type": "application/sdp"}


@pytest.fixture
def node(room: Room) -> RealSwitch:
    if not isinstance(room.stack.switch, RealSwitch):
        pytest.skip("the sandbox has no RTP")
    return room.stack.switch


def heard(port: RtpPort, hz: int) -> float:
    """A tone in the last half second of RTP."""
    samples = port.samples(max(0, len(port.packets) - 25))
    return level(samples, hz) if len(samples) >= 160 else NOTHING_DBFS


# ---------------------------------------------------------------- from whom


def test_a_spray_is_neither_heard_nor_hears(room: Room, node: RealSwitch) -> None:
    """Somebody sends RTP to every port of the switch while a phone is silent, as one on mute is: its call is not taken
    over. The room hears nothing of it, it gets no packet, and the phone goes on hearing the room."""
    room.add("anna", 1)
    room.add("bert", 2)
    with RtpPort() as ear, RtpPort(THIRD) as sprayer, Agent(answers(ear.host, ear.port)) as phone:
        room.add("gina", 7, to=phone.uri)
        eventually(lambda: heard(ear, 1100) > HEARD_DBFS, "the phone hears anna")
        ports = [("127.0.0.1", port) for port in node.rtp_ports if port % 2 == 0]
        far_end = Ears(node.far_end, [room.people["anna"].number, room.people["bert"].number])
        found = far_end.listen([STRANGER_HZ], 1.0, 0.2, lambda: sprayer.speak(ports, STRANGER_HZ, 0.8))

        assert {number: heard[STRANGER_HZ] < SILENT_DBFS for number, heard in found.items()} == dict.fromkeys(
            found, True
        )
        assert sprayer.packet_count == 0
        eventually(lambda: heard(ear, 1100) > HEARD_DBFS, "the phone still hears anna")
        room.remove("gina")
    room.expect("after a spray of RTP", anna="bert", bert="anna")


def test_a_phone_is_heard(room: Room, node: RealSwitch) -> None:
    """RTP from the address that the phone has named."""
    room.add("anna", 1)
    with RtpPort() as ear, Agent(answers(ear.host, ear.port)) as phone:
        room.add("gina", 7, to=phone.uri)
        uri = phone.dialog().invite
        far_end = Ears(node.far_end, [room.people["anna"].number])
        found = far_end.listen([STRANGER_HZ], 1.0, 0.2, lambda: ear.speak([media(uri)], STRANGER_HZ, 1.2))

        assert found[room.people["anna"].number][STRANGER_HZ] > HEARD_DBFS
        room.remove("gina")


def media(invite: Message) -> tuple[str, int]:
    """Where the switch takes RTP, by its offer."""
    return "127.0.0.1", int(invite.body.partition("m=audio ")[2].split()[0])


# ---------------------------------------------------------------- where to

Said = Callable[[RtpPort, RtpPort], Answer]


def body(good: RtpPort, bad: RtpPort, *media_lines: str, session: str = "") -> Answer:
    """200 with an SDP of these media lines."""
    lines = ["v=0", f"o=- 1 1 IN IP4 {good.host}", "s=-", *([session] if session else []), "t=0 0", *media_lines]
    text = "".join(f"{line}\r\n" for line in lines)
    return lambda request: [Reply(200, SENT, text)] if request.method == "INVITE" else [Reply(200)]


def first_then(first: RtpPort, second: RtpPort) -> Answer:
    """183 with one address, 200 with the other."""

    def answer(request: Message) -> Sequence[Reply]:
        if request.method != "INVITE":
            return [Reply(200)]
        return [Reply(183, SENT, sdp(first.host, first.port)), Reply(200, SENT, sdp(second.host, second.port))]

    return answer


def moving_early(first: RtpPort, second: RtpPort) -> Answer:
    """183 with one address, then with the other, 200 with the first."""
    said = [(183, first), (183, second), (200, first)]

    def answer(request: Message) -> Sequence[Reply]:
        if request.method != "INVITE":
            return [Reply(200)]
        return [Reply(status, SENT, sdp(port.host, port.port)) for status, port in said]

    return answer


ANSWERS: Final[dict[str, Said]] = {
    "a third host": lambda good, bad: answers(bad.host, bad.port),
    "a third host for the stream": lambda good, bad: body(
        good, bad, f"m=audio {bad.port} RTP/AVP 0", f"c=IN IP4 {bad.host}", session=f"c=IN IP4 {good.host}"
    ),
    "a third host for the first of two streams": lambda good, bad: body(
        good,
        bad,
        *(f"m=audio {bad.port} RTP/AVP 0", f"c=IN IP4 {bad.host}"),
        *(f"m=audio {good.port} RTP/AVP 0", f"c=IN IP4 {good.host}"),
    ),
    "early media elsewhere": lambda good, bad: first_then(bad, good),
    "early media that moves": moving_early,
    "a name": lambda good, bad: answers("localhost", good.port),
    "0.0.0.0": lambda good, bad: answers("0.0.0.0", good.port),  # noqa: S104 -- said, not bound to
    "multicast": lambda good, bad: answers("224.0.0.251", good.port),
}


@pytest.mark.parametrize("kind", ANSWERS)
def test_an_answer_that_names_a_third_host_ends_the_call(room: Room, node: RealSwitch, kind: str) -> None:
    """No packet goes there; the app is told that the call is over, and the switch's log names the address."""
    with RtpPort() as good, RtpPort(THIRD) as bad, Agent(ANSWERS[kind](good, bad)) as phone:
        settings = room.stack.call_settings(to=phone.uri, early_media=True)
        made = room.stack.client().conferences(f"third host {kind}").participants.create(**settings)
        room.stack.receiver.await_kind(made.conference_sid, "conference-end")

        assert bad.packet_count == 0
        assert good.packet_count == 0
    uuid = channel_uuid_of(made.call_sid)
    eventually(lambda: re.search(f"{uuid} .*RTP to .* is not allowed", node.log_path.read_text()), "the log says so")


def test_an_answer_cannot_move_early_media(room: Room, node: RealSwitch) -> None:
    """200 with another host than that of the 183: RTP stays where it was."""
    room.add("anna", 1)
    with RtpPort() as good, RtpPort(THIRD) as bad, Agent(first_then(good, bad)) as phone:
        room.add("gina", 7, to=phone.uri)
        eventually(lambda: heard(good, 1100) > HEARD_DBFS, "the phone hears anna where it was first")

        assert bad.packet_count == 0
        room.remove("gina")


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_a_call_cannot_be_moved_to_a_third_host(room: Room, node: RealSwitch, method: str) -> None:
    """By a re-INVITE, or an UPDATE with SDP: the call ends, and no packet goes there."""
    with RtpPort() as good, RtpPort(THIRD) as bad, Agent(answers(good.host, good.port)) as phone:
        gina = room.add("gina", 7, to=phone.uri)
        eventually(lambda: good.packet_count, "the phone gets RTP")
        phone.dialog().request(phone, method, body=sdp(bad.host, bad.port))
        room.stack.receiver.await_kind(gina.call_sid, "call completed")

        assert bad.packet_count == 0


def test_an_offer_that_we_make_cannot_be_answered_with_a_third_host(room: Room, node: RealSwitch) -> None:
    """In the ACK of a re-INVITE without SDP: the call ends, and no packet goes there."""
    with RtpPort() as good, RtpPort(THIRD) as bad, Agent(answers(good.host, good.port)) as phone:
        gina = room.add("gina", 7, to=phone.uri)
        eventually(lambda: good.packet_count, "the phone gets RTP")
        phone.dialog().request(phone, "INVITE", acknowledged_by=sdp(bad.host, bad.port))
        room.stack.receiver.await_kind(gina.call_sid, "call completed")

        assert bad.packet_count == 0


def test_a_re_invite_of_ours_cannot_be_answered_with_a_third_host(room: Room, node: RealSwitch) -> None:
    """As the switch sends one to keep a call up: the call ends, and no packet goes there."""
    with RtpPort() as good, RtpPort(THIRD) as bad:

        def answer(request: Message) -> Sequence[Reply]:
            port = bad if "tag=" in request.header("to") else good
            return answers(port.host, port.port)(request)

        with Agent(answer) as phone:
            gina = room.add("gina", 7, to=phone.uri)
            eventually(lambda: good.packet_count, "the phone gets RTP")
            node.api(f"uuid_media_reneg {channel_uuid_of(gina.call_sid)}")
            room.stack.receiver.await_kind(gina.call_sid, "call completed")

            assert bad.packet_count == 0


ELSEWHERE: Final[dict[str, Callable[[RtpPort], tuple[str, ...]]]] = {
    "ICE candidates": lambda bad: (
        "a=ice-ufrag:abcd",
        "a=ice-pwd:abcdefghijklmnopqrstuvwx",
        f"a=candidate:1 1 udp 2130706431 {bad.host} {bad.port} typ host",
        f"a=candidate:1 2 udp 2130706431 {bad.host} {bad.port} typ host",
    ),
    "RTCP": lambda bad: (f"a=rtcp:{bad.port} IN IP4 {bad.host}",),
    "video": lambda bad: (f"m=video {bad.port} RTP/AVP 96", f"c=IN IP4 {bad.host}", "a=rtpmap:96 VP8/90000"),
    "fax": lambda bad: (f"m=image {bad.port} udptl t38", f"c=IN IP4 {bad.host}", "a=T38FaxVersion:0"),
    "text": lambda bad: (f"m=text {bad.port} RTP/AVP 98", f"c=IN IP4 {bad.host}", "a=rtpmap:98 t140/1000"),
}
"""What else an SDP can name, and so where else packets could go."""

ENDS: Final = {"answer": ("ICE candidates", "text"), "re-INVITE": ()}
STALLS: Final = {"answer": ("fax",), "re-INVITE": ("ICE candidates",)}
"""What ends a call, being no answer to what we have offered; and what stops our RTP, in a re-INVITE with 488."""

PACKETS: Final = {("text", "answer"): 1}
"""FreeSWITCH opens a stream of text with a packet before it asks us; then the call ends. Of all others none."""


@pytest.mark.parametrize("kind", ELSEWHERE)
@pytest.mark.parametrize("when", ["answer", "re-INVITE"])
def test_what_else_an_sdp_can_name_gets_nothing(room: Room, node: RealSwitch, kind: str, when: str) -> None:
    """In the answer, or in a re-INVITE: passed over, or the end of the call."""
    with RtpPort() as good, RtpPort(THIRD) as bad:
        said = ELSEWHERE[kind](bad)
        with Agent(answers(good.host, good.port, *(said if when == "answer" else ()))) as phone:
            settings = room.stack.call_settings(to=phone.uri, early_media=False)
            made = room.stack.client().conferences(f"{kind} in {when}").participants.create(**settings)
            eventually(lambda: phone.dialogs, "the phone has answered")
            if when == "re-INVITE":
                room.stack.receiver.await_kind(made.conference_sid, "participant-join")
                phone.dialog().request(phone, "INVITE", body=sdp(good.host, good.port, *said))
            if kind in ENDS[when]:
                room.stack.receiver.await_kind(made.conference_sid, "conference-end")
            else:
                before = good.packet_count
                eventually(lambda: good.packet_count > before + 25 or kind in STALLS[when], "RTP goes on")
            room.stack.client().conferences(made.conference_sid).update(status="completed")

        assert bad.packet_count <= PACKETS.get((kind, when), 0)


def test_a_far_end_may_hold_its_call(room: Room, node: RealSwitch) -> None:
    """a=sendonly, and RFC 2543's 0.0.0.0: no RTP, and the call goes on when it is taken back."""
    room.add("anna", 1)
    with RtpPort() as ear, Agent(answers(ear.host, ear.port)) as phone:
        room.add("gina", 7, to=phone.uri)
        for held in (sdp(ear.host, ear.port, "a=sendonly"), sdp("0.0.0.0", ear.port)):  # noqa: S104 -- said
            phone.dialog().request(phone, "INVITE", body=held)
            heard_before = len(ear.packets)
            phone.dialog().request(phone, "OPTIONS")
            phone.dialog().request(phone, "INVITE", body=sdp(ear.host, ear.port))
            resumed = len(ear.packets)
            eventually(lambda resumed=resumed: len(ear.packets) > resumed + 25, "RTP is back")  # type: ignore[misc]

            assert resumed - heard_before <= 2, "RTP while on hold"
        assert heard(ear, 1100) > HEARD_DBFS
        room.remove("gina")


# ---------------------------------------------------------------- what operators may allow


class Lenient(RealSwitch):
    """A node whose operator has listed networks for RTP."""

    def environment(self) -> dict[str, str]:
        return super().environment() | {"FREESWITCH_RTP_NETWORKS": f"10.0.0.0/8,{THIRD}/32"}


def test_check_says_that_a_carriers_gateways_have_to_be_listed(room: Room, node: RealSwitch) -> None:
    """None is, as shipped."""
    assert "belong into FREESWITCH_RTP_NETWORKS" in room.stack.orchestrator("check")


def test_listed_networks_get_rtp(switch_name: str, tmp_path: Path) -> None:
    """A carrier's media gateway that is another host than its proxy; one that is not listed is still refused."""
    if switch_name == "sandbox":
        pytest.skip("the sandbox has no RTP")
    stack = Stack(Lenient(tmp_path / "switch"), tmp_path)
    try:
        stack.start()
        assert f"and to 10.0.0.0/8,{THIRD}/32" in stack.orchestrator("check")
        room = Room(stack)
        room.add("anna", 1)
        with RtpPort(THIRD) as listed, Agent(answers(listed.host, listed.port)) as phone:
            room.add("gina", 7, to=phone.uri)
            eventually(lambda: heard(listed, 1100) > HEARD_DBFS, "the phone hears anna at the listed address")
        with RtpPort("127.0.0.8") as other, Agent(answers(other.host, other.port)) as phone:
            made = room.conference.participants.create(**stack.call_settings(to=phone.uri, early_media=False))
            stack.receiver.await_kind(made.call_sid, "call completed")

            assert other.packet_count == 0
    finally:
        stack.stop()


def test_a_route_behind_nat_is_heard_from_wherever_it_sends(own_stack: Stack) -> None:
    """NAT_ROUTES=sip: the phone's SDP names an address at which nobody is, and its RTP comes from another."""
    if not isinstance(own_stack.switch, RealSwitch):
        pytest.skip("the sandbox has no RTP")
    own_stack.api.kill_9()
    own_stack.environment["NAT_ROUTES"] = "sip"
    own_stack.api.start()
    own_stack.await_ready()
    room = Room(own_stack)
    room.add("anna", 1)
    with RtpPort(THIRD) as outside, Agent(answers("127.0.0.8", 9)) as phone:
        room.add("gina", 7, to=phone.uri)
        far_end = Ears(own_stack.switch.far_end, [room.people["anna"].number])
        target = media(phone.dialog().invite)
        found = far_end.listen([STRANGER_HZ], 1.0, 0.2, lambda: outside.speak([target], STRANGER_HZ, 1.4))

        assert found[room.people["anna"].number][STRANGER_HZ] > HEARD_DBFS
        eventually(lambda: heard(outside, 1100) > HEARD_DBFS, "the phone hears anna")
