"""Every way in which a server can misbehave has its code, and an end."""

from __future__ import annotations

import errno
import gzip
import resource
import ssl
import subprocess
import sys
import textwrap
import zlib
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest
import redis
from structlog.testing import capture_logs

from orchestrator.children import free_port
from orchestrator.media.errors import MediaError
from orchestrator.media.program import Source
from orchestrator.media.slots import Slots
from orchestrator.outgoing.networks import Address, parse_networks
from orchestrator.outgoing.pool import OutgoingPool
from orchestrator.outgoing.resolver import Resolver
from tests.unit.callbacks.web import Answer, Web
from tests.unit.media.conftest import ONE, Stage, make_stage
from tests.unit.media.test_decode import MP3

XML = {"Content-Type": "text/xml"}
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\n"


def page(body: bytes, kind: str = "text/xml", **headers: str) -> Answer:
    return Answer(200, {"Content-Type": kind, **{name.replace("_", "-"): text for name, text in headers.items()}}, body)


ANSWERS: list[tuple[str, Answer, int]] = [
    ("a missing page", Answer(404), 11217),
    ("a broken server", Answer(500, XML, b"<Response/>"), 11217),
    ("a choice", Answer(300, {"Location": "/"}), 11216),
    ("nothing", page(b""), 11770),
    ("no content", Answer(204, XML), 11770),
    ("no audio", page(b"", "audio/mpeg"), 11770),
    ("HTML", page(b"<!doctype html><html><body>Hello</body></html>", "text/html"), 12100),
    ("XHTML", page(b"<html><body>Hello</body></html>", "text/html"), 12102),
    ("laughs", page(b'<!DOCTYPE r [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><Response><Say>&b;</Say></Response>'), 12100),
    ("another verb", page(b"<Response><Dial>1</Dial></Response>"), 13238),
    ("JSON", page(b"{}", "application/json"), 12300),
    ("a picture", page(b"\x89PNG", "image/png"), 12300),
    ("bytes", page(b"hello", "application/octet-stream"), 12300),
    ("bytes called audio", page(b"\xff\xfb" + b"hello" * 999, "audio/mpeg"), 12300),
    ("HTML called audio", page(b"<html/>", "audio/wav"), 12300),
    ("a film", page(b"\0\0\0\x18ftypmp42", "video/mp4"), 12300),
    ("reset content", Answer(205, XML), 11770),
    ("accepted, and no more", Answer(202, XML), 11770),
    ("a large page of another kind", page(b"{}" * 40_000, "application/json"), 12300),
    ("a large document", page(b"<Response>" + b" " * 65_536 + b"</Response>"), 11750),
    ("much text", page(b"word " * 900, "text/plain"), 13521),
    ("a played document", page(b"<Response><Play>/</Play></Response>"), 13420),
    ("a played file", page(b"<Response><Play>file:///etc/passwd</Play></Response>"), 11100),
    ("no URL", page(b"<Response><Play>http://[::1</Play></Response>"), 11100),
    ("a redirect to a file", Answer(302, {"Location": "file:///etc/passwd"}), 11216),
    ("a bad redirect", Answer(302, {"Location": "http://[bad"}), 11216),
    ("a redirect to no port", Answer(302, {"Location": "http://h:x/"}), 11216),
    ("a redirect to a port too far", Answer(302, {"Location": "http://h:99999/"}), 11216),
    ("a redirect to a script", Answer(307, {"Location": "javascript:alert(1)"}), 11216),
    ("a redirect to nowhere", Answer(302), 11216),
    ("another compression", page(b"<Response/>", Content_Encoding="br"), 12300),
    ("two compressions", page(b"<Response/>", Content_Encoding="gzip, deflate"), 12300),
    ("broken compression", page(b"<Response/>", Content_Encoding="gzip"), 12300),
    ("half a gzip", page(gzip.compress(MP3)[:-9], "audio/mpeg", Content_Encoding="gzip"), 12300),
    ("a gzip without its sum", page(gzip.compress(b"<Response/>")[:-4], Content_Encoding="gzip"), 12300),
    ("no gzip at all", page(b"", Content_Encoding="gzip"), 11770),
    ("a 304 that nobody asked for", Answer(304), 11216),
    ("a 304 that leads away", Answer(304, {"Location": "/"}), 11216),
    ("a long redirect", Answer(302, {"Location": "/" + "a" * 4_090}), 11100),
    ("long headers", page(b"<Response/>", Cache_Control="a" * 5000), 11200),
]


