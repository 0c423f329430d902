"""One attempt, at real receivers: what is sent, what is signed, what is followed, and that it ends."""

from __future__ import annotations

import base64
import socket
import ssl
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from ipaddress import ip_network
from typing import NoReturn
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from orchestrator.callbacks.deliver import (
    ANSWER_BYTES,
    MAX_REDIRECTS,
    USER_AGENT,
    Result,
    Sender,
    receiver_of,
    request_urls,
)
from orchestrator.callbacks.entry import Entry
from orchestrator.callbacks.overrides import parse_overrides
from orchestrator.dialects.registry import DIALECTS
from orchestrator.dialects.twilio import parameters as p
from orchestrator.errors import BadParameter
from orchestrator.outgoing.pool import OutgoingPool
from orchestrator.outgoing.resolver import Resolver
from tests.unit.callbacks.web import TOKEN, Answer, Asked, Web, an_entry
from tests.unit.outbox import loopback_pool
from tests.unit.outgoing.flood import flooding, watch
from tests.unit.patience import PATIENCE


@pytest.fixture
def sender() -> Sender:
    return Sender(loopback_pool(), DIALECTS.sign, time.monotonic)


def attempt(sender: Sender, entry: Entry, token: str = TOKEN) -> Result:
    """As a drain makes it."""
    overrides = parse_overrides(entry.url)
    return sender.deliver_callback(entry, token, overrides, overrides.total_ms / 1000)


# ------------------------------------------------------------ what is sent


def test_a_post_carries_its_parameters_in_the_body(sender: Sender, web: Web) -> None:
    """With the contract's headers and nothing in the query."""
    result = attempt(sender, an_entry(web.url()))
    (asked,) = web.asked

    assert (result.status, result.error, result.url) == (200, "", web.url())
    assert (asked.method, asked.path) == ("POST", "/callbacks")
    assert asked.form == dict(an_entry("").parameters)
    assert asked.headers["Content-Type"] == "application/x-www-form-urlencoded; charset=UTF-8"
    assert asked.headers["User-Agent"] == USER_AGENT
    assert asked.headers["Accept"] == "*/*"
    assert asked.headers["I-Twilio-Idempotency-Token"] == "token-1"
    assert "Authorization" not in asked.headers


def test_a_get_carries_them_in_the_query(sender: Sender, web: Web) -> None:
    """Behind what the URL has already; no body."""
    attempt(sender, an_entry(web.url("/callbacks?mine=1&mine=2"), "GET"))
    (asked,) = web.asked

    assert parse_qsl(urlsplit(asked.path).query, keep_blank_values=True) == [
        ("mine", "1"), ("mine", "2"), *an_entry("").parameters,
    ]  # fmt: skip
    assert (asked.method, asked.body) == ("GET", "")
    assert "Content-Type" not in asked.headers


URLS = {
    "plain": ("/callbacks", ""),
    "query": ("/callbacks?a=1&b=%20x%2F", ""),
    "repeated parameters": ("/callbacks?a=2&a=1&a=2", ""),
    "no path": ("", ""),
    "only a query": ("?a=1", ""),
    "userinfo": ("/callbacks?x=1", "user:p%40ss@"),
    "user only": ("/callbacks", "user@"),
    "fragment": ("/callbacks?x=1#rc=3&rp=all", ""),
    "userinfo and fragment": ("/callbacks#rc=3", "user:secret@"),
    "characters that are encoded on the wire": ("/ü/a b?q=ü|{x}", "user:ü@"),
    "lower case escapes": ("/%c3%bc?q=%c3%bc", ""),
    "dots": ("/a/../b/./c", ""),
    "odd characters": ("/c/%C3%BC;v=1,2?q='(x)!*$&+=%2B", ""),
}


