"""The pool against real servers: what it connects to, what it refuses, and that nothing gets it elsewhere."""

from __future__ import annotations

import socket
import ssl
import threading
import zlib
from collections.abc import Callable, Sequence
from http.client import InvalidURL
from ipaddress import ip_address

import pytest
import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    MaxRetryError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    ReadTimeoutError,
)

from orchestrator.outgoing import pool as pool_module
from orchestrator.outgoing.networks import Address, parse_networks
from orchestrator.outgoing.pool import AddressRefused, OutgoingPool
from orchestrator.outgoing.resolver import Resolver
from tests.harness.polling import eventually
from tests.unit.outgoing.dns_server import DnsServer
from tests.unit.outgoing.web import Web

LOOPBACK = parse_networks("127.0.0.0/8,::1")
UNUSED = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
Start = Callable[..., Web]


def to(*texts: str) -> Callable[[str], Sequence[Address]]:
    return lambda host: [ip_address(text) for text in texts]


# ------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "2130706433", "0x7f000001", "127.1", "0177.0.0.1", "0", "0.0", "[::1]", "[::]",
     "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]", "169.254.169.254", "[fd00:ec2::254]",
     "[fe80::1%25lo]", "LOCALHOST", "a.localhost", "user@localhost", "example.com@localhost"],
)  # fmt: skip
def test_private_addresses_are_refused_however_they_are_spelled(resolver: Resolver, web: Start, host: str) -> None:
    """With a server there that would answer."""
    server = web()

    with pytest.raises(AddressRefused):
        OutgoingPool(resolver.resolve).request("GET", f"http://{host}:{server.port}/")
    assert server.accepted == []


@pytest.mark.parametrize("retries", [False, None, 0, 5, urllib3.Retry(total=5, connect=5, other=5, redirect=5)])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_refusal_arrives_as_it_is(retries: urllib3.Retry | int | None, scheme: str) -> None:
    """Neither wrapped nor tried again, and no network error, so that a caller can give up at once."""
    asked: list[str] = []

    def resolve(host: str) -> Sequence[Address]:
        asked.append(host)
        return [ip_address("10.0.0.1"), ip_address("fe80::1")]

    with pytest.raises(AddressRefused) as caught:
        OutgoingPool(resolve).request("GET", f"{scheme}://a.test/", retries=retries)
    assert asked == ["a.test"]
    assert not isinstance(caught.value, OSError | MaxRetryError | NewConnectionError)
    assert (caught.value.host, [str(address) for address in caught.value.addresses]) == (
        "a.test",
        ["10.0.0.1", "fe80::1"],
    )
    assert "ALLOWED_PRIVATE_NETWORKS" in str(caught.value)


def test_only_the_allowed_addresses_of_an_answer_are_used(web: Start) -> None:
    """An answer with one good address opens no way to the others."""
    private = web("127.0.0.1")
    listed = web("127.0.0.2", private.port)
    pool = OutgoingPool(to("127.0.0.1", "127.0.0.2"), parse_networks("127.0.0.2"))

    assert pool.request("GET", f"http://a.test:{private.port}/").status == 200
    assert (len(private.accepted), len(listed.accepted)) == (0, 1)


def test_rebinding_changes_nothing(resolver: Resolver, dns_server: DnsServer, web: Start) -> None:
    """A name whose answers, good for no time at all, are in turn an allowed address and a private one: each connection
    asks once and goes where that answer said, or nowhere."""
    private = web("127.0.0.1", index=(200, {"Connection": "close"}))
    allowed = web("127.0.0.2", private.port, index=(200, {"Connection": "close"}))
    turns = iter(["127.0.0.2", "127.0.0.1", "127.0.0.2", "127.0.0.1"])
    dns_server.answer = lambda name, kind: [f"{name}. 0 A {next(turns)}"] if kind == "A" else []
    pool = OutgoingPool(resolver.resolve, parse_networks("127.0.0.2"))
    url = f"http://evil.test:{private.port}/index"

    for _ in range(2):
        assert pool.request("GET", url).status == 200
        with pytest.raises(AddressRefused):
            pool.request("GET", url)
    assert (len(private.accepted), len(allowed.accepted)) == (0, 2)
    assert dns_server.questions() == ["evil.test"] * 4


