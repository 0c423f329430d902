"""Redirects of documents and audio, as browsers follow them; what is sent at each hop, and to whom."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pytest
from twilio.request_validator import RequestValidator

from orchestrator.media.fetch import Hop
from orchestrator.twiml.verbs import Method
from tests.unit.callbacks.web import TOKEN, Answer, Asked, Web
from tests.unit.media.conftest import PARAMETERS, Stage
from tests.unit.media.test_decode import MP3

DOCUMENT = Answer(headers={"Content-Type": "text/xml"}, body=b"<Response><Pause/></Response>")
VALIDATOR = RequestValidator(TOKEN)


@pytest.fixture
def other() -> Iterator[Web]:
    """A server under another host's name: localhost, where the first is 127.0.0.1."""
    made = Web(lambda asked: DOCUMENT)
    made.start()
    yield made
    made.stop()


def elsewhere(other: Web, path: str) -> str:
    return f"http://localhost:{other.port}{path}"


def redirect(web: Web, status: int, location: str) -> None:
    web.answer = lambda asked: Answer(status, {"Location": location}) if asked.path.startswith("/doc") else DOCUMENT


def signed_for(url: str, asked: Asked) -> bool:
    return bool(VALIDATOR.validate(url, asked.form, asked.headers.get("X-Twilio-Signature", "")))


@pytest.mark.parametrize(("status", "repeated"), [(301, False), (302, False), (303, False), (307, True), (308, True)])
def test_a_post_that_is_redirected_becomes_a_get_or_is_repeated(
    stage: Stage, web: Web, status: int, repeated: bool
) -> None:
    """307 and 308 with all its parameters; the others without any, for a redirect's URL is complete. Signed anew."""
    redirect(web, status, "/there?a=1")
    stage.load(web.url("/doc"), "POST", PARAMETERS)
    first, second = web.asked

    assert (second.method, second.path) == ("POST" if repeated else "GET", "/there?a=1")
    assert second.form == (dict(PARAMETERS) if repeated else {})
    assert ("Content-Type" in second.headers) is repeated
    assert signed_for(web.url("/doc"), first)
    assert signed_for(web.url("/there?a=1"), second)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_get_stays_a_get(stage: Stage, web: Web, status: int) -> None:
    """At the URL that the server gave, and no parameter more."""
    redirect(web, status, "/there?a=1")
    stage.load(web.url("/doc"), "GET", PARAMETERS)

    assert [(asked.method, asked.body) for asked in web.asked] == [("GET", ""), ("GET", "")]
    assert web.asked[1].path == "/there?a=1"
    assert signed_for(web.url("/there?a=1"), web.asked[1])


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("status", [302, 307])
def test_another_host_gets_no_credentials_and_no_signature(
    stage: Stage, web: Web, other: Web, status: int, method: Method
) -> None:
    """Whoever is there could show them to the first one."""
    redirect(web, status, elsewhere(other, "/there"))
    stage.load(web.url("/doc", "me:pw@"), method, PARAMETERS)
    (asked,) = other.asked

    assert not {"Authorization", "X-Twilio-Signature"} & asked.headers.keys()
    assert {"Authorization", "X-Twilio-Signature"} <= web.asked[0].headers.keys()


def test_nor_does_the_first_host_get_one_by_way_of_another(stage: Stage, web: Web, other: Web) -> None:
    """A stranger would have us sign any request that it likes."""
    redirect(web, 307, elsewhere(other, "/there"))
    other.answer = lambda asked: Answer(307, {"Location": web.url("/transfer?to=stranger")})
    stage.load(web.url("/doc", "me:pw@"), "POST", PARAMETERS)

    assert not {"Authorization", "X-Twilio-Signature"} & web.asked[-1].headers.keys()


def test_another_port_of_the_host_gets_no_credentials_and_no_signature(stage: Stage, web: Web) -> None:
    """Whose server it is nobody knows; and what is shown to it, it could show to the first one."""
    second = Web(lambda asked: DOCUMENT)
    second.start()
    redirect(web, 302, second.url("/there"))
    stage.load(web.url("/doc", "me:pw@"), "POST", PARAMETERS)
    second.stop()
    (asked,) = second.asked

    assert not {"Authorization", "X-Twilio-Signature"} & asked.headers.keys()


@pytest.mark.parametrize(
    ("here", "there", "is_signed"),
    [
        ("https://app.example/a", "https://APP.example:443/b", True),
        ("http://app.example/a", "https://app.example/b", True),  # the upgrade that every web server makes
        ("http://app.example:80/a", "https://app.example:443/b", True),
        ("https://app.example/a", "http://app.example/b", False),  # everybody on the way could read it
        ("http://app.example/a", "https://app.example:8443/b", False),
        ("http://app.example:8080/a", "https://app.example/b", False),
        ("https://app.example/a", "https://app.example:8443/b", False),
        ("https://app.example/a", "https://www.app.example/b", False),
    ],
)
def test_a_redirect_within_an_origin_is_signed(here: str, there: str, is_signed: bool) -> None:
    """A host, a port and a scheme are one origin; its plain HTTP may lead to its TLS, both at their usual ports."""

    def sign(url: str, posted: Sequence[tuple[str, str]]) -> Mapping[str, str]:
        return {}

    assert (Hop(here, "POST", (), sign).redirected(307, there).sign is sign) is is_signed