@pytest.mark.parametrize("method", ["POST", "GET"])
@pytest.mark.parametrize("name", URLS)
def test_twilio_s_own_validator_accepts_the_signature(sender: Sender, web: Web, name: str, method: str) -> None:
    """For the URL as the app gets it: with port, path, query and userinfo, without the fragment."""
    path, userinfo = URLS[name]
    attempt(sender, an_entry(web.url(path, userinfo), method))
    (asked,) = web.asked
    known = web.url(asked.path, userinfo)

    assert RequestValidator(TOKEN).validate(known, asked.form, asked.headers["X-Twilio-Signature"])
    assert "#" not in asked.path
    assert "@" not in asked.path


AS_CONFIGURED = ["/%7e%c3%bc", "/a/../b/./c", "/x?b[]=1&c={d}|e", "/x?", "/x?a=1&", "//x", "/%", "/a;b?c=d?e", "/\\"]


@pytest.mark.parametrize("method", ["POST", "GET"])
@pytest.mark.parametrize("target", AS_CONFIGURED)
def test_a_url_is_sent_and_signed_byte_for_byte_as_configured(
    sender: Sender, web: Web, target: str, method: str
) -> None:
    """A receiver may check the signature against the URL that it has configured, or against the one that it got."""
    attempt(sender, an_entry(web.url(f"{target}#rc=2"), method))
    (asked,) = web.asked
    sent = asked.headers["X-Request-Target"]
    configured = web.url(sent if method == "GET" else target)

    assert sent.startswith(target) if method == "GET" else sent == target
    assert RequestValidator(TOKEN).compute_signature(configured, asked.form) == asked.headers["X-Twilio-Signature"]


def test_a_scheme_is_signed_in_the_case_in_which_it_was_configured(sender: Sender, web: Web) -> None:
    """As is the host."""
    configured = web.url("/x").replace("http://", "HTTP://")
    attempt(sender, an_entry(configured))
    (asked,) = web.asked

    assert RequestValidator(TOKEN).compute_signature(configured, asked.form) == asked.headers["X-Twilio-Signature"]


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_a_redirect_is_followed_as_it_is_spelled(sender: Sender, web: Web, method: str) -> None:
    """Not as the URL that led there."""
    web.answer = lambda asked: Answer(302, {"Location": "/b[]/%7e"}) if "first" in asked.path else Answer()
    attempt(sender, an_entry(web.url("/first/%7e"), method))

    assert [asked.path for asked in web.asked][1:] == (["/b[]/%7e"] if method == "GET" else [])


def test_repeated_parameters_are_signed_as_twilio_does(sender: Sender, web: Web) -> None:
    """Each distinct value once, sorted."""
    entry = an_entry(web.url(), parameters=(("b", "2"), ("a", "z"), ("a", "y"), ("a", "z")))
    attempt(sender, entry)
    (asked,) = web.asked
    from werkzeug.datastructures import MultiDict

    posted = MultiDict(parse_qsl(asked.body))

    assert RequestValidator(TOKEN).validate(web.url(), posted, asked.headers["X-Twilio-Signature"])


def test_the_signature_is_made_with_the_token_of_the_moment(sender: Sender, web: Web) -> None:
    """A token that is rotated between two attempts signs the second one."""
    for token in (TOKEN, "b" * 32):
        attempt(sender, an_entry(web.url()), token)
    first, second = web.asked

    assert RequestValidator("b" * 32).validate(web.url(), second.form, second.headers["X-Twilio-Signature"])
    assert first.headers["X-Twilio-Signature"] != second.headers["X-Twilio-Signature"]


@pytest.mark.parametrize(
    ("userinfo", "sent"),
    [("user:pass", "user:pass"), ("user", "user"), ("u%40x:p%3A%25", "u@x:p:%"), (":", ":"), ("%E2%82%AC:x", "€:x")],
)
def test_userinfo_is_sent_as_basic_authentication(sender: Sender, web: Web, userinfo: str, sent: str) -> None:
    """Decoded, in UTF-8; never in the request line."""
    result = attempt(sender, an_entry(web.url(userinfo=f"{userinfo}@")))
    (asked,) = web.asked

    assert result.status == 200
    assert base64.b64decode(asked.headers["Authorization"].removeprefix("Basic ")).decode() == sent


