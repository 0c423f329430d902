"""Certificates are verified against the URL's name, though connections go to addresses."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from pathlib import Path

import pytest
from urllib3.exceptions import SSLError

from orchestrator.outgoing.networks import Address, parse_networks
from orchestrator.outgoing.pool import OutgoingPool
from tests.unit.outgoing.web import Web

LOOPBACK = parse_networks("127.0.0.0/8")


def resolve(host: str) -> Sequence[Address]:
    return [ip_address("127.0.0.1")]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate authority, and a.test's certificate by it, as openssl makes them."""
    directory = tmp_path_factory.mktemp("certificates")
    (directory / "leaf.ext").write_text(
        "subjectAltName=DNS:a.test\nbasicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n"
        "extendedKeyUsage=serverAuth\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"
    )
    key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
    for command in (
        f"req -x509 {key} -keyout ca.key -out ca.pem -subj /CN=Test -days 2 -addext keyUsage=critical,keyCertSign",
        f"req {key} -keyout leaf.key -out leaf.csr -subj /CN=a.test",
        "x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out leaf.pem -days 2 -extfile leaf.ext",
    ):
        subprocess.run(["openssl", *command.split()], cwd=directory, check=True, capture_output=True)  # noqa: S607  # openssl from PATH
    return directory


@pytest.fixture
def secure(certificates: Path, web: Callable[..., Web]) -> tuple[Web, list[str | None]]:
    """An HTTPS server, and the names that clients have asked it for."""
    names: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "leaf.pem", certificates / "leaf.key")
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    return web(tls=context), names


def test_certificates_are_verified_against_the_name(certificates: Path, secure: tuple[Web, list[str | None]]) -> None:
    """The name of the URL is in SNI and is what the certificate is for, while the connection goes to an address."""
    server, names = secure
    context = ssl.create_default_context(cafile=certificates / "ca.pem")
    pool = OutgoingPool(resolve, LOOPBACK, ssl_context=context)
    for _ in range(2):
        assert pool.request("GET", f"https://a.test:{server.port}/").data == b"ok"

    assert (names, server.hosts) == (["a.test"], [f"a.test:{server.port}"] * 2)
    assert len(server.accepted) == 1


@pytest.mark.parametrize("host", ["b.test", "127.0.0.1"])
def test_a_certificate_for_another_name_is_an_error(
    certificates: Path, secure: tuple[Web, list[str | None]], host: str
) -> None:
    context = ssl.create_default_context(cafile=certificates / "ca.pem")

    with pytest.raises(SSLError, match=r"certificate is not valid for|doesn't match"):
        OutgoingPool(resolve, LOOPBACK, ssl_context=context).request("GET", f"https://{host}:{secure[0].port}/")
    assert secure[0].hosts == []


def test_without_a_context_the_systems_authorities_count(secure: tuple[Web, list[str | None]]) -> None:
    """Ours is not one of them."""
    with pytest.raises(SSLError, match="CERTIFICATE_VERIFY_FAILED"):
        OutgoingPool(resolve, LOOPBACK).request("GET", f"https://a.test:{secure[0].port}/")
    assert secure[0].hosts == []
