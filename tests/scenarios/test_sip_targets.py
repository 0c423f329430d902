"""`To=sip:…`: any URI of the standard is dialled as it is written, and none leads where the operator's rules do not."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from twilio.base.exceptions import TwilioRestException

from tests.harness.polling import eventually
from tests.harness.rtp import RtpPort
from tests.harness.sip import Agent, Message, answers
from tests.harness.stack import RealSwitch, Stack


@contextmanager
def settings(stack: Stack, **changed: str) -> Iterator[None]:
    """The API with other settings."""
    before = dict(stack.environment)
    stack.api.kill_9()
    stack.environment.update(changed)
    stack.api.start()
    stack.await_ready()
    try:
        yield
    finally:
        stack.api.kill_9()
        stack.environment.clear()
        stack.environment.update(before)
        stack.api.start()
        stack.await_ready()


def refused(stack: Stack, to: str) -> tuple[int, int | None, str]:
    """Status, code and message of a create."""
    with pytest.raises(TwilioRestException) as caught:
        stack.client().conferences(f"refused {to}"[:100]).participants.create(from_="+15550009999", to=to)
    return caught.value.status, caught.value.code, caught.value.msg


class Bait:
    """An internal service: somebody listens, and counts who comes."""

    def __init__(self) -> None:
        self.connections = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                stream, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            stream.close()

    def close(self) -> None:
        self._socket.close()


def test_an_internal_service_cannot_be_called(stack: Stack) -> None:
    """ALLOWED_PRIVATE_NETWORKS empty, as shipped. An address is refused with 400/21216; a name that leads
    to one is a call that fails, as that of a name that there is not. An open port is told like a closed one, at once,
    and nobody connects."""
    bait = Bait()
    addresses = ("127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "10.255.255.1", "0.0.0.0", "169.254.169.254")  # noqa: S104
    ports = (f":{bait.port};transport=tcp", ":1;transport=tcp", f":{bait.port}", "")
    with settings(stack, ALLOWED_PRIVATE_NETWORKS="", CALLBACK_RETRY_SECONDS="1"):
        found = {f"{host}{port}": refused(stack, f"sip:a@{host}{port}") for host in addresses for port in ports}
        spellings = {host: refused(stack, f"sip:a@{host}:{bait.port}")[1] for host in ("127.1", "2130706433", "0x7f.1")}
        told = {
            f"{host}{port}": fails(stack, f"sip:a@{host}{port}")
            for host in ("localhost", "no.invalid")
            for port in ports
        }
    bait.close()

    assert {(status, code) for status, code, _ in found.values()} == {(400, 21216)}, found
    assert len({message for _, _, message in found.values()}) == 1
    assert set(spellings.values()) == {21211}
    assert len(set(told.values())) == 1, told
    assert bait.connections == 0


def fails(stack: Stack, to: str) -> tuple[str, str]:
    """A create that is answered with 201 in time, and a call that fails: what its last callback says."""
    started = time.monotonic()
    made = stack.client().conferences("nowhere").participants.create(**stack.call_settings(to=to))
    assert time.monotonic() - started < 2
    completed = stack.receiver.await_kind(made.call_sid, "call failed")[0].parameters
    return completed["CallStatus"], completed.get("SipResponseCode", "")


def test_an_operator_names_the_hosts(stack: Stack) -> None:
    """SIP_HOSTS is all that may be dialled; an empty SIP_ROUTE turns sip: off (21214)."""
    domain = stack.switch.sip_domain.partition(":")[0]
    with settings(stack, SIP_HOSTS="pbx.example,*.sip.example"):
        assert refused(stack, f"sip:a@{domain}")[:2] == (400, 21216)
        assert refused(stack, "sip:a@sip.example")[:2] == (400, 21216)
    with settings(stack, SIP_HOSTS=f"pbx.example,{domain}"):
        made = (
            stack.client()
            .conferences("a listed host")
            .participants.create(**stack.call_settings(to=f"sip:+15550003000@{stack.switch.sip_domain}"))
        )
        stack.receiver.await_kind(made.call_sid, "call busy")
    with settings(stack, SIP_ROUTE=""):
        assert refused(stack, f"sip:a@{domain}")[:2] == (400, 21214)


# ---------------------------------------------------------------- on the wire


@pytest.fixture
def node(stack: Stack) -> RealSwitch:
    if not isinstance(stack.switch, RealSwitch):
        pytest.skip("the sandbox has no SIP")
    return stack.switch


def dial(stack: Stack, phone: Agent, to: str) -> tuple[Message, Any]:
    """The INVITE that a `To` becomes, and the last callback of the call."""
    made = stack.client().conferences("on the wire").participants.create(**stack.call_settings(to=to))
    completed = stack.receiver.await_kind(made.call_sid, "call failed")[0]
    (invite,) = {one.header("via"): one for one in phone.requests if one.method == "INVITE"}.values()
    return invite, completed.parameters


@pytest.mark.parametrize(
    ("to", "uri"),
    [
        ("sip:bob@{address};user=phone", "sip:bob@{address};user=phone"),
        ("sip:bob@{address};region=ie1;edge=dublin", "sip:bob@{address}"),
        ("SIP:bob@{address}", "sip:bob@{address}"),
        ("sip:bob@localhost:{port}", "sip:bob@localhost:{port}"),
        ("sip:{address}", "sip:{address}"),
        ("sip:b%20o;x=1,2@{address}", "sip:b%20o;x=1,2@{address}"),
        ("sip:bob:secret@{address}", "sip:bob@{address}"),
        ("sip:bob@{address};maddr=127.0.0.9", "sip:bob@{address};maddr=127.0.0.9"),
        ("sip:bob@{address};fs_path=sip:127.0.0.9:{port}", "sip:bob@{address}"),
        ("sip:a%3Bfs_path=sip%3A127.0.0.9@{address}", "sip:a;fs_path=sip%3A127.0.0.9@{address}"),
        ("sip:%24%7Bhostname%7D@{address}", "sip:$%7Bhostname%7D@{address}"),
        ("sip:bob@{address};transport=UDP?X-Custom=1", "sip:bob@{address};transport=udp"),
    ],
)
def test_what_is_dialled(stack: Stack, node: RealSwitch, to: str, uri: str) -> None:
    """The Request-URI and To of the INVITE; a parameter, or an escape, that would send it elsewhere does not."""
    with Agent() as phone:
        names = {"address": phone.address, "port": str(phone.port)}
        invite, completed = dial(stack, phone, to.format(**names))

        assert equal(invite.uri, uri.format(**names))
        assert equal(invite.header("to").strip("<>"), uri.format(**names))
        assert completed["SipResponseCode"] == "603"


def equal(first: str, second: str) -> bool:
    """As URIs: whether `;`, `=` and `,` of a user are escaped or not is all one."""
    plain = {"%3B": ";", "%3D": "=", "%2C": ",", "%24": "$", "%3A": ":"}
    for escape, character in plain.items():
        first, second = first.replace(escape, character), second.replace(escape, character)
    return first == second


def test_tcp_is_dialled(stack: Stack, node: RealSwitch) -> None:
    """;transport=tcp in any case."""
    with Agent(transport="tcp") as phone:
        invite, _ = dial(stack, phone, phone.uri.replace("tcp", "TCP"))

        assert invite.header("via").startswith("SIP/2.0/TCP")


def test_a_name_is_dialled_at_the_address_that_was_checked(stack: Stack, node: RealSwitch) -> None:
    """The host stays in the URI; all of the call goes to the address, its end too."""
    with RtpPort() as ear, Agent(answers(ear.host, ear.port)) as phone:
        made = (
            stack.client()
            .conferences("a name")
            .participants.create(**stack.call_settings(to=f"sip:bob@localhost:{phone.port}"))
        )
        stack.receiver.await_kind(made.conference_sid, "participant-join")
        stack.client().conferences(made.conference_sid).participants(made.call_sid).delete()
        eventually(lambda: [one for one in phone.requests if one.method == "BYE"], "the phone is hung up on")

        assert phone.requests[0].uri == f"sip:bob@localhost:{phone.port}"