def test_a_fragment_is_neither_sent_nor_signed() -> None:
    """Connection overrides are ours to read."""
    assert request_urls(an_entry("http://u:p@h:81/x?y=1#rc=2")) == ("http://h:81/x?y=1", "http://u:p@h:81/x?y=1")


# ------------------------------------------------------------ redirects


def _redirects(count: int) -> object:
    def answer(asked: Asked) -> Answer:
        at = int(urlsplit(asked.path).path.strip("/") or 0)
        return Answer(302, {"Location": f"/{at + 1}"}) if at < count else Answer(204)

    return answer


@pytest.mark.parametrize(("count", "status"), [(1, 204), (MAX_REDIRECTS, 204), (MAX_REDIRECTS + 1, 302)])
def test_a_get_is_followed_up_to_five_times(sender: Sender, web: Web, count: int, status: int) -> None:
    """After that the redirect itself is the answer: the receiver has had the event."""
    web.answer = _redirects(count)  # type: ignore[assignment]
    result = attempt(sender, an_entry(web.url("/0"), "GET"))

    assert result.status == status
    assert len(web.asked) == min(count, MAX_REDIRECTS) + 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_post_is_never_followed(sender: Sender, web: Web, status: int) -> None:
    """It would lose its parameters, or be sent to somebody else."""
    web.answer = lambda _: Answer(status, {"Location": "/elsewhere"})

    assert attempt(sender, an_entry(web.url())).status == status
    assert len(web.asked) == 1


def test_credentials_do_not_follow_to_another_host(sender: Sender, web: Web) -> None:
    """They were given for this one."""
    other = Web()
    other.start()
    web.answer = lambda _: Answer(302, {"Location": other.url("/there").replace("127.0.0.1", "localhost")})
    try:
        attempt(sender, an_entry(web.url(userinfo="user:secret@"), "GET"))
        (asked,) = other.asked
    finally:
        other.stop()

    assert "Authorization" not in asked.headers


@pytest.mark.parametrize("location", ["ftp://x/", "http://[", "file:///etc/passwd", "//", "http://:0/", "\x01"])
def test_a_redirect_to_nowhere_is_a_failed_attempt(sender: Sender, web: Web, location: str) -> None:
    """And no crash of ours."""
    web.answer = lambda asked: Answer(302, {"Location": location}) if asked.path.startswith("/start") else Answer(404)
    result = attempt(sender, an_entry(web.url("/start"), "GET"))

    assert result.status in (0, 302, 404)


# ------------------------------------------------------------ receivers that misbehave


@pytest.fixture
def raw() -> Iterator[tuple[int, list[bytes]]]:
    """A port that answers every connection with what the list holds, and hangs up."""
    listener = socket.create_server(("127.0.0.1", 0))
    says: list[bytes] = []

    def serve() -> None:
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            with peer:
                peer.recv(65536)
                peer.sendall(b"".join(says))

    threading.Thread(target=serve, daemon=True).start()
    yield listener.getsockname()[1], says
    listener.close()


