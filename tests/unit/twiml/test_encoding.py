"""What a document is written in: mark, header, declaration."""

from __future__ import annotations

import codecs

import pytest

from orchestrator.media.content import charset_of
from orchestrator.twiml.document import parse_document, parse_text
from orchestrator.twiml.encoding import decode_xml, find_charset
from orchestrator.twiml.verbs import DocumentError, Say, Verb

TEXT = "<Response><Say>Größe 5</Say></Response>"
SAID = (Say("Größe 5"),)


def parsed(body: bytes, content_type: str = "text/xml") -> tuple[Verb, ...]:
    return parse_document(body, charset_of(content_type)).verbs


def declared(encoding: str) -> str:
    return f"<?xml version='1.0' encoding='{encoding}'?>{TEXT}"


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "UTF8", "iso-8859-1", "latin1", "ISO-8859-15", "windows-1252", "cp1252", "UTF-16", "utf-16le",
     "utf-16be", "UTF-32", "cp850", "macintosh", "hp-roman8", "gb18030", "cp037", "IBM1140"],
)  # fmt: skip
@pytest.mark.parametrize("says", ["header", "declaration", "both"])
def test_every_encoding_that_python_knows_is_read(encoding: str, says: str) -> None:
    """Named by the header, by the document, or by both."""
    text = TEXT if says == "header" else declared(encoding)
    body = text.encode(encoding)

    assert parsed(body, f"text/xml; charset={encoding}" if says != "declaration" else "text/xml") == SAID


@pytest.mark.parametrize(
    ("encoding", "text"), [("shift_jis", "日本"), ("koi8-r", "мир"), ("euc-kr", "한국"), ("big5", "中文")]
)
def test_so_is_every_script(encoding: str, text: str) -> None:
    """Among them those of several bytes a character."""
    body = f"<?xml version='1.0' encoding='{encoding}'?><Response><Say>{text}</Say></Response>".encode(encoding)

    assert parsed(body) == (Say(text),)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("content_type", ["text/xml", "text/xml; charset=utf-16", "text/xml; charset=utf-8"])
@pytest.mark.parametrize("text", [TEXT, f"\n {TEXT}", declared("UTF-16"), declared("utf-8")])
def test_wide_characters_need_no_mark(encoding: str, content_type: str, text: str) -> None:
    """Their first NULs show what they are (XML 1.0, appendix F), whatever is said about them."""
    assert parsed(text.encode(encoding), content_type) == SAID


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [(codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"),
     (codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be")],
)  # fmt: skip
def test_a_mark_is_believed_first(mark: bytes, encoding: str) -> None:
    """Before the header and before the declaration (RFC 7303, section 3)."""
    assert parsed(mark + declared("iso-8859-1").encode(encoding), "text/xml; charset=windows-1252") == SAID


def test_then_the_header_is() -> None:
    """Before the declaration: servers convert what they send, and leave what is inside."""
    assert parsed(declared("utf-8").encode("latin-1"), "text/xml; charset=ISO-8859-1") == SAID
    assert parsed(declared("utf-8").encode(), "text/xml; charset=ISO-8859-1") == (Say("GrÃ¶Ã\x9fe 5"),)


@pytest.mark.parametrize(
    "charset",
    ["zip", "rot13", "idna", "punycode", "utf-7", "unicode_escape", "none", "", "ascii", "utf-16", "utf-32be"],
)
def test_a_header_that_is_not_known_or_not_true_means_nothing(charset: str) -> None:
    """The declaration then, and UTF-8 in the end. So it is with one of wide characters, of which there are none."""
    assert parsed(declared("latin-1").encode("latin-1"), f"text/xml; charset={charset}") == SAID
    assert parsed(TEXT.encode(), f"text/xml; charset={charset}") == SAID
    assert parsed(f"{TEXT} ".encode(), f"text/xml; charset={charset}") == SAID


@pytest.mark.parametrize("encoding", ["utf-7", "rot13", "no-such", "idna", "unicode_escape"])
def test_a_declaration_that_is_not_known_is_an_error(encoding: str) -> None:
    """12100, as for what is not written in what it says."""
    for body in (declared(encoding).encode(), declared("ascii").encode("latin-1"), TEXT.encode("latin-1")):
        with pytest.raises(DocumentError) as refused:
            decode_xml(body)
        assert refused.value.code == 12100


@pytest.mark.parametrize("encoding", ["utf-16", "UTF-16LE", "utf-32"])
def test_a_declaration_of_utf_16_without_a_nul_means_utf_8(encoding: str) -> None:
    """As in HTML: .NET's StringWriter says so of every document."""
    assert decode_xml(declared(encoding).encode("utf-8")) == declared(encoding)


@pytest.mark.parametrize(
    "content_type",
    [
        'text/xml; charset="windows-1252"', "text/xml;charset='windows-1252'", "TEXT/XML; CHARSET=Windows-1252;",
        "text/xml; v=1; charset = cp1252 ; q=1", "text/xml;;charset=cp1252", 'text/xml; charset="windows-1252',
        "text/xml; charset=windows-1252, text/xml; charset=utf-8",
    ],
)  # fmt: skip
def test_a_header_names_its_charset_in_many_ways(content_type: str) -> None:
    """With quotation marks of either kind or half of them, in any case, among other parameters, twice."""
    assert charset_of(content_type) == "cp1252"


def test_text_is_in_the_charset_of_its_header() -> None:
    """UTF-8 if it names none, and a mark is believed first; what is not written in it is shown as such, and the rest is
    spoken."""
    for mark, encoding in ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le")):
        assert parse_text(mark + "für 5 €".encode(encoding), "cp1252").verbs == (Say("für 5 €"),)
    assert parse_text("für  5 €".encode("cp1252"), "cp1252").verbs == (Say("für 5 €"),)
    assert parse_text("für 5 €".encode()).verbs == (Say("für 5 €"),)
    assert parse_text(b"f\xfcr").verbs == (Say("f\ufffdr"),)


def test_names_that_are_no_charset_get_nowhere() -> None:
    """Whatever is in them."""
    assert {find_charset(name) for name in ("\0", "a" * 9999, "utf 8 ; x", "é", "../x", "hex", "base64")} <= {
        "",
        "utf-8",
    }
