"""Each parameter of a call as the far end sees it: in the INVITE, in the answer to a challenge, in sound, in time."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any, Final

import pytest
import redis
from twilio.base.exceptions import TwilioRestException

from tests.harness.ears import Ears
from tests.harness.room import Room
from tests.harness.rtp import RtpPort, speak_together
from tests.harness.sip import Agent, Message, Reply, answers, sdp
from tests.harness.sound import HEARD_DBFS, SILENT_DBFS, heard_frames
from tests.harness.stack import RealSwitch, Stack
from tests.scenarios.test_secrets import everything_in
from tests.scenarios.test_sip_targets import settings

HZ: Final = 2200
PASSWORD: Final = "p,w {d} 'x\\n' %41 @geheim"


@pytest.fixture
def node(stack: Stack) -> RealSwitch:
    if not isinstance(stack.switch, RealSwitch):
        pytest.skip("the sandbox has no SIP")
    return stack.switch


@pytest.fixture(scope="module")
def phone() -> Iterator[Agent]:
    with Agent() as agent:
        yield agent


@pytest.fixture
def routed(stack: Stack, node: RealSwitch, phone: Agent) -> Iterator[Agent]:
    """A phone to which numbers and clients lead, too. It declines."""
    phone.requests.clear()
    leads_there = {
        "OUTBOUND_ROUTE": f"sofia/internal/{{number}}@{phone.address}",
        "CLIENT_ROUTE": f"sofia/internal/{{name}}@{phone.address}",
    }
    with settings(stack, **leads_there):
        yield phone


def invites(phone: Agent) -> list[Message]:
    """Each once, however often it was sent."""
    return list({one.header("via"): one for one in phone.requests if one.method == "INVITE"}.values())


def dial(stack: Stack, phone: Agent, **parameters: Any) -> Message:
    """The INVITE that a create becomes."""
    phone.requests.clear()
    made = stack.client().conferences("on the wire").participants.create(**stack.call_settings(**parameters))
    stack.receiver.await_kind(made.call_sid, "call failed")
    (invite,) = invites(phone)
    return invite


def test_what_an_invite_says(stack: Stack, routed: Agent) -> None:
    """Custom parameters to `sip:` and `client:`, who calls, and why; one table, for an API process is started for it.
    To a phone number neither custom parameters nor a display name go."""
    sip, number, client = f"sip:bob@{routed.address}", "+15550001234", "client:alice"
    custom = (
        "?a=foo%20bar&x-Order=%7B%22id%22%3A%205%2C%20%22of%22%3A%20%22O%27Brien%22%7D&User-to-User=3435;encoding=hex"
    )
    told = {
        "x-a": "foo bar",
        "x-order": '{"id": 5, "of": "O\'Brien"}',
        "user-to-user": "3435;encoding=hex",
    }
    rows: list[tuple[dict[str, str], dict[str, str]]] = [
        ({"to": sip + custom}, told),
        ({"to": client + custom}, told),
        (
            {"to": sip, "from_": "+15550001111"},
            {"from": "<sip:+15550001111@", "p-asserted-identity": "<sip:+15550001111@"},
        ),
        (
            {"to": sip, "from_": "+15550001111", "caller_id": "desk"},
            {"from": "<sip:desk@", "p-asserted-identity": "<tel:+15550001111>"},
        ),
        (
            {"to": sip, "from_": "alice", "caller_id": "desk"},
            {"from": "<sip:desk@", "p-asserted-identity": f"<sip:alice@{routed.host}>"},
        ),
        (
            {"to": sip, "caller_display_name": "Jürgen O'Neill, Büro"},
            {"from": '"Jürgen O\'Neill, Büro" <sip:+15550009999@'},
        ),
        ({"to": client, "caller_display_name": "Desk"}, {"from": '"Desk" <sip:+15550009999@'}),
        ({"to": number, "caller_display_name": "Desk"}, {"from": "<sip:+15550009999@", "p-asserted-identity": ""}),
        ({"to": number, "caller_id": "+15550001111"}, {"from": "<sip:+15550001111@"}),
        ({"to": sip, "call_reason": 'Your order, "5"'}, {"subject": 'Your order, "5"'}),
        ({"to": number, "call_reason": "Your order"}, {"subject": "Your order"}),
    ]
    for parameters, headers in rows:
        invite = dial(stack, routed, **parameters)
        for name, value in headers.items():
            assert value in invite.header(name), (parameters, name, invite.header(name))
            assert bool(value) is bool(invite.header(name)), (parameters, name, invite.header(name))


@pytest.mark.parametrize(
    ("to", "code", "named"),
    [
        ("sip:bob@127.0.0.1?x=a%0D%0AContact:+%3Csip:evil%3E", 21229, "x"),
        ("client:bob?x=%24%7Bsystem(id)%7D", 21229, "x"),
        ("client:bob?a%0Ab=c", 21228, "a"),
        ("sip:bob@127.0.0.1?P-Asserted-Identity=boss", 21228, "P-Asserted-Identity"),
        ("sip:bob@127.0.0.1?x=" + "y" * 1023, 21227, "1024"),
    ],
)
def test_what_no_header_can_be_is_refused(stack: Stack, to: str, code: int, named: str) -> None:
    """400 that names it, and nothing is dialled or left behind."""
    with pytest.raises(TwilioRestException, match=named) as caught:
        stack.client().conferences(f"never dialled {code}").participants.create(from_="+15550009999", to=to)

    assert (caught.value.status, caught.value.code) == (400, code)
    assert stack.client().conferences.list(friendly_name=f"never dialled {code}") == []


def challenges(request: Message) -> Sequence[Reply]:
    """407 until somebody answers it, then busy."""
    if request.method == "INVITE" and not request.header("proxy-authorization"):
        challenge = 'Digest realm="pbx", nonce="n1", algorithm=MD5, qop="auth"'
        return [Reply(407, {"Proxy-Authenticate": challenge})]
    return [Reply(486)] if request.method == "INVITE" else [Reply(200)]


def md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()  # noqa: S324 -- as SIP has it


def test_a_challenge_is_answered(stack: Stack, node: RealSwitch) -> None:
    """With SipAuthUsername and SipAuthPassword, as RFC 2617 wants it. The password is nowhere: not in Redis while the
    call is on its way and afterwards, not in a log of ours or of the switch."""
    client: Any = redis.Redis.from_url(stack.environment["REDIS_URL"])
    with Agent(challenges) as phone:
        made = (
            stack.client()
            .conferences("digest")
            .participants.create(
                **stack.call_settings(to=phone.uri, sip_auth_username="b@ob", sip_auth_password=PASSWORD)
            )
        )
        kept = everything_in(client)
        stack.receiver.await_kind(made.call_sid, "call busy")
        kept += everything_in(client)
        said = invites(phone)[1].header("proxy-authorization")
    client.close()
    given = dict(re.findall(r'(\w+)="?([^",]+)"?', said))
    secret, asked = md5(f"b@ob:pbx:{PASSWORD}"), md5(f"INVITE:{given['uri']}")
    logs = [process.log() for process in (stack.api, stack.listener, *stack.workers)]

    assert given["response"] == md5(f"{secret}:n1:{given['nc']}:{given['cnonce']}:auth:{asked}")
    assert made.call_sid in kept
    for text in (kept, *logs, node.log_path.read_text("utf-8", "replace")):
        assert "geheim" not in text


@pytest.mark.parametrize("number", ["+15550001000", "+15550007001"])
def test_a_call_ends_at_its_time_limit(stack: Stack, number: str) -> None:
    """TimeLimit counts from the answer, whether there was early media or not; then the call is `completed`."""
    made = (
        stack.client()
        .conferences(f"limited {number}")
        .participants.create(to=number, time_limit=2, **stack.call_settings())
    )
    completed = stack.receiver.await_kind(made.call_sid, "call completed")[0]
    answered = stack.receiver.await_kind(made.call_sid, "call in-progress")[0]

    assert completed.parameters["CallDuration"] in ("2", "3")
    assert 1.0 < completed.at - answered.at < 4.0


# ---------------------------------------------------------------- what is heard


@pytest.mark.parametrize("early_media", [True, False])
def test_early_media_is_heard_by_the_others_if_it_is_wanted(room: Room, node: RealSwitch, early_media: bool) -> None:
    """Ring-back and announcements of whoever is being called."""
    room.add("anna", 1)
    room.add("bert", 2)
    with RtpPort() as ear:

        def progress(request: Message) -> Sequence[Reply]:
            sent = {"Content-Type": "application/sdp"}
            return [Reply(183, sent, sdp(ear.host, ear.port))] if request.method == "INVITE" else [Reply(200)]

        with Agent(progress) as phone:
            made = room.conference.participants.create(
                **room.stack.call_settings(to=phone.uri, early_media=early_media)
            )
            room.stack.receiver.await_kind(made.call_sid, "call ringing")
            target = ("127.0.0.1", int(phone.requests[0].body.partition("m=audio ")[2].split()[0]))
            anna = room.people["anna"].number
            found = Ears(node.far_end, [anna]).listen([HZ], 1.5, 0.3, lambda: ear.speak([target], HZ, 2.0))
            room.stack.client().conferences(made.conference_sid).participants(made.call_sid).delete()

    heard = found[anna][HZ]
    assert heard > HEARD_DBFS if early_media else heard < SILENT_DBFS


def test_a_jitter_buffer_keeps_back_what_it_was_asked_to(room: Room, node: RealSwitch) -> None:
    """40, 100, 200 ms, less the two frames at most that the mixer spares whoever is late anyhow. All begin to speak at
    the same moment, after a silence that is sent, as phones do, and are heard in one recording."""
    room.add("anna", 1)
    anna = room.people["anna"].number
    kept_back = {"off": 0, "small": 40, "medium": 100, "large": 200}
    pitches = dict(zip(kept_back, (1100, 1300, 1500, 1700), strict=True))
    with ExitStack() as open_ones:
        lines: list[tuple[RtpPort, tuple[str, int], int]] = []
        for digit, (size, hz) in enumerate(pitches.items(), start=2):
            mouth = open_ones.enter_context(RtpPort())
            phone = open_ones.enter_context(Agent(answers(mouth.host, mouth.port)))
            room.add(size, digit, to=phone.uri, jitter_buffer_size=size)
            target = ("127.0.0.1", int(phone.dialog().invite.body.partition("m=audio ")[2].split()[0]))
            lines.append((mouth, target, hz))
        samples = Ears(node.far_end, [anna]).hear(anna, lambda: speak_together(lines, silence=1.0, seconds=1.0))
    heard = {size: heard_frames(samples, hz, HEARD_DBFS)[0].seconds for size, hz in pitches.items()}

    for size, asked in kept_back.items():
        later = round(1000 * (heard[size] - heard["off"]))
        assert asked - 40 <= later <= asked + 20, (size, heard)
