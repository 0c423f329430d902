"""Documents become verbs, or are refused with Twilio's code; nothing else ever happens."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.twiml.document import MAX_LOOP, MAX_PAUSE_SECONDS, MAX_VERBS, parse_document
from orchestrator.twiml.verbs import Document, DocumentError, Pause, Play, Redirect, Say, Unplayable, Verb
from orchestrator.twiml.xml import MAX_BYTES
from tests.unit.patience import is_quick

CODES = {11750, 12100, 12102, 13238}
"""What discards a whole document."""


def response(inside: str) -> bytes:
    return f"<Response>{inside}</Response>".encode()


def code_of(body: bytes) -> int:
    with pytest.raises(DocumentError) as refused:
        parse_document(body)
    return refused.value.code


def parsed_or_code(body: bytes) -> tuple[Document, int]:
    try:
        return parse_document(body), 0
    except DocumentError as refused:
        return Document(), refused.code


def test_verbs_come_in_their_order_with_their_defaults() -> None:
    """Attributes that are absent have Twilio's defaults."""
    document = parse_document(response("<Say>Hi</Say><Play>a.mp3</Play><Pause/><Redirect/>"))

    assert document == Document((Say("Hi"), Play("a.mp3"), Pause(1)), Redirect("", "POST"))


def test_every_attribute_is_read() -> None:
    """Each verb's attributes, among them digits without a URL."""
    document = parse_document(
        response(
            '<Say voice="Polly.Hans" language="de-DE" loop="2">Hallo</Say><Play loop="0">a.mp3</Play>'
            '<Play digits="1w#"/><Pause length="7"/><Redirect method="GET">/next</Redirect>'
        )
    )

    assert document.verbs == (
        Say("Hallo", "Polly.Hans", "de-DE", 2), Play("a.mp3", 0), Play(None, 1, "1w#"), Pause(7),
    )  # fmt: skip
    assert (document.redirect, document.warnings) == (Redirect("/next", "GET"), ())


@pytest.mark.parametrize(
    ("inside", "verb"),
    [
        ("<Play>\n  http://x/a b.mp3 \n</Play>", Play("http://x/a b.mp3")),
        ("<Play><![CDATA[http://x/?a=1&b=2]]></Play>", Play("http://x/?a=1&b=2")),
        ("<Play>http://x/?a=1&amp;b=2</Play>", Play("http://x/?a=1&b=2")),
        ("<Say>one <!-- two --> three\n four</Say>", Say("one three four")),
        ('<Play loop="5000">a</Play>', Play("a", MAX_LOOP)),
        (f'<Play loop="{"9" * 4_000}">a</Play>', Play("a", MAX_LOOP)),
        ('<Pause length="99999999999"/>', Pause(MAX_PAUSE_SECONDS)),
        ('<Say unknown="1">x</Say>', Say("x")),
        ("<?php echo 1 ?><Say>x<?pi y?></Say>", Say("x")),
        ("<Say>&lt;break/&gt; &#8364; &amp;</Say>", Say("<break/> € &")),
    ],
)
def test_text_is_taken_as_it_is_meant(inside: str, verb: object) -> None:
    """White space is trimmed; CDATA, comments and SSML are read through; what is too much is capped."""
    document = parse_document(b"<?xml version='1.0' encoding='UTF-8'?>\n" + response(f" text {inside} between "))
    (parsed,) = document.verbs

    assert parsed == verb


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", 12100), (b"   ", 12100), (b"<Response>", 12100), (b"<Response></response>", 12100), (b"hello", 12100),
        (b"<Response>\0</Response>", 12100), (b"\xff\xfe\x00", 12100), (b"<Response/><Response/>", 12100),
        (b"<?xml version='1.0' encoding='utf-7'?>+ADw-Response/+AD4-", 12100),
        (b"<?xml version='1.0' encoding='rot13'?><Response/>", 12100),
        (b"<?xml version='1.0' encoding='no-such'?><Response/>", 12100), (b"<Response>\xff</Response>", 12100),
        (b"\n<?xml version='1.0'?><Response/>", 12100),
        (b"<!DOCTYPE html><html><body>404</body></html>", 12100), (b"<html></html>", 12102),
        (b"<response/>", 12102), (b"<x:Response/>", 12102),
        (response("<Dial>1</Dial>"), 13238), (response("<Hangup/>"), 13238), (response("<Redirect/><Gather/>"), 13238),
        (response("<Pause/>" * (MAX_VERBS + 1)), 12100), (response("<a>" * 50 + "</a>" * 50), 12100),
        (b" " * (MAX_BYTES + 1), 11750),
    ],
)  # fmt: skip
def test_a_document_that_cannot_be_used_is_refused_with_its_code(body: bytes, code: int) -> None:
    """Each rule of wire-contract section 9.1 has its code."""
    assert code_of(body) == code


