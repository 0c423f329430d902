"""Whoever can send a packet to the switch's SIP port and is nobody that it knows: refused, whatever is asked."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from orchestrator.sids import channel_uuid_of
from tests.harness.freeswitch import FreeSwitch
from tests.harness.polling import eventually
from tests.harness.room import Room
from tests.harness.rtp import RtpPort
from tests.harness.sip import Agent, answers, sdp
from tests.harness.sound import NOTHING_DBFS, level
from tests.harness.stack import RealSwitch

REFUSED = range(400, 700)


@pytest.fixture
def node(room: Room) -> RealSwitch:
    """The switch under attack."""
    if not isinstance(room.stack.switch, RealSwitch):
        pytest.skip("the sandbox has no SIP")
    return room.stack.switch


@pytest.fixture(params=["udp", "tcp"])
def stranger(request: pytest.FixtureRequest) -> Iterator[Agent]:
    with Agent(transport=request.param) as agent:
        yield agent


def two(room: Room) -> None:
    room.add("anna", 1)
    room.add("bert", 2)
    room.expect("before strangers come", anna="bert", bert="anna")


def test_no_call_of_a_stranger_gets_in(room: Room, node: RealSwitch, stranger: Agent) -> None:
    """An INVITE of theirs is refused with 403 before anything in it is obeyed: with Replaces they would take the place
    of a participant, or stay with one for as long as they like. The room hears nothing of them, nor they of it."""
    two(room)
    uuid = channel_uuid_of(room.people["anna"].call_sid)
    call_id = node.api(f"uuid_getvar {uuid} sip_call_id").strip()
    tags = "to-tag=a;from-tag=b"
    kinds: dict[str, dict[str, str]] = {
        "plain": {},
        "Replaces the channel": {"Replaces": f"{uuid};{tags}"},
        "Replaces the channel, early only": {"Replaces": f"{uuid};{tags};early-only"},
        "Replaces the Call-ID": {"Replaces": f"{call_id};{tags}"},
        "Replaces, a-leg": {"Replaces": f"{uuid};{tags};a-leg=true"},
        "Joins": {"Join": f"{call_id};{tags}"},
        "answers itself": {"Call-Info": "<sip:x@127.0.0.1>;answer-after=0", "Alert-Info": "<http://x>;info=alert-autoanswer"},
        "is referred": {"Referred-By": f"<sip:mod_sofia@{node.sip_host}>", "Refer-Sub": "false"},
        "claims to come from a trusted proxy": {"X-AUTH-IP": "127.0.0.1", "X-AUTH-PORT": "5060"},
    }  # fmt: skip
    with RtpPort() as ear:
        for kind, headers in kinds.items():
            found = stranger.ask(("127.0.0.1", node.sip_port), "INVITE", "", headers, sdp(ear.host, ear.port))
            assert found is not None, kind
            assert found.status == 403, (kind, found.first_line)
        room.expect("nine kinds of strangers' INVITEs", anna="bert", bert="anna")

        assert ear.packet_count == 0
    assert node.channel_count() == 2


def test_nothing_else_of_a_stranger_does_anything(room: Room, node: RealSwitch, stranger: Agent) -> None:
    """Every other method is refused, or answered without effect (OPTIONS; INFO outside a call changes nothing)."""
    two(room)
    events = {"Event": "presence", "Subscription-State": "active", "Expires": "60"}
    kinds: dict[str, dict[str, str]] = {
        "REFER": {"Refer-To": f"<sip:agent@{stranger.address}>"},
        "SUBSCRIBE": events,
        "PUBLISH": events,
        "NOTIFY": events,
        "REGISTER": {"Expires": "60"},
        "MESSAGE": {"Content-Type": "text/plain"},
        "UPDATE": {},
        "PRACK": {"RAck": "1 1 INVITE"},
        "BYE": {},
        "CANCEL": {},
        "BREW": {},
    }
    found = {}
    for method, headers in kinds.items():
        found[method] = stranger.ask(("127.0.0.1", node.sip_port), method, "", headers)
    harmless = [stranger.ask(("127.0.0.1", node.sip_port), method) for method in ("OPTIONS", "INFO")]

    assert all(one is not None and one.status in REFUSED for one in found.values()), found
    assert all(one is not None for one in harmless)
    assert stranger.requests == []  # nobody was made to call anybody
    room.expect("every method of a stranger", anna="bert", bert="anna")


def test_a_strangers_bye_for_a_call_that_they_know_of(room: Room, node: RealSwitch, stranger: Agent) -> None:
    """A Call-ID is no secret; without the tags of the dialog it ends nothing and moves nothing."""
    two(room)
    uuid = channel_uuid_of(room.people["anna"].call_sid)
    call_id = node.api(f"uuid_getvar {uuid} sip_call_id").strip()
    target = ("127.0.0.1", node.sip_port)
    for method in ("BYE", "CANCEL", "UPDATE", "REFER", "INVITE"):
        headers = {"Call-ID": call_id, "To": f"<sip:mod_sofia@{node.sip_host}>;tag=guessed", "Refer-To": stranger.uri}
        found = stranger.ask(target, method, "", headers, sdp("127.0.0.1", 9) if method == "INVITE" else "")
        assert found is not None, method
        assert found.status in REFUSED, (method, found.first_line)

    room.expect("requests with a stranger's tags", anna="bert", bert="anna")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.3"])
def test_a_far_end_goes_on_saying_what_belongs_to_its_call(room: Room, node: RealSwitch, host: str) -> None:
    """A re-INVITE, an INFO with a digit and a BYE of somebody whom we have dialled are obeyed, also when they come from
    another port, or another address, than the call's."""
    room.add("anna", 1)
    with (
        RtpPort() as first,
        RtpPort() as second,
        Agent(host=host) as elsewhere,
        Agent(answers(first.host, first.port)) as phone,
    ):
        room.add("gina", 7, to=phone.uri)
        eventually(lambda: heard(first, 1100) > -35, "the phone hears anna")
        told = [
            phone.dialog().request(elsewhere, "INVITE", body=sdp(second.host, second.port)),
            phone.dialog().request(elsewhere, "INFO", {"Content-Type": "application/dtmf-relay"}, "Signal=5\r\n"),
        ]
        eventually(lambda: heard(second, 1100) > -35, "the phone hears anna where it has moved its media to")
        told.append(phone.dialog().request(elsewhere, "BYE"))
        leave = room.await_event("participant-leave")

    assert [one.status for one in told] == [200, 200, 200]
    assert leave["CallSid"] == room.people["gina"].call_sid