@pytest.mark.parametrize(
    ("location", "path"),
    [
        ("there", "/docs/there"), ("/there", "/there"), ("../there", "/there"), ("?a=1", "/docs/first?a=1"),
        ("//127.0.0.1:{port}/there", "/there"), ("HTTP://127.0.0.1:{port}/there", "/there"), (" /there ", "/there"),
        ("/there#part", "/there"), ("/a b", "/a%20b"), ("/f\u00c3\u00bcr", "/f%C3%BCr"), ("/%7ethere", None),
    ],
)  # fmt: skip
def test_a_location_is_written_in_many_ways(stage: Stage, web: Web, location: str, path: str | None) -> None:
    """Relative, without a scheme, with one in capitals, with a fragment, a space or letters of UTF-8 in it."""

    def answer(asked: Asked) -> Answer:
        first = asked.path == "/docs/first"
        return Answer(302, {"Location": location.format(port=web.port)}) if first else DOCUMENT

    web.answer = answer
    stage.load(web.url("/docs/first"), "POST", PARAMETERS)

    assert path is None or web.asked[1].path == path
    assert signed_for(web.url(web.asked[1].path), web.asked[1])


def test_a_loop_ends(stage: Stage, web: Web) -> None:
    """11215, after the first request and five more."""
    redirect(web, 308, "/doc")

    assert stage.code(web.url("/doc"), "POST", PARAMETERS) == 11215
    assert len(web.asked) == 6


def test_a_cookie_comes_back_at_the_next_hop_and_to_nobody_else(stage: Stage, web: Web, other: Web) -> None:
    """As browsers do it: some servers redirect to themselves until it does. The next fetch begins without."""

    def answer(asked: Asked) -> Answer:
        if "seen=1" in asked.headers.get("Cookie", ""):
            return Answer(302, {"Location": elsewhere(other, "/there")})
        return Answer(302, {"Location": asked.path, "Set-Cookie": "seen=1; Path=/; HttpOnly"})

    web.answer = answer
    for _ in range(2):
        stage.load(web.url("/doc"), "POST")

    assert [asked.headers.get("Cookie") for asked in web.asked] == [None, "seen=1"] * 2
    assert [asked.headers.get("Cookie") for asked in other.asked] == [None, None]


def test_audio_is_redirected_unsigned(stage: Stage, web: Web) -> None:
    """As it was asked for."""
    pages = {
        "/doc": Answer(headers={"Content-Type": "text/xml"}, body=b"<Response><Play>/a</Play></Response>"),
        "/a": Answer(308, {"Location": "/b.mp3"}),
    }
    web.answer = lambda asked: pages.get(asked.path, Answer(headers={"Content-Type": "audio/mpeg"}, body=MP3))
    stage.load(web.url("/doc"), "POST")

    assert ["X-Twilio-Signature" in asked.headers for asked in web.asked] == [True, False, False]


@pytest.mark.parametrize("status", [200, 201, 202, 203, 206, 226, 299])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_every_2xx_with_a_body_is_an_answer(stage: Stage, web: Web, status: int, method: Method) -> None:
    """A document's and audio's."""
    audio = Answer(status, {"Content-Type": "audio/mpeg", "Cache-Control": "max-age=60"}, MP3)
    document = Answer(status, {"Content-Type": "text/xml"}, b"<Response><Play>/a.mp3</Play></Response>")
    web.answer = lambda asked: document if asked.path == "/doc" else audio
    program = stage.load(web.url("/doc"), method)

    assert [clip.duration_ms for clip in program.clips] == [500]


def test_a_get_and_a_post_send_the_same_names(web: Web, stage: Stage) -> None:
    """Some receivers look for a header by its exact spelling; a conditional request's are spelt so, too."""
    names: list[list[str]] = []
    web.answer = lambda asked: Answer(
        headers={"Content-Type": "text/xml", "ETag": '"1"', "Cache-Control": "no-cache"}, body=b"<Response/>"
    )
    web.see_names = names.append
    methods: tuple[Method, ...] = ("POST", "GET", "GET")
    for method in methods:
        stage.load(web.url("/doc", "me:pw@"), method, PARAMETERS)
    posted, got, revalidated = (set(sent) for sent in names)

    assert posted >= {"User-Agent", "Accept", "Authorization", "X-Twilio-Signature", "Content-Type"}
    assert got == posted - {"Content-Type", "Content-Length"}
    assert revalidated == got | {"If-None-Match"}
