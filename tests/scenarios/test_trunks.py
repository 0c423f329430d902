"""Trunks of the operator's: a phone call that names one with Byoc is tried by its gateways, until one takes it."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any, Final

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.rest.api.v2010.account.conference.participant import ParticipantInstance

from orchestrator.sids import channel_uuid_of
from tests.harness.freeswitch import FarEnd
from tests.harness.polling import eventually
from tests.harness.rtp import RtpPort
from tests.harness.sip import Agent, Message, Reply, answers
from tests.harness.stack import RealSwitch, Stack

NUMBER: Final = "+15550001234"


def says(status: int) -> Any:
    """This to an INVITE, 200 to all else: also to the OPTIONS of `orchestrator check`."""

    def answer(request: Message) -> Sequence[Reply]:
        return [Reply(status if request.method == "INVITE" else 200)]

    return answer


@pytest.fixture
def node(stack: Stack) -> RealSwitch:
    if not isinstance(stack.switch, RealSwitch):
        pytest.skip("the sandbox has no SIP")
    return stack.switch


@pytest.fixture
def agents() -> Iterator[ExitStack]:
    with ExitStack() as several:
        yield several


@pytest.fixture(autouse=True)
def _only_ones_own(stack: Stack) -> Iterator[None]:
    """What `check` says of trunks is that of one test's."""
    yield
    of_account = ("--account", stack.account_sid)
    for line in stack.orchestrator("trunk", "list", *of_account, "--json").splitlines():
        stack.orchestrator("trunk", "delete", *of_account, json.loads(line)["trunk_sid"])


def make_trunk(stack: Stack, *gateways: str) -> str:
    options = [word for number, gateway in enumerate(gateways) for word in ("--gateway", f"{gateway},{number}")]
    return stack.orchestrator("trunk", "create", "--account", stack.account_sid, *options).split()[0]


def create(stack: Stack, trunk_sid: str, **parameters: Any) -> ParticipantInstance:
    wanted = stack.call_settings(**{"to": NUMBER, "byoc": trunk_sid, **parameters})
    return stack.client().conferences("by trunk").participants.create(**wanted)


def dial(stack: Stack, trunk_sid: str, **parameters: Any) -> ParticipantInstance:
    """As soon as the API knows the trunk: within a second."""

    def try_it() -> ParticipantInstance | None:
        with contextlib.suppress(TwilioRestException):
            return create(stack, trunk_sid, **parameters)
        return None

    made = eventually(try_it, "the trunk is known", 3)
    assert made is not None
    return made


def tries(gateway: Agent) -> int:
    """Each INVITE once, however often it was sent."""
    return len({one.header("via") for one in gateway.requests if one.method == "INVITE"})


def test_the_next_gateway_is_tried_until_one_reaches_somebody(
    stack: Stack, node: RealSwitch, agents: ExitStack
) -> None:
    """503, then 500, then an answer: by priority, each once. A client is told of one call, which is answered, and its
    end once; it has the trunk's SID."""
    rtp = agents.enter_context(RtpPort())
    first, second = (agents.enter_context(Agent(says(status))) for status in (503, 500))
    third = agents.enter_context(Agent(answers("127.0.0.1", rtp.port)))
    trunk_sid = make_trunk(stack, first.address, second.address, third.address)
    asked_at = time.monotonic()
    made = dial(stack, trunk_sid)
    call_sid = str(made.call_sid)
    stack.receiver.await_kind(made.conference_sid, "participant-join")
    print(f"answered by the third gateway after {time.monotonic() - asked_at:.2f} s")
    call = stack.client().calls(call_sid)
    shown = call.fetch()
    call.update(status="completed")
    stack.receiver.await_kind(call_sid, "call completed")
    stack.receiver.await_kind(made.conference_sid, "conference-end")

    assert [tries(one) for one in (first, second, third)] == [1, 1, 1]
    assert (shown.status, shown.trunk_sid) == ("in-progress", trunk_sid)
    kinds = stack.receiver.kinds(call_sid)
    assert [kind for kind in kinds if kind.startswith("call ")] == [
        "call initiated", "call in-progress", "call completed"
    ]  # fmt: skip
    assert stack.receiver.kinds(made.conference_sid).count("participant-leave") == 1