def test_nothing_but_the_given_resolver_resolves(web: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """The OS is never asked for a name, nor for one that is an address."""
    server = web()

    def no_lookup(*_: object, **__: object) -> None:
        raise AssertionError("a second lookup")

    for name in ("getaddrinfo", "gethostbyname", "gethostbyname_ex"):
        monkeypatch.setattr(socket, name, no_lookup)
    pool = OutgoingPool(to("127.0.0.1"), LOOPBACK)

    assert pool.request("GET", f"http://a.test:{server.port}/").status == 200
    assert pool.request("GET", f"http://127.0.0.1:{server.port}/").status == 200


@pytest.mark.parametrize(
    "target", ["http://169.254.169.254/latest/meta-data/", "http://metadata.test/", "https://[::1]/"]
)
def test_a_redirect_to_the_metadata_service_is_refused(web: Start, target: str) -> None:
    """Followed by the caller's hand, or by urllib3's: each hop goes through the same check."""
    server = web(hop=(302, {"Location": target}))
    hosts = {"a.test": "127.0.0.1", "metadata.test": "169.254.169.254"}
    pool = OutgoingPool(lambda host: [ip_address(hosts.get(host, host))], parse_networks("127.0.0.1"))
    url = f"http://a.test:{server.port}/hop"

    response = pool.request("GET", url)
    assert response.status == 302
    with pytest.raises(AddressRefused):
        pool.request("GET", response.headers["Location"])
    with pytest.raises(AddressRefused):
        pool.request("GET", url, redirect=True, retries=urllib3.Retry(5, redirect=5))


def test_proxies_of_the_environment_are_not_used(web: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy would resolve by itself."""
    server, proxy = web(), web()
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        for spelled in (name, name.upper()):
            monkeypatch.setenv(spelled, f"http://127.0.0.1:{proxy.port}")

    assert OutgoingPool(to("127.0.0.1"), LOOPBACK).request("GET", f"http://a.test:{server.port}/").status == 200
    assert proxy.accepted == []


# ------------------------------------------------------------ connecting


def test_the_host_header_keeps_the_name(resolver: Resolver, dns_server: DnsServer, web: Start) -> None:
    """And connections are kept: one for three requests."""
    server = web()
    dns_server.zone({("a.test", "A"): ["a.test. 60 A 127.0.0.1"]})
    pool = OutgoingPool(resolver.resolve, LOOPBACK)
    for _ in range(3):
        pool.request("GET", f"http://a.test:{server.port}/")

    assert server.hosts == [f"a.test:{server.port}"] * 3
    assert len(server.accepted) == 1


def test_ipv6(resolver: Resolver, web: Start) -> None:
    server = web("::1")

    assert OutgoingPool(resolver.resolve, LOOPBACK).request("GET", f"http://[::1]:{server.port}/").data == b"ok"
    assert server.hosts == [f"[::1]:{server.port}"]


def test_a_mapped_address_is_connected_to_as_ipv4(resolver: Resolver, web: Start) -> None:
    """127.0.0.1 is listed, so ::ffff:127.0.0.1 is."""
    server = web()
    url = f"http://[::ffff:127.0.0.1]:{server.port}/"

    assert OutgoingPool(resolver.resolve, LOOPBACK).request("GET", url).status == 200


def test_the_next_address_is_tried(web: Start) -> None:
    """Here nobody listens at the first two."""
    server = web("127.0.0.1")
    pool = OutgoingPool(to("127.0.0.2", "::1", "127.0.0.1"), LOOPBACK)

    assert pool.request("GET", f"http://a.test:{server.port}/").status == 200


def test_all_tries_together_take_the_connect_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    """A first address that swallows packets leaves time for the second; the last may take what is left."""
    given: list[float] = []

    def swallow(self: object, address: Address, seconds: float) -> socket.socket:
        given.append(seconds)
        raise TimeoutError

    monkeypatch.setattr(pool_module._Connection, "_connect_one", swallow)
    with pytest.raises(ConnectTimeoutError):
        OutgoingPool(to("127.0.0.1", "127.0.0.2", "127.0.0.3"), LOOPBACK).request(
            "GET", "http://a.test/", timeout=urllib3.Timeout(connect=8.0)
        )
    assert given == pytest.approx([4, 4, 8], abs=0.5)  # no time passes here between the tries


def test_network_errors_are_urllib3s(resolver: Resolver, dns_server: DnsServer, web: Start) -> None:
    """A name that does not exist, and a port where nobody listens."""
    server = web()
    server.stop()
    dns_server.zone({})
    pool = OutgoingPool(resolver.resolve, LOOPBACK)

    with pytest.raises(NameResolutionError, match=r"no\.test"):
        pool.request("GET", "http://no.test/")
    with pytest.raises(NewConnectionError):
        pool.request("GET", f"http://127.0.0.1:{server.port}/")
    with pytest.raises(MaxRetryError) as caught:
        pool.request("GET", "http://no.test/", retries=1)
    assert isinstance(caught.value.reason, NameResolutionError)


def test_a_try_that_is_killed_leaves_no_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    """gevent's deadlines are BaseExceptions that come out of connect()."""
    closed: list[bool] = []

    class Killed(BaseException):
        pass

    class Socket(socket.socket):
        def connect(self, address: object) -> None:
            raise Killed

        def close(self) -> None:
            closed.append(True)
            super().close()

    monkeypatch.setattr(socket, "socket", Socket)
    with pytest.raises(Killed):
        OutgoingPool(to("127.0.0.1"), LOOPBACK).request("GET", "http://a.test/")
    assert closed


# ------------------------------------------------------------ post


class Peer:
    """Answers one connection after another with what it is told to say, hangs up, and keeps what came."""

    def __init__(self, says: bytes = b"HTTP/1.1 204 No Content\r\n\r\n", address: str = "127.0.0.1") -> None:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._listener = socket.create_server((address, 0), family=family)
        self._says = says
        self.port = int(self._listener.getsockname()[1])
        self.came: list[bytes] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            peer, _ = self._listener.accept()
            with peer, peer.makefile("rb") as stream:
                head = b"".join(iter(stream.readline, b"\r\n"))
                self.came.append(head + stream.read(4))
                peer.sendall(self._says)


def outcome(ask: Callable[[], urllib3.BaseHTTPResponse]) -> tuple[object, ...]:
    try:
        response = ask()
    except urllib3.exceptions.HTTPError as error:
        return (type(error),)
    try:
        return response.status, dict(response.headers), response.read(100)
    except urllib3.exceptions.HTTPError as error:
        return response.status, type(error)


def both_ways(resolve: Callable[[str], Sequence[Address]], url: str) -> list[tuple[object, ...]]:
    """By `post` and by urllib3's `request`, each on a connection of its own."""
    one, other = (OutgoingPool(resolve, LOOPBACK, ssl_context=UNUSED) for _ in range(2))
    headers, timeout = {"User-Agent": "x", "B": "2", "a": "1"}, urllib3.Timeout(connect=1, read=0.2)
    return [
        outcome(lambda: one.post(url, headers, b"x=%2", connect=1, read=0.2)),
        outcome(
            lambda: other.request(
                "POST", url, headers=headers, body=b"x=%2", timeout=timeout, redirect=False, preload_content=False
            )
        ),
    ]


@pytest.mark.parametrize(
    "host", ["a.test", "A.Test", "a.test.", "127.0.0.1", "user:word@a.test", "[::1]", "[::1%25lo]"]
)
@pytest.mark.parametrize("target", ["", "/", "?a=b", "/a/../%7e?b[]=1#end", "/some file?ä"])
def test_a_post_is_byte_for_byte_as_urllib3_sends_it(host: str, target: str) -> None:
    address = "::1" if "[" in host else "127.0.0.1"
    peer = Peer(address=address)

    assert both_ways(to(address), f"http://{host}:{peer.port}{target}") == [(204, {}, b"")] * 2
    posted, requested = peer.came
    assert posted == requested


@pytest.mark.parametrize(
    "says",
    [
        b"",
        b"garbage\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nA: 1\r\nA: 2\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\nto the end",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: deflate\r\n\r\n" + zlib.compress(b"packed"),
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
    ],
)
def test_a_post_s_answer_is_as_urllib3_reads_it(says: bytes) -> None:
    posted, requested = both_ways(to("127.0.0.1"), f"http://a.test:{Peer(says).port}/")

    assert posted == requested


def test_a_post_fails_as_urllib3_fails() -> None:
    """Refused, not there, no answer in time, and no URL."""
    silent, away = socket.create_server(("127.0.0.1", 0)), socket.create_server(("127.0.0.1", 0))
    closed = away.getsockname()[1]
    away.close()
    hosts = {"a.test": "127.0.0.1", "inside.test": "10.0.0.1"}
    urls = (
        "http://inside.test/", f"http://a.test:{closed}/", f"http://a.test:{silent.getsockname()[1]}/", "http://",
        "ftp://a.test/", f"https://a.test:{Peer(b'no TLS').port}/", "http://a.test:99999/",
    )  # fmt: skip
    outcomes = [both_ways(lambda host: [ip_address(hosts[host])], url) for url in urls]

    assert [posted for posted, _ in outcomes] == [requested for _, requested in outcomes]
    assert [posted for posted, _ in outcomes][:3] == [(AddressRefused,), (NewConnectionError,), (ReadTimeoutError,)]
    silent.close()


def test_a_post_keeps_its_connection(web: Start) -> None:
    """One for three answers that were read."""
    server = web()
    pool = OutgoingPool(to("127.0.0.1"), LOOPBACK, ssl_context=UNUSED)
    for _ in range(3):
        response = pool.post(f"http://a.test:{server.port}/", {}, b"", connect=1, read=1)
        assert response.read(100) == b"ok"
        response.release_conn()
    assert len(server.accepted) == 1


def test_a_post_goes_to_a_receiver_whose_connections_were_given_up(web: Start) -> None:
    """Another host has taken its place meanwhile."""
    server = web()
    pool = OutgoingPool(to("127.0.0.1"), LOOPBACK, num_pools=1, ssl_context=UNUSED)
    for host in ("a", "b", "a", "b"):
        response = pool.post(f"http://{host}.test:{server.port}/", {}, b"", connect=1, read=1)
        assert response.read(100) == b"ok"
        response.release_conn()


def test_a_post_finds_that_its_connection_was_closed() -> None:
    """It is made anew, and nothing is lost."""
    peer = Peer(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    pool = OutgoingPool(to("127.0.0.1"), LOOPBACK, ssl_context=UNUSED)
    for _ in range(3):
        response = pool.post(f"http://a.test:{peer.port}/", {}, b"1234", connect=1, read=1)
        response.read()
        response.release_conn()
        eventually(lambda: len(peer.came) and is_hung_up(pool), "it has hung up")

    assert len(peer.came) == 3


def test_a_post_to_a_host_that_no_connection_takes_fails_as_others_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a control character says http.client that it is none of a host's (urllib3 2.3 does not). It costs no place."""

    def refuse(*_: object, **__: object) -> None:
        raise InvalidURL("URL can't contain control characters")

    monkeypatch.setattr(pool_module._HTTPPool, "ConnectionCls", refuse)
    pool = OutgoingPool(to("127.0.0.1"), LOOPBACK, maxsize=1, ssl_context=UNUSED)
    for _ in range(2):
        with pytest.raises(ProtocolError):
            pool.post("http://a.test/", {}, b"", connect=1, read=1)


def is_hung_up(pool: OutgoingPool) -> bool:
    (kept,) = [pool.pools[key] for key in pool.pools.keys()]  # noqa: SIM118 -- it only has keys()
    connection = kept._get_conn()
    kept._put_conn(connection)
    return bool(connection.is_closed)


# ------------------------------------------------------------ bounds


def test_pools_are_bounded(web: Start) -> None:
    """Hosts beyond num_pools lose the connections of the one not used for longest."""
    server = web()
    pool = OutgoingPool(to("127.0.0.1"), LOOPBACK, num_pools=2)
    for host in ("a", "b", "a", "c", "a", "b"):
        pool.request("GET", f"http://{host}.test:{server.port}/")

    assert len(pool.pools) == 2
    assert len(server.accepted) == 4