WARNED: list[tuple[str, Verb, list[int]]] = [
    *(
        (f'<Play loop="{value}">a</Play>', Play("a"), [13410])
        for value in ("", "-1", "x", "1.0", "+1", "٣", "9" * 5_000)
    ),
    *((f'<Say loop="{value}">a</Say>', Say("a"), [13510]) for value in ("", "-1", "two", "0.5")),
    *((f'<Pause length="{value}"/>', Pause(1), [13910]) for value in ("", "-1", "0.5", "soon", "1s", "0", "000")),
    *((f'<Say voice="{voice}">a</Say>', Say("a", voice), [13511]) for voice in ("Polly.Nobody", "Woman", "alicia")),
    *((f'<Say language="{name}">a</Say>', Say("a", "", name), [13512]) for name in ("en_US", "xx-XX", "English")),
    ('<Say voice="Bob" language="??" loop="?">a</Say>', Say("a", "Bob", "??"), [13510, 13512, 13511]),
    ('<Play Loop="2" volume="1">a</Play>', Play("a"), [12200]),
    ('<Pause timeout="5"/>', Pause(1), [12200]),
    ('<Play digits="1,2">a</Play>', Play("a"), [13430]),
]


@pytest.mark.parametrize(("inside", "verb", "codes"), WARNED, ids=[row[0] for row in WARNED])
def test_what_twilio_only_warns_of_leaves_the_default(inside: str, verb: Verb, codes: list[int]) -> None:
    """The verb is played, and so is what is around it."""
    document = parse_document(response(f"<Play>before</Play>{inside}<Play>after</Play>"))

    assert document.verbs == (Play("before"), verb, Play("after"))
    assert [warning.code for warning in document.warnings] == codes


@pytest.mark.parametrize(
    ("inside", "codes"),
    [("<play>a</play>", [12200]), ("<Sey>a</Sey>", [12200]), ("<Say/>", [13520]), ("<Say> <!-- --> </Say>", [13520])],
)
def test_what_is_no_verb_or_has_nothing_to_say_is_passed_over(inside: str, codes: list[int]) -> None:
    """A misspelt verb is Twilio's 12200, and so is one in another case; both are warnings."""
    document = parse_document(response(f"{inside}<Play>after</Play>"))

    assert document.verbs == (Play("after"),)
    assert [warning.code for warning in document.warnings] == codes


@pytest.mark.parametrize(
    ("inside", "code"),
    [
        ("<Play/>", 11100), ("<Play> </Play>", 11100), (f"<Play>{'a' * 4097}</Play>", 11100),
        ('<Play digits="12x"/>', 13430), ('<Play digits="\u0661"/>', 13430), (f'<Play digits="{"1" * 201}"/>', 13430),
        (f"<Say>{'a' * 4097}</Say>", 13521), (f"<Redirect>{'a' * 4097}</Redirect>", 11100),
    ],
)  # fmt: skip
def test_a_verb_that_cannot_be_played_keeps_its_place(inside: str, code: int) -> None:
    """It fails when its turn comes; what is around it is played."""
    before, broken, after = parse_document(response(f"<Play>a</Play>{inside}<Play>b</Play>")).verbs

    assert (before, after) == (Play("a"), Play("b"))
    assert isinstance(broken, Unplayable)
    assert broken.code == code