@pytest.mark.parametrize(("status", "ends"), [(486, "busy"), (404, "failed"), (603, "failed")])
def test_an_answer_of_the_callee_is_no_reason_for_another_gateway(
    stack: Stack, node: RealSwitch, agents: ExitStack, status: int, ends: str
) -> None:
    first, second = agents.enter_context(Agent(says(status))), agents.enter_context(Agent(says(503)))
    call_sid = dial(stack, make_trunk(stack, first.address, second.address)).call_sid
    (told,) = stack.receiver.await_kind(call_sid, f"call {ends}")

    assert told.parameters["SipResponseCode"] == str(status)
    assert (tries(first), tries(second)) == (1, 0)


def test_who_is_removed_while_a_gateway_rings_is_dialled_by_no_other(
    stack: Stack, node: RealSwitch, agents: ExitStack
) -> None:
    first, second = agents.enter_context(Agent(says(180))), agents.enter_context(Agent(says(503)))
    call_sid = dial(stack, make_trunk(stack, first.address, second.address)).call_sid
    stack.receiver.await_kind(call_sid, "call ringing")
    stack.client().calls(call_sid).update(status="canceled")
    stack.receiver.await_kind(call_sid, "call canceled")
    time.sleep(1.5)  # a sweep finds what waits twice a second

    assert (tries(first), tries(second)) == (1, 0)


def test_a_call_by_a_trunk_that_is_down_fails_with_its_cause(stack: Stack) -> None:
    """By the last gateway's answer, once; the call has left no trace, and check names what does not answer."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        silent = f"127.0.0.1:{taken.getsockname()[1]}"
        with ExitStack() as agents:
            refusing = [agents.enter_context(Agent(says(503))) for _ in range(3)]
            trunk_sid = make_trunk(stack, *(gateway.address for gateway in refusing))
            made = dial(stack, trunk_sid, to=FarEnd.UNREACHABLE.replace("6000", "6503"))
            call_sid = made.call_sid
            (told,) = stack.receiver.await_kind(call_sid, "call failed")
            (left,) = stack.receiver.await_kind(made.conference_sid, "participant-leave")
            fine = stack.orchestrator_status("check")
        stack.orchestrator("trunk", "update", "--account", stack.account_sid, trunk_sid, "--gateway", silent)
        down = stack.orchestrator_status("check")

    assert told.parameters["SipResponseCode"] == "503"
    assert left.parameters["ReasonParticipantLeft"] == "participant_add_failed"
    kinds = stack.receiver.kinds(call_sid)
    assert [kind for kind in kinds if kind.startswith("call ")] == ["call initiated", "call failed"]
    if isinstance(stack.switch, RealSwitch):
        assert [tries(one) for one in refusing] == [1, 1, 1]
    assert (fine, down) == (0, 1)
    assert channel_uuid_of(call_sid) not in stack.switch.api("show channels")


def test_a_trunk_that_is_not_the_accounts_is_refused(stack: Stack) -> None:
    """21300, and so is a trunk for what is no phone number; when it is deleted, too."""
    trunk_sid = make_trunk(stack, "127.0.0.1:5999")
    for byoc, to in (("BY" + "0" * 32, NUMBER), (trunk_sid, "client:bob"), (trunk_sid, "sip:bob@127.0.0.1")):
        with pytest.raises(TwilioRestException) as caught:
            create(stack, byoc, to=to)
        assert (caught.value.status, caught.value.code) == (400, 21300)
    stack.orchestrator("trunk", "delete", "--account", stack.account_sid, trunk_sid)

    def is_refused() -> bool:
        try:
            create(stack, trunk_sid)
        except TwilioRestException as error:
            return bool(error.code == 21300)
        return False

    eventually(is_refused, "a deleted trunk is refused", 3)
