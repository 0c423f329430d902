"""HTTP's caching rules, as servers state them."""

from __future__ import annotations

import time
from email.utils import formatdate
from typing import Any

import pytest

from tests.unit.callbacks.web import Answer, Asked, Web
from tests.unit.media.conftest import ONE, Stage
from tests.unit.media.test_decode import MP3


def served(web: Web, **headers: str) -> None:
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    def answer(asked: Asked) -> Answer:
        known = asked.headers.get("If-None-Match", "-"), asked.headers.get("If-Modified-Since", "-")
        if set(known) & {named.get("ETag"), named.get("Last-Modified")}:
            return Answer(304, named)
        is_document = named.get("Content-Type") == "text/xml"
        return Answer(headers={"Content-Type": "audio/mpeg", **named}, body=b"<Response/>" if is_document else MP3)

    web.answer = answer


def conditional(web: Web) -> list[bool]:
    return ["If-None-Match" in asked.headers or "If-Modified-Since" in asked.headers for asked in web.asked]


LONG_AGO = formatdate(time.time() - 100_000, usegmt=True)
SOON = formatdate(time.time() + 1_000, usegmt=True)
CASES: list[tuple[dict[str, str], list[bool]]] = [
    ({"Cache_Control": "max-age=60"}, [False]),
    ({"Cache_Control": "private, max-age=60"}, [False]),
    ({"Expires": SOON}, [False]),
    ({"Cache_Control": "max-age=60", "Vary": "Accept, User-Agent"}, [False]),
    ({"Cache_Control": "no-store", "ETag": '"1"'}, [False, False]),
    ({"Cache_Control": "no-cache", "ETag": '"1"'}, [False, True]),
    ({"Cache_Control": "max-age=0", "ETag": 'W/"1"'}, [False, True]),
    ({"Cache_Control": "max-age=60", "Age": "100", "Last_Modified": LONG_AGO}, [False, True]),
    ({"Cache_Control": "max-age=60", "Vary": "*"}, [False, False]),
    ({"Expires": LONG_AGO, "ETag": '"1"'}, [False, True]),
    ({"Expires": LONG_AGO}, [False, False]),
    ({"Last_Modified": LONG_AGO}, [False]),  # fresh for a tenth of its age
    ({"Pragma": "no-cache"}, [False, False]),
    ({}, [False]),  # fresh for minutes
]


@pytest.mark.parametrize(("headers", "asked"), CASES)
def test_an_answer_is_kept_as_its_headers_say(
    stage: Stage, web: Web, headers: dict[str, str], asked: list[bool]
) -> None:
    """Fresh: not asked again. Stale with a validator: asked whether it has changed. no-store: asked for again."""
    served(web, **headers)
    renderings = [stage.loader._fetcher.fetch_audio(web.url("/a.mp3"), ONE) for _ in range(2)]

    assert renderings[0] == renderings[1], "the same bytes are the same clip, however they came"
    assert conditional(web) == asked


def test_a_redirect_that_says_nothing_of_age_is_asked_for_again(stage: Stage, web: Web) -> None:
    """It may lead elsewhere each time; the audio itself is not."""
    web.answer = lambda asked: (
        Answer(302, {"Location": "/b.mp3"})
        if asked.path == "/a"
        else Answer(headers={"Content-Type": "audio/mpeg"}, body=MP3)
    )
    for _ in range(2):
        stage.loader._fetcher.fetch_audio(web.url("/a"), ONE)

    assert [asked.path for asked in web.asked] == ["/a", "/b.mp3", "/a"]


def test_a_revalidated_answer_is_fresh_again(stage: Stage, web: Web) -> None:
    """A 304's headers take the place of those that were kept."""
    served(web, Cache_Control="max-age=0", ETag='"1"')
    stage.load(web.url("/a.mp3"))
    served(web, Cache_Control="max-age=60", ETag='"1"')
    for _ in range(3):
        stage.load(web.url("/a.mp3"))

    assert conditional(web) == [False, True]


def test_an_answer_that_has_changed_takes_its_place(stage: Stage, web: Web) -> None:
    """Revalidation that brings a new answer."""
    pages: list[Any] = ["<Response/>", "<Response><Pause/></Response>"]
    web.answer = lambda asked: Answer(
        headers={"Content-Type": "text/xml", "Cache-Control": "no-cache", "ETag": f'"{len(pages)}"'},
        body=pages.pop(0).encode(),
    )

    assert [len(stage.load(web.url("/doc")).clips) for _ in range(2)] == [0, 1]


@pytest.mark.parametrize(
    ("headers", "asked"),
    [
        ({"Last_Modified": LONG_AGO}, [False, True, True]),
        ({"Last_Modified": LONG_AGO, "Cache_Control": "private"}, [False, True, True]),
        ({"Last_Modified": LONG_AGO, "Expires": SOON}, [False]),
        ({"Last_Modified": LONG_AGO, "Cache_Control": "Max-Age=60"}, [False]),
    ],
)
def test_a_document_is_fresh_only_if_it_says_so(
    stage: Stage, web: Web, headers: dict[str, str], asked: list[bool]
) -> None:
    """Who edits hold.xml does not wait for a tenth of its age; asking whether it has changed costs little."""
    served(web, **headers, Content_Type="text/xml")
    for _ in range(3):
        stage.load(web.url("/hold.xml"))

    assert conditional(web) == asked


def test_what_a_304_does_not_say_is_as_it_was(stage: Stage, web: Web) -> None:
    """A document stays fresh for the time that it first said."""
    answers = [Answer(304), Answer(200, {"Cache-Control": "max-age=60", "Age": "90", "ETag": "1"}, b"<Response/>")]
    answers[1].headers["Content-Type"] = "text/xml"
    web.answer = lambda asked: answers.pop()
    for _ in range(3):
        stage.load(web.url("/hold.xml"))

    assert conditional(web) == [False, True]


def test_documents_that_were_posted_for_are_never_kept(stage: Stage, web: Web) -> None:
    """Whatever their headers say; those of a GET are kept per URL with its parameters."""
    web.answer = lambda asked: Answer(
        headers={"Content-Type": "text/xml", "Cache-Control": "max-age=60"}, body=b"<Response/>"
    )
    for _ in range(2):
        stage.load(web.url("/doc"), "POST")
        stage.load(web.url("/doc"), "GET", (("CallSid", "CA1"),))
        stage.load(web.url("/doc"), "GET", (("CallSid", "CA2"),))

    assert [asked.method for asked in web.asked] == ["POST", "GET", "GET", "POST"]


def test_a_failure_is_not_kept(stage: Stage, web: Web) -> None:
    """Even one that its server wants to be kept."""
    web.answer = lambda asked: Answer(404, {"Cache-Control": "max-age=60"})
    code = stage.code(web.url("/a.mp3"))
    served(web)

    assert code == 11217
    assert len(stage.load(web.url("/a.mp3")).clips) == 1


def test_a_kept_answer_takes_little_room(stage: Stage, web: Web) -> None:
    """Audio is kept once, as the clip; the note of it is small."""
    served(web, Cache_Control="max-age=60")
    stage.load(web.url("/a.mp3"))
    notes = [int(stage.client.strlen(name)) for name in stage.client.scan_iter("*note*")]

    assert len(notes) == 2, "of the answer, and of the rendering"
    assert max(notes) < 1000