def test_a_redirect_with_a_method_that_is_none_is_a_post() -> None:
    """A warning, 13710."""
    document = parse_document(response('<Redirect method="PUT">a</Redirect>'))

    assert document.redirect == Redirect("a", "POST")
    assert [warning.code for warning in document.warnings] == [13710]


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
HOSTILE = {
    "billion laughs": f'<!DOCTYPE r [<!ENTITY l0 "ha">{LAUGHS}]><Response><Say>&l9;</Say></Response>',
    "quadratic": f'<!DOCTYPE r [<!ENTITY a "{"a" * 15000}">]><Response><Say>{"&a;" * 4000}</Say></Response>',
    "a file": '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><Response><Say>&x;</Say></Response>',
    "a URL": '<!DOCTYPE r SYSTEM "http://127.0.0.1:1/x.dtd"><Response/>',
    "a parameter entity": '<!DOCTYPE r [<!ENTITY % p SYSTEM "http://127.0.0.1:1/x">%p;]><Response/>',
    "an undeclared entity": "<Response><Say>&nbsp;</Say></Response>",
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("name", HOSTILE)
def test_nothing_is_expanded_and_nothing_is_fetched(name: str, encoding: str) -> None:
    """Whoever declares entities or names a DTD is refused before anything is done about it, in any encoding."""
    body = HOSTILE[name].encode(encoding)

    assert code_of(body) == 12100
    assert is_quick(lambda: code_of(body), 1)


def test_the_worst_that_fits_is_parsed_at_once() -> None:
    """64 kB of whatever costs most takes no longer than a moment."""
    filling = [b"<a>" * 20_000, b"<a/>" * 15_000, b"&#65;" * 12_000, b"<Say>" + b"&amp;" * 12_000, b"<!---->" * 9_000]
    attributes = b"<Response " + b" ".join(b"a%d=''" % n for n in range(6_000))
    for body in [*(b"<Response>" + inside for inside in filling), attributes[:MAX_BYTES]]:
        assert code_of(body) in CODES
        assert is_quick(lambda body=body: code_of(body), 0.4)  # type: ignore[misc]


@given(st.binary(max_size=300) | st.binary(max_size=100).map(lambda inside: b"<Response>" + inside + b"</Response>"))
def test_any_bytes_parse_or_are_refused_with_a_code(body: bytes) -> None:
    """Nothing but a DocumentError ever comes out."""
    parsed, code = parsed_or_code(body)

    assert code in CODES or parsed == parse_document(body)


_NAMES = st.sampled_from(["Play", "Say", "Pause", "Redirect", "play", "Dial", "Response"])
_ATTRIBUTES = st.sampled_from(["loop", "voice", "language", "digits", "length", "method", "x"])
_VALUES = st.sampled_from(["0", "1", "-1", "99999999999", "", "man", "Google.en-US-Neural2-A", "POST", "#"]) | st.text(
    st.characters(blacklist_characters='<&"', blacklist_categories=["Cs", "Cc"]), max_size=8
)


@given(st.lists(st.tuples(_NAMES, st.dictionaries(_ATTRIBUTES, _VALUES, max_size=3), _VALUES), max_size=5))
def test_any_document_parses_or_is_refused_with_a_code(verbs: list[tuple[str, dict[str, str], str]]) -> None:
    """Likewise for what is well-formed; and what parses stays within its bounds."""
    inside = "".join(
        "<" + name + "".join(f' {key}="{value}"' for key, value in attributes.items()) + f">{text}</{name}>"
        for name, attributes, text in verbs
    )
    parsed, code = parsed_or_code(response(inside))

    assert code in CODES or len(parsed.verbs) <= len(verbs)
    assert all(0 <= verb.loop <= MAX_LOOP for verb in parsed.verbs if isinstance(verb, (Play, Say)))