@pytest.mark.parametrize(
    "says",
    [
        b"",
        b"\x00\xff garbage",
        b"HTTP/1.1 999999 no\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 300 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_whatever_a_receiver_says_is_an_attempt(
    sender: Sender, raw: tuple[int, list[bytes]], says: bytes, method: str
) -> None:
    """A status or an error's name; never an exception, which would poison the lane."""
    port, answers = raw
    answers.append(says)
    result = attempt(sender, an_entry(f"http://127.0.0.1:{port}/", method))

    assert result.status == 200 or (result.status, bool(result.error)) == (0, True) or result.status == 100


def test_nobody_listening_is_an_attempt(sender: Sender) -> None:
    """Status 0 and the error's name."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        result = attempt(sender, an_entry(f"http://127.0.0.1:{held.getsockname()[1]}/"))

    assert result.status == 0
    assert result.error


@given(
    st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126), max_size=40),
    st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126), max_size=20),
    st.sampled_from(["GET", "POST"]),
)
def test_no_url_that_a_client_can_set_raises(rest: str, userinfo: str, method: str) -> None:
    """Every URL that the API accepts leads to an attempt. No host of it has an address, so nothing is sent."""

    def refuse(_: str) -> NoReturn:
        raise socket.gaierror("no such host")

    pool = OutgoingPool(refuse, ssl_context=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    sender = Sender(pool, DIALECTS.sign, time.monotonic)
    for url in (f"http://{userinfo}@h/{rest}", f"http://{rest}", f"http://{userinfo}@{rest}"):
        try:
            p.url("StatusCallback", [url])
        except BadParameter:
            continue
        assert attempt(sender, an_entry(url, method)).status == 0


def test_a_large_answer_is_not_read_to_its_end(sender: Sender, web: Web) -> None:
    """Nobody wants it, and it may never end."""
    web.answer = lambda _: Answer(200, {}, b"x" * 50_000_000)

    assert attempt(sender, an_entry(web.url())).status == 200
    assert web.was_cut_off.wait(PATIENCE)


TRICKLE = """
    from gevent import monkey; monkey.patch_all()
    import socket, sys, time, gevent
    from orchestrator.callbacks.deliver import Sender
    from orchestrator.callbacks.overrides import Overrides
    from orchestrator.dialects.registry import DIALECTS
    from tests.unit.callbacks.web import TOKEN, an_entry
    from tests.unit.outbox import loopback_pool
    listener = socket.create_server(("127.0.0.1", 0))
    start = sys.argv[1].encode()
    def serve():
        peer, _ = listener.accept()
        peer.sendall(start)
        while True:
            peer.sendall(b"x")
            gevent.sleep(0.1)
    gevent.spawn(serve)
    started = time.monotonic()
    entry = an_entry("http://127.0.0.1:%d/" % listener.getsockname()[1], "POST")
    with gevent.Timeout(15, AssertionError("still going on")):
        result = Sender(loopback_pool(), DIALECTS.sign, time.monotonic).deliver_callback(
            entry, TOKEN, Overrides(connect_ms=300, read_ms=300), 0.6)
    print(result.status, result.failure, time.monotonic() - started < 15)
"""


@pytest.mark.parametrize(
    ("start", "status"), [("HTTP/1.1 200 OK\r\nX: ", 0), ("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", 200)]
)
def test_a_receiver_that_trickles_is_cut_off(start: str, status: int) -> None:
    """A byte now and then resets every timeout of a read; the attempt as a whole has a deadline, or a few such
    receivers would take all places of a worker. An answer whose status has come counts."""
    code = textwrap.dedent(TRICKLE)
    done = subprocess.run([sys.executable, "-c", code, start], capture_output=True, text=True, timeout=60, check=False)

    failure = "None" if status else "rt"
    assert done.stdout.split() == [str(status), failure, "True"], done.stderr[-500:]


FLOODED = """
from orchestrator.callbacks.deliver import Sender
from orchestrator.callbacks.overrides import Overrides
from tests.unit.callbacks.web import TOKEN, an_entry
from tests.unit.outbox import loopback_pool
result = Sender(loopback_pool(), lambda *_: {}, time.monotonic).deliver_callback(
    an_entry(url), TOKEN, Overrides(), 0.5
)
print(result.status, result.error)
"""


@pytest.mark.parametrize(("kind", "said"), [("continue", "0 Timeout"), ("gzip's name", "200 Timeout")])
def test_a_receiver_that_floods_is_cut_off(kind: str, said: str) -> None:
    """However fast it sends, the attempt's deadline holds and the worker's other lanes go on."""
    with flooding(kind) as port:
        assert watch(FLOODED, f"http://127.0.0.1:{port}/") == [*said.split(), "True", "True", "True"]


# ------------------------------------------------------------ what an attempt says


@pytest.mark.parametrize(
    ("status", "failure"),
    [(200, None), (204, None), (299, None), (302, "4xx"), (404, "4xx"), (429, "4xx"), (500, "5xx"), (599, "5xx")],
)
def test_an_answer_s_class_is_the_kind_of_failure(sender: Sender, web: Web, status: int, failure: str | None) -> None:
    """Twilio's words for it, which retry policies are made of."""
    web.answer = lambda _: Answer(status, {"Retry-After": "7"}, b"body" if status != 204 else b"")
    result = attempt(sender, an_entry(web.url()))

    assert (result.status, result.failure, result.retry_after) == (status, failure, "7")
    assert result.answer == ("body" if status != 204 else "")


def test_the_start_of_an_answer_is_kept(sender: Sender, web: Web) -> None:
    """So much of it that an operator sees what the receiver complained of; bytes that are no text are marked."""
    web.answer = lambda _: Answer(500, {}, b"\xff" + b"x" * 10_000)
    result = attempt(sender, an_entry(web.url()))

    assert result.answer == "\ufffd" + "x" * (ANSWER_BYTES - 1)


def test_a_connection_is_used_again(sender: Sender, web: Web) -> None:
    """Also after an answer that was an error: it was read."""
    ports = []
    web.answer = lambda _: Answer(500, {}, b"short")
    for _ in range(3):
        attempt(sender, an_entry(web.url()))
        (pool,) = [sender._pool.pools[key] for key in sender._pool.pools.keys()]  # noqa: SIM118 -- it only has keys()
        ports.append(pool.num_connections)

    assert ports == [1, 1, 1]


def test_no_connection_is_another_failure_than_no_answer(sender: Sender, web: Web) -> None:
    """`ct` was not told; `rt` may have been."""
    gate = threading.Event()

    def answer(_: Asked) -> Answer:
        gate.wait(5)
        return Answer()

    web.answer = answer
    silent = attempt(sender, an_entry(web.url("/#rt=100")))
    gate.set()
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        away = attempt(sender, an_entry(f"http://127.0.0.1:{held.getsockname()[1]}/"))

    assert (silent.failure, silent.error, away.failure, away.error) == (
        "rt", "ReadTimeoutError", "ct", "NewConnectionError",
    )  # fmt: skip
    assert silent.milliseconds >= 100


def test_a_connection_that_is_not_made_in_time_is_given_up(sender: Sender) -> None:
    """ct: a listener whose backlog is full answers nobody."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        crowd = [socket.socket() for _ in range(4)]
        for one in crowd:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        started = time.monotonic()
        result = attempt(sender, an_entry(f"http://127.0.0.1:{port}/#ct=150&tt=15000"))
        for one in crowd:
            one.close()

    assert (result.failure, result.error) == ("ct", "ConnectTimeoutError")
    assert time.monotonic() - started < 10


def test_an_address_that_is_not_allowed_is_not_asked(web: Web) -> None:
    """Said as such: another try would not do better. Also when a redirect leads there."""
    guarded = Sender(OutgoingPool(Resolver().resolve), DIALECTS.sign, time.monotonic)
    result = attempt(guarded, an_entry(web.url()))
    assert (result.is_refused, result.error, result.failure, web.asked) == (True, "AddressRefused", "ct", [])

    inside = OutgoingPool(Resolver().resolve, [ip_network("127.0.0.1/32")])
    web.answer = lambda _: Answer(302, {"Location": "http://127.0.0.2:1/"})
    assert attempt(Sender(inside, DIALECTS.sign, time.monotonic), an_entry(web.url(), "GET")).is_refused


@pytest.mark.parametrize(
    ("url", "receiver"),
    [
        ("http://App.Example/x", "app.example"), ("https://u:p%40@app.example:8443/x?y#rc=1", "app.example:8443"),
        ("http://[::1]:80/", "[::1]:80"),
    ],
)  # fmt: skip
def test_a_receiver_is_a_host_and_a_port(url: str, receiver: str) -> None:
    """Never with the credentials: it is shown to operators."""
    assert receiver_of(an_entry(url)) == receiver