def heard(port: RtpPort, hz: int) -> float:
    """A tone in the last half second of RTP."""
    samples = port.samples(max(0, len(port.packets) - 25))
    return level(samples, hz) if len(samples) >= 160 else NOTHING_DBFS


# ---------------------------------------------------------------- the second wall


def test_a_call_that_is_in_no_conference_is_ended(room: Room) -> None:
    """Parked, by whatever means: the app is told of one leave and of the call's end, the log says so, and whoever is in
    the conference goes on."""
    two(room)
    anna = room.people["anna"]
    listener = room.stack.listener
    logged = len(listener.log())
    room.stack.switch.api(f"uuid_transfer {channel_uuid_of(anna.call_sid)} park inline")
    completed = room.stack.receiver.await_kind(anna.call_sid, "call completed", seconds=45)[0]
    leave = room.await_event("participant-leave")

    assert leave["CallSid"] == completed.parameters["CallSid"] == anna.call_sid
    assert room.stack.switch.api(f"uuid_exists {channel_uuid_of(anna.call_sid)}") == "false"
    assert "call_outside_ended" in listener.log()[logged:]
    del room.people["anna"]
    room.expect("after a call outside was ended", bert="")


def test_a_call_that_is_bridged_to_a_stranger_is_ended(room: Room, node: RealSwitch) -> None:
    """The last of a conference, so that the conference is over when it is found."""
    anna = room.add("anna", 1)
    with RtpPort() as ear, Agent(answers(ear.host, ear.port)) as stranger:
        made = node.api(f"originate sofia/internal/agent@{stranger.address} &park")
        uuid = channel_uuid_of(anna.call_sid)
        node.api(f"uuid_bridge {uuid} {made.split()[1]}")
        eventually(lambda: heard(ear, 1100) > -35, "the stranger hears anna")
        room.stack.receiver.await_kind(anna.call_sid, "call completed", seconds=45)
        heard_until = len(ear.packets)

        assert node.api(f"uuid_exists {uuid}") == "false"
        node.api(f"uuid_kill {made.split()[1]}")
        assert len(ear.packets) - heard_until < 10
    assert room.stack.receiver.kinds(room.conference_sid)[-2:] == ["participant-leave", "conference-end"]


def test_a_member_who_is_nobodys_participant_is_thrown_out(room: Room, node: RealSwitch) -> None:
    """Brought into the conference by another hand than the API's."""
    two(room)
    with RtpPort() as ear, Agent(answers(ear.host, ear.port)) as stranger:
        node.api(
            f"originate {{conference_member_flags=mute}}sofia/internal/agent@{stranger.address} "
            f"conference:{room.conference_sid}@orchestrator inline"
        )
        eventually(lambda: any(one.method == "BYE" for one in stranger.requests), "the stranger is hung up on", 45)

    room.expect("after a stranger was thrown out", anna="bert", bert="anna")


# ---------------------------------------------------------------- who may call


def test_trusted_peers_are_a_list_of_networks(switch_name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """FREESWITCH_TRUSTED_PEERS: several, of both families; one that is spelt wrongly makes nobody trusted."""
    if switch_name == "sandbox":
        pytest.skip("freeswitch-conf is a real switch's")
    asked = ("10.1.2.3", "10.2.0.1", "203.0.113.7", "203.0.113.8", "fd00::7", "fd01::7", "127.0.0.1")
    cases = {
        "": set(),
        "10.1.0.0/16, 203.0.113.7/32,fd00::/16": {"10.1.2.3", "203.0.113.7", "fd00::7"},
        "10.1.0.0/16,carrier.example/32": set(),
    }
    for setting, trusted in cases.items():
        with Trusting(tmp_path_factory.mktemp("peers"), setting) as node:
            answered = {address: node.api(f"acl {address} trusted-peers").strip() for address in asked}

        assert {address for address, answer in answered.items() if answer == "true"} == trusted, setting


class Trusting(FreeSwitch):
    """A node with FREESWITCH_TRUSTED_PEERS."""

    def __init__(self, directory, peers: str) -> None:  # type: ignore[no-untyped-def]
        super().__init__(directory)
        self._peers = peers

    def environment(self) -> dict[str, str]:
        return super().environment() | {"FREESWITCH_TRUSTED_PEERS": self._peers}