@pytest.mark.parametrize(("answer", "code"), [row[1:] for row in ANSWERS], ids=[row[0] for row in ANSWERS])
def test_an_answer_that_cannot_be_used_has_its_code(stage: Stage, web: Web, answer: Answer, code: int) -> None:
    """wire-contract sections 9.1 and 10."""
    web.answer = lambda asked: answer

    assert stage.code(web.url("/doc")) == code


def test_redirects_end(stage: Stage, web: Web) -> None:
    """Five by HTTP, whatever the method; ten by documents."""
    web.answer = lambda asked: Answer(307, {"Location": f"{asked.path}x"})
    by_http, posted = stage.code(web.url("/doc")), stage.code(web.url("/doc"), "POST")
    requests = len(web.asked)
    web.answer = lambda asked: page(b"<Response><Redirect/></Response>")
    by_documents = stage.code(web.url("/doc"))

    assert (by_http, posted, by_documents) == (11215, 11215, 11215)
    assert (requests, len(web.asked)) == (12, 23)


@pytest.mark.parametrize("kind", ["audio/mpeg", "text/xml", "application/octet-stream"])
def test_size_is_bounded_whatever_is_declared(stage: Stage, raw: Callable[[bytes], str], kind: str) -> None:
    """A length that is too large is not waited for, and what has none is counted: 50 MB are not read."""
    head = HEAD % kind.encode()
    declared = raw(head + b"Content-Length: 52428800\r\n\r\n")
    endless = raw(head + b"\r\n" + bytes(50 * 1024 * 1024))

    assert (stage.code(f"http://{declared}/"), stage.code(f"http://{endless}/")) == (11750, 11750)


@pytest.mark.parametrize("kind", ["audio/mpeg", "text/xml"])
def test_size_is_bounded_after_decompression(stage: Stage, web: Web, kind: str) -> None:
    """A gzip of 400 MB takes neither its time nor its memory."""
    squeeze = zlib.compressobj(9, wbits=31)
    bomb = b"".join(squeeze.compress(bytes(1024 * 1024)) for _ in range(400)) + squeeze.flush()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    web.answer = lambda asked: page(bomb, kind, Content_Encoding="gzip")
    code = stage.code(web.url("/"))

    assert code == 11750
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000, "kB"


@pytest.mark.parametrize(
    ("coding", "body"),
    [("gzip", gzip.compress(MP3)), ("X-GZip", gzip.compress(MP3)), ("gzip, identity", gzip.compress(MP3)),
     ("deflate", zlib.compress(MP3)), ("UTF-8", MP3), ("none", MP3), ("binary", MP3), ("aws-chunked", MP3), ("", MP3)],
)  # fmt: skip
def test_compression_that_was_not_asked_for_is_understood(stage: Stage, web: Web, coding: str, body: bytes) -> None:
    """Some servers cannot do otherwise; and what names no compression is none, as for browsers."""
    web.answer = lambda asked: page(body, "audio/mpeg", Content_Encoding=coding)

    assert len(stage.load(web.url("/")).clips) == 1


def test_a_gzip_may_have_several_members(stage: Stage, web: Web) -> None:
    """As pigz writes it (RFC 1952, 2.2): all of them are the file."""
    web.answer = lambda asked: page(MP3, "audio/mpeg")
    whole = stage.load(web.url("/whole")).clips[0].duration_ms
    members = b"".join(gzip.compress(MP3[at : at + 1000]) for at in range(0, len(MP3), 1000))
    web.answer = lambda asked: page(members, "audio/mpeg", Content_Encoding="gzip")

    assert stage.load(web.url("/members")).clips[0].duration_ms == whole


def test_a_gzip_ends_where_it_says(stage: Stage, raw: Callable[[bytes], str]) -> None:
    """What comes behind it, and never ends, is not waited for."""
    said = HEAD % b"audio/mpeg" + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(MP3) + bytes(100_000)

    assert len(stage.load(f"http://{raw(said)}/#tt=2000").clips) == 1


