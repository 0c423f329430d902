"""What a body is written in, as its header and itself say."""

from __future__ import annotations

import pytest

from orchestrator.media.content import Kind, as_utf8
from orchestrator.twiml.document import parse_document
from orchestrator.twiml.verbs import Say


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/plain", "für"),
        ("text/plain; charset=utf-8", "für"),
        ("text/plain; charset=ISO-8859-1", "für"),
        ('text/plain; format=flowed; charset="windows-1252"', "für 5 €"),
        ("text/plain;charset=utf-16", "für 5 €"),
    ],
)
def test_text_is_in_the_charset_that_its_header_names(content_type: str, body: str) -> None:
    """UTF-8 if it names none."""
    charset = content_type.partition("charset=")[2].strip('"') or "utf-8"

    assert as_utf8(body.encode(charset), "text", content_type).decode() == body


@pytest.mark.parametrize("charset", ["zip", "idna", "punycode", "utf-7", "no-such-charset", "ascii", ""])
@pytest.mark.parametrize("kind", ["text", "twiml", "audio"])
def test_a_charset_that_is_not_known_or_not_true_means_nothing(kind: Kind, charset: str) -> None:
    """Nor does any of audio's."""
    assert as_utf8(b"f\xc3\xbcr", kind, f"text/plain; charset={charset}") == b"f\xc3\xbcr"


@pytest.mark.parametrize(
    ("declaration", "charset", "written"),
    [
        ("", "; charset=iso-8859-1", "latin-1"),
        ("<?xml version='1.0'?>", "; charset=iso-8859-1", "latin-1"),
        ("<?xml version='1.0' encoding='ISO-8859-1'?>", "; charset=utf-8", "latin-1"),
        ("<?xml version='1.0' encoding='UTF-8'?>", "; charset=iso-8859-1", "utf-8"),
        ("\ufeff", "; charset=iso-8859-1", "utf-8"),
        ("\ufeff", "", "utf-16"),
        ("", "", "utf-8"),
    ],
)
def test_xml_says_itself_what_it_is_in_or_the_header_does(declaration: str, charset: str, written: str) -> None:
    """Its byte order mark or its declaration comes first."""
    body = f"{declaration}<Response><Say>für</Say></Response>".removeprefix("\ufeff" if written == "utf-16" else "")
    (said,) = parse_document(as_utf8(body.encode(written), "twiml", f"text/xml{charset}"))

    assert isinstance(said, Say)
    assert said.text == "für"
