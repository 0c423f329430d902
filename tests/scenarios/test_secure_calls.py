"""SIP over TLS and SRTP to a far end, as SECURITY.md has an operator set them. The sandbox has neither."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.freeswitch import FarEnd
from tests.harness.polling import eventually
from tests.harness.room import Room
from tests.harness.stack import RealSwitch, Stack

OPENSSL = shutil.which("openssl") or ""
pytestmark = pytest.mark.skipif(not OPENSSL, reason="makes its certificates with openssl")

TLS_PORT_BEHIND = 5
"""The TLS port of a node is its event socket's and this: in its own block, and not taken."""


def make_certificates(directory: Path) -> Path:
    """A CA of its own, and what it has signed for 127.0.0.1, under the names that mod_sofia wants."""
    directory.mkdir(parents=True)
    for command in (
        "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=CA -keyout ca.key -out cafile.pem",
        "req -newkey rsa:2048 -nodes -subj /CN=127.0.0.1 -keyout key.pem -out request.pem",
        "x509 -req -in request.pem -CA cafile.pem -CAkey ca.key -CAcreateserial -days 2 -out certificate.pem",
    ):
        subprocess.run([OPENSSL, *command.split()], cwd=directory, check=True, capture_output=True)
    both = (directory / "certificate.pem").read_text() + (directory / "key.pem").read_text()
    (directory / "agent.pem").write_text(both)
    return directory


def _with_tls(environment: dict[str, str], certificates: Path) -> dict[str, str]:
    port = int(environment["FREESWITCH_ESL_PORT"]) + TLS_PORT_BEHIND
    given = {"FREESWITCH_SIP_TLS": "true", "FREESWITCH_SIP_TLS_PORT": str(port)}
    return environment | given | {"FREESWITCH_SIP_TLS_DIR": str(certificates)}


class SecureFarEnd(FarEnd):
    """Phones that can be called by TLS."""

    certificates: Path

    def environment(self) -> dict[str, str]:
        return _with_tls(super().environment(), self.certificates)


class SecureSwitch(RealSwitch):
    """A node that calls them by TLS, and sends them SRTP or nothing."""

    def __init__(self, directory: Path, certificates: Path, theirs: Path) -> None:
        super().__init__(directory)
        self._certificates = certificates
        self.far_end = SecureFarEnd(directory / "secure-farend")
        self.far_end.certificates = theirs
        server = f"127.0.0.1:{self.far_end.esl_port + TLS_PORT_BEHIND};transport=tls"
        self.outbound_route = f"[rtp_secure_media=mandatory]sofia/internal/{{number}}@{server}"

    def environment(self) -> dict[str, str]:
        return _with_tls(super().environment(), self._certificates)


@pytest.fixture
def secure(request: pytest.FixtureRequest, switch_name: str, tmp_path: Path) -> Iterator[Stack]:
    """A service whose node and phones believe each other; `param`: or whose phones have somebody else's certificate."""
    if switch_name == "sandbox":
        pytest.skip("the sandbox has no SIP")
    ours = make_certificates(tmp_path / "ours")
    theirs = ours if request.param == "ours" else make_certificates(tmp_path / "theirs")
    running = Stack(SecureSwitch(tmp_path / "switch", ours, theirs), tmp_path)
    with running:
        yield running


@pytest.mark.parametrize("secure", ["ours"], indirect=True)
def test_people_are_called_by_tls_and_heard_by_srtp(secure: Stack) -> None:
    """They hear each other, their media are encrypted, and nothing goes to the port for SIP in the clear."""
    room = Room(secure)
    room.add("anna", 1)
    room.add("bert", 2)
    room.expect("by TLS and SRTP", anna="bert", bert="anna")

    assert isinstance(secure.switch, SecureSwitch)
    channels = secure.switch.far_end.api("show channels as json")
    calls = re.findall(r'"uuid":"([0-9a-f-]+)"', channels)
    assert len(calls) == 2, channels
    for uuid in calls:
        heard_of = secure.switch.far_end.api(f"uuid_dump {uuid}")
        assert "variable_sip_via_protocol: tls" in heard_of
        assert re.search(r"variable_rtp_has_crypto: A\w+", heard_of), "no SRTP"
    room.end()


@pytest.mark.parametrize("secure", ["theirs"], indirect=True)
def test_a_server_whose_certificate_nobody_vouches_for_is_not_called(secure: Stack) -> None:
    """The call fails; it is not made in the clear."""
    settings = secure.call_settings(to=FarEnd.ANSWERS, timeout=5)
    call = secure.client().conferences("secure").participants.create(**settings)

    def is_over() -> bool:
        return bool({"call failed", "call no-answer"} & set(secure.receiver.kinds(call.call_sid)))

    eventually(is_over, "the call has ended without an answer", 20)
    assert isinstance(secure.switch, SecureSwitch)
    assert "0 session(s) since startup" in secure.switch.far_end.api("status")