def test_size_is_bounded_before_decompression(stage: Stage, raw: Callable[[bytes], str]) -> None:
    """A gzip may have a name, which is as long as it likes to be and yields nothing."""
    head = HEAD % b"text/xml" + b"Content-Encoding: gzip\r\n\r\n\x1f\x8b\x08\x08\0\0\0\0\0\3"

    assert stage.code(f"http://{raw(head + b'n' * 200_000)}/#tt=2000") == 11750


def test_urls_do_not_grow_without_bound(stage: Stage, web: Web) -> None:
    """Each document redirects to one a directory deeper; 4096 characters are the most."""
    document = b"<Response><Redirect method='GET'>%s/doc</Redirect></Response>" % (b"a" * 999)
    web.answer = lambda asked: page(document)

    assert stage.code(web.url("/doc")) == 11100
    assert stage.code(web.url("/doc#" + "x" * 4_100)) == 11100
    assert len(web.asked) == 5


def test_a_full_disk_is_our_failure(stage: Stage, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """11200 and a line in the log: the server has done nothing wrong."""

    def refuse() -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("orchestrator.media.http.tempfile.TemporaryFile", refuse)
    web.answer = lambda asked: page(b"<Response/>")
    with capture_logs() as logs:
        code = stage.code(web.url("/"))

    assert (code, logs[0]["event"]) == (11200, "rendering_failed")


# ------------------------------------------------------------ below HTTP


def test_nobody_listens(stage: Stage) -> None:
    """Refused; tried once more, as rc and rp say."""
    assert stage.code(f"http://127.0.0.1:{free_port()}/") == 11202


def test_a_server_that_says_nothing_is_not_waited_for(
    stage: Stage, raw: Callable[[bytes], str], elapsed: Callable[[], float]
) -> None:
    """At most as long as the URL's fragment says."""
    server = raw(b"")

    assert stage.code(f"http://{server}/#tt=300") == stage.code(f"http://{server}/#rt=300&rp=4xx") == 11203
    assert 0.5 < elapsed() < 12


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (b"SSH-2.0-x\r\n", 11205),
        (HEAD % b"text/xml" + b"Content-Length: 500\r\n\r\n<Resp", 11203),
        (b"\r\n" * 9, 11205),
    ],
)
def test_what_is_no_http_is_a_broken_connection(
    stage: Stage, raw: Callable[[bytes], str], said: bytes, code: int
) -> None:
    """And an answer that stops in the middle is one that is late."""
    assert stage.code(f"http://{raw(said)}/#tt=400") == code


def test_a_certificate_of_nobodys_is_refused(stage: Stage, tmp_path: Path) -> None:
    """11220, as for a server that speaks no TLS at all."""
    made = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key -out cert -subj /CN=a -days 2"
    subprocess.run(["openssl", *made.split()], cwd=tmp_path, check=True, capture_output=True)  # noqa: S607  # openssl from PATH
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert", tmp_path / "key")
    web = Web()
    web.start()
    plain = stage.code(f"https://127.0.0.1:{web.port}/")
    web._server.socket = context.wrap_socket(web._server.socket, server_side=True)
    self_signed = stage.code(f"https://127.0.0.1:{web.port}/")
    web.stop()

    assert (plain, self_signed) == (11220, 11220)


def _resolving(*answers: str) -> Iterator[list[Address]]:
    yield from ([ip_address(answer)] for answer in answers)


def test_addresses_that_are_not_listed_are_refused(client: redis.Redis, web: Web) -> None:
    """Loopback, the clouds' metadata service, and one that a name has changed to since the last time."""
    answers = _resolving("127.0.0.1", "169.254.169.254")
    listed = make_stage(client, OutgoingPool(lambda host: next(answers), parse_networks("127.0.0.1")))
    unlisted = make_stage(client, OutgoingPool(Resolver().resolve))
    web.answer = lambda asked: Answer(302, {"Location": "http://a.test:1/"})

    assert unlisted.code(web.url("/")) == 11210
    assert unlisted.code("http://[::ffff:169.254.169.254]/latest") == 11210
    assert listed.code(f"http://a.test:{web.port}/") == 11210
    assert len(web.asked) == 1


@pytest.mark.parametrize("url", ["http://no.such.host.invalid/", "http://1.2.3.4.5/"])
def test_a_name_without_an_address_is_a_bad_host(stage: Stage, url: str) -> None:
    """11210."""
    assert stage.code(url) == 11210


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ftp://a/b",
        "file:///etc/passwd",
        "http://",
        "http:///x",
        "//a/b",
        "http://a:99999/",
        "http://[::1",
        "http://a:x/",
    ],
)
def test_what_is_no_url_is_not_asked_for(stage: Stage, url: str) -> None:
    """11100."""
    assert stage.code(url) == 11100


