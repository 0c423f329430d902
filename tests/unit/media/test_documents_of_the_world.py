"""Sixty documents as people write them, each with what is heard; forty kinds of audio are in test_decode.py."""

from __future__ import annotations

import pytest

from orchestrator.media.content import charset_of, kind_of
from orchestrator.twiml.document import parse_document, parse_text
from orchestrator.twiml.verbs import Document, DocumentError, Pause, Play, Say, Unplayable, Verb
from tests.unit.media.documents import ROWS


def heard(content_type: str, body: bytes) -> list[str]:
    """As the loader goes about it, in the words of documents.py; what was warned of comes first."""
    kind = kind_of(content_type)
    if kind not in ("twiml", "text"):
        return ["!12300"]
    parse = parse_text if kind == "text" else parse_document
    try:
        document = parse(body, charset_of(content_type))
    except DocumentError as refused:
        return [f"!{refused.code}"]
    return [*(_word(verb) for verb in document.verbs), *_then(document)]


def _word(verb: Verb) -> str:
    match verb:
        case Unplayable(code):
            return str(code)
        case Pause(seconds):
            return f"pause {seconds}"
        case Say(text):
            word = f"say {text}"
        case Play(url, _, digits):
            word = f"digits {digits}" if digits else f"play {url}"
    return word if verb.loop == 1 else f"{word} x{verb.loop}"


def _then(document: Document) -> list[str]:
    redirect = document.redirect
    return [] if redirect is None else [f"-> {redirect.method} {redirect.url}"]


def warned(content_type: str, body: bytes) -> list[str]:
    if kind_of(content_type) != "twiml":
        return []
    try:
        return [str(warning.code) for warning in parse_document(body, charset_of(content_type)).warnings]
    except DocumentError:
        return []


@pytest.mark.parametrize(("name", "content_type", "content", "expected"), ROWS, ids=[row[0] for row in ROWS])
def test_a_document_is_heard_as_it_was_meant(
    name: str, content_type: str, content: str | bytes, expected: list[str]
) -> None:
    """What comes to the ear in its order, and the codes of what does not."""
    body = content if isinstance(content, bytes) else content.encode()
    codes = [word for word in expected if word.isdigit()]
    found = heard(content_type, body)
    passed_over = [word for word in found if word.isdigit()]

    assert [word for word in found if not word.isdigit()] == [word for word in expected if not word.isdigit()]
    assert sorted(warned(content_type, body) + passed_over) == sorted(codes)


def test_there_are_sixty_of_them() -> None:
    """At least, and no two of one name."""
    assert len({row[0] for row in ROWS}) == len(ROWS) >= 60