def test_retries_are_what_the_fragment_says(stage: Stage, web: Web) -> None:
    """None for an answer, unless rp asks for them."""
    web.answer = lambda asked: Answer(503)
    for fragment in ("", "#rc=3", "#rc=3&rp=5xx", "#rc=2&rp=4xx"):
        stage.code(web.url(f"/{fragment}"))

    assert len(web.asked) == 1 + 1 + 4 + 1


def test_an_account_that_is_gone_gets_nothing(stage: Stage, web: Web) -> None:
    """Its requests could not be signed."""
    with pytest.raises(MediaError) as refused:
        stage.loader.load_program(Source(web.url("/"), "GET", (), "AC" + "9" * 32))

    assert (refused.value.code, web.asked) == (11200, [])


UNDER_GEVENT = """
from gevent import monkey
monkey.patch_all()
import itertools, sys, time
import gevent, gevent.server
from orchestrator.media.errors import MediaError
from orchestrator.media.program import Source
from orchestrator.store.connection import connect
from tests.unit.outbox import loopback_pool
from tests.unit.media.conftest import ONE, TWO, make_stage

HEAD = b"HTTP/1.1 200 OK\\r\\nContent-Type: text/xml\\r\\n"
def drip(said):
    def talk(connected, peer):
        connected.recv(65536)
        connected.sendall(said)
        try:
            for byte in itertools.repeat(b"a"):
                gevent.sleep(0.1)
                connected.sendall(byte)
        except OSError:
            pass
    server = gevent.server.StreamServer(("127.0.0.1", 0), talk)
    server.start()
    return f"http://127.0.0.1:{server.server_port}/#tt=500"
def answer(connected, peer):
    connected.recv(65536)
    gevent.sleep(0.3)
    connected.sendall(HEAD + b"Content-Length: 11\\r\\nConnection: close\\r\\n\\r\\n<Response/>")
    connected.close()
quick = gevent.server.StreamServer(("127.0.0.1", 0), answer)
quick.start()
stage = make_stage(connect(sys.argv[1]), loopback_pool())
def attempt(url, account=ONE):
    started = time.monotonic()
    try:
        stage.loader.load_program(Source(url, "GET", (), account))
        code = 0
    except MediaError as error:
        code = error.code
    return code, time.monotonic() - started
drips = [drip(HEAD + b"Content-Length: 9999\\r\\n\\r\\n"), drip(HEAD), drip(b"HTTP/1.1 200 O"), drip(HEAD + b"\\r\\n")]
print(*(code for code, took in map(attempt, drips) if took < 1.5))
slots = [0]
def count():
    while True:
        slots[0] += 1
        gevent.sleep(0.001)
counting = gevent.spawn(count)
url = f"http://127.0.0.1:{quick.server_port}/"
crowd = [gevent.spawn(attempt, url + "#tt=15000") for _ in range(250)]
gevent.sleep(0.05)
print(*attempt(url, TWO)[:1], slots[0] > 3)
codes = [one.get()[0] for one in crowd]
print(codes.count(0), codes.count(11200))
"""


def test_under_gevent_every_wait_ends_and_nobody_waits_for_anothers_crowd(redis_url: str) -> None:
    """A byte every 0.1 s, in the headers or the body, ends at the total deadline; of 250 fetches at once of one account
    200 are done and the others refused, while another account's is done at once."""
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(UNDER_GEVENT), redis_url], cwd=Path(__file__).parents[3],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    lines = [line for line in ended.stdout.splitlines() if "media_failed" not in line]

    assert lines == ["11203 11203 11203 11203", "0 True", "200 50"], ended.stderr


def test_slots_are_given_back(stage: Stage, web: Web) -> None:
    """Whatever comes of them; and no account leaves a row behind."""
    slots = Slots(at_once=1, per_account=1, waiting=1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), slots.take(ONE, 1e12):
            1 / 0  # noqa: B018  # any error

    assert slots._accounts == {}
    with slots.take(ONE, 1e12), pytest.raises(MediaError, match="More than 1"), slots.take(ONE, 1e12):
        pass
