"""Parsers of single values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.dialects.twilio import parameters as p
from orchestrator.domain.conference import ParticipantStatus
from orchestrator.errors import BadParameter
from orchestrator.freeswitch.dial_string import SAFE_VALUE, Routes, destination_of
from orchestrator.freeswitch.sip_headers import caller_user
from tests.unit.examples import CA

ROUTES = Routes("gw/{number}", "sip/{address}", "user/{name}")
ANY_TEXT = st.one_of(
    st.text(max_size=40),
    st.text(st.sampled_from("a1+@:.;?=&,|}{$'\"%\n -"), max_size=20),
    st.builds(str.__add__, st.sampled_from(["sip:", "client:", "+1", "sip:a@"]), st.text(max_size=10)),
)


def refused(parser: p.Parser, *values: str, code: int = 20001) -> None:
    with pytest.raises(BadParameter, match=r"^Name:") as caught:
        parser("Name", values)

    assert caught.value.code == code
    assert caught.value.http_status == 400


@pytest.mark.parametrize(("text", "value"), [("true", True), ("True", True), ("FALSE", False), (" false ", False)])
def test_a_boolean_is_read_in_any_case(text: str, value: bool) -> None:
    """Python SDKs before 9 send `True`; the last of repeated values counts."""
    assert p.boolean("Name", [text]) is value
    assert p.boolean("Name", ["nonsense", text]) is value


@pytest.mark.parametrize("text", ["", "1", "yes", "0", "on", "truee"])
def test_a_boolean_is_nothing_else(text: str) -> None:
    """So a typing error does not unmute anybody."""
    refused(p.boolean, text)


@pytest.mark.parametrize(
    ("text", "value"), [("true", True), ("TRUE", True), ("false", False), ("x", False), ("", False)]
)
def test_a_lenient_boolean_takes_any_other_text_for_false(text: str, value: bool) -> None:
    """The update of Muted (wire-contract section 3.4)."""
    assert p.lenient_boolean("Name", [text]) is value


def test_a_text_has_a_length() -> None:
    """Counted in characters; nothing is None."""
    parse = p.text(3, code=21221)

    assert parse("Name", ["abc"]) == "abc"
    assert parse("Name", ["\N{OLD KEY}" * 3]) == "\N{OLD KEY}" * 3
    assert parse("Name", [""]) is None
    refused(parse, "abcd", code=21221)
    refused(p.text(9, shortest=2), "a")


@given(st.integers(0, 999_999_999), st.integers(0, 1000), st.integers(0, 1000))
def test_a_whole_number_is_within_its_bounds(number: int, low: int, span: int) -> None:
    """Both bounds included."""
    parse = p.integer(low, low + span, code=21208)
    if low <= number <= low + span:
        assert parse("Name", [f" {number} "]) == number
    else:
        refused(parse, str(number), code=21208)


@pytest.mark.parametrize("text", ["", "-1", "+1", "1.0", "1e2", "0x1", "1_0", "\u0661", "1" * 10, "1\n2"])
def test_what_int_would_accept_and_a_client_does_not_mean_is_refused(text: str) -> None:
    """ASCII digits only."""
    refused(p.integer(-5, 10**12), text)


def test_a_word_is_returned_as_the_contract_writes_it() -> None:
    """In whatever case it came."""
    parse = p.word("onEnter", "onExit", code=21234)

    assert parse("Name", [" ONENTER "]) == "onEnter"
    refused(parse, "enter", code=21234)
    refused(parse, "", code=21234)


@pytest.mark.parametrize("values", [["a b"], ["b", "a"], ["B,A"], ["a,, b "], ["a\tb"], [" a ", "", "b b"]])
def test_a_list_is_the_union_of_all_its_forms(values: list[str]) -> None:
    """Repeated keys, spaces, commas; in the table's order."""
    assert p.words("a", "b", "c")("Name", values) == ("a", "b")


@pytest.mark.parametrize("values", [["x"], ["a", "x"], ["a,X b"]])
def test_a_word_that_is_none_is_refused(values: list[str]) -> None:
    """By name, with Twilio's code: ignored, it would subscribe to nothing, and nobody would ever say so."""
    refused(p.words("a", "b"), *values, code=21626)


@pytest.mark.parametrize(
    "url",
    [
        "http://a",
        "https://a.example:8443/x?y=1&z=%20#rc=2",
        "http://u:p@[::1]:80/",
        "HTTP://A/",
        "http://a/" + "x" * 4087,
    ],
)
def test_a_url_is_carried_as_it_is(url: str) -> None:
    """It is signed as configured, port and fragment included."""
    assert p.url("Name", [url]) == url


@pytest.mark.parametrize(
    "url",
    ["a", "www.myapp.com/hold", "/x", "ftp://a/", "http://", "http:///x", "http://:80/", "http://a:0/", "http://a:99999/",
     "http://a:x/", "http://[::1/", "http://a/ b", "http://a/\n", "http://a/\u00e4", "javascript:x",
     "http://a/" + "x" * 4088],
)  # fmt: skip
def test_what_is_no_absolute_http_url_is_21205(url: str) -> None:
    """A relative one, another scheme, a line break that would split a request."""
    refused(p.url, url, code=21205)


def test_an_empty_url_is_none_or_silence() -> None:
    """Where empty has a meaning of its own it stays a text."""
    assert p.url("Name", [""]) is None
    assert p.possibly_empty_url("Name", [""]) == ""
    assert p.possibly_empty_url("Name", ["http://a/"]) == "http://a/"
    refused(p.possibly_empty_url, "x", code=21205)


def test_a_method_is_get_or_post() -> None:
    """21209 otherwise."""
    assert (p.method("Name", ["get"]), p.method("Name", ["POST"])) == ("GET", "POST")
    refused(p.method, "PUT", code=21209)


def test_a_sid_is_of_its_kind() -> None:
    """Nothing is None; a trunk's SID is known, too."""
    assert p.sid("CA")("Name", [CA]) == CA
    assert p.sid("BY")("Name", ["BY" + "0" * 32]) == "BY" + "0" * 32
    assert p.sid("CA")("Name", [""]) is None
    refused(p.sid("CA"), "CF" + "0" * 32)
    refused(p.sid("BY", code=21300), "BY1", code=21300)


@pytest.mark.parametrize("text", ["customer", "a b", "\N{OLD KEY}" * 128, "CA1", *ParticipantStatus])
def test_a_label_is_carried_as_it_is(text: str) -> None:
    """Up to 128 characters of any kind."""
    assert p.label("Name", [text]) == text


@pytest.mark.parametrize("text", ["x" * 129, "a/b", "a%2Fb", "a%2fb", CA, CA.lower()])
def test_a_label_that_could_not_be_addressed_is_16024(text: str) -> None:
    """A slash ends the path segment; a CallSid would be read as one."""
    refused(p.label, text, code=16024)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("+15550002000", "+15550002000"),
        (" 15550002000", "15550002000"),
        ("sip:alice@example.com", "sip:alice@example.com"),
        ("sip:a@b.example:5060;transport=tls?X-Y=1&z=%25", "sip:a@b.example:5060;transport=tls?X-Y=1&z=%25"),
        ("client:alice.b+c?x=1", "client:alice.b+c?x=1"),
        ("sip:a@b?x=&y&z=%20", "sip:a@b?x=&y&z=%20"),
        ("+1 (555) 123-4567", "+15551234567"),
        ("+49.30.901820", "+4930901820"),
        ("(415) 555-1212", "4155551212"),
    ],
)
def test_who_can_be_called(text: str, value: str) -> None:
    """A `+` that was not escaped in a form is a space: the number is still a number, as it is with what people write
    between digits."""
    assert p.called("Name", [text]) == value


@pytest.mark.parametrize(
    "text",
    ["", " ", "abc", "+0155", "+1555,+1556", "+1555|user/1", "sip:", "sip:${x}@b", "sip:a@b,c",
     "client:", "client:a@b", "tel:+1555", "SIP:a@b;x=", "+1555\n", "sip:a@b\n",
     "+44 (0)20 7183 8750", "1-800-FLOWERS", "+1555 ext 2", "(-)", "+ 1", "192.168.1.1"],
)  # fmt: skip
def test_who_cannot_be_called_is_21211(text: str) -> None:
    """Whatever would say something in a dial string is no address."""
    refused(p.called, text, code=21211)


@pytest.mark.parametrize(
    ("custom", "code"),
    [("x=%7B", 21229), ("x=a%0D%0AVia:b", 21229), ("x=%24%7Bhostname%7D", 21229), ("x=%FF", 21229),
     ("x=a:_:b", 21229), ("=b", 21228), ("a%0Ab=c", 21228), ("a b=c", 21228), ("a:=c", 21228),
     ("a%5C=c", 21228), ("x=1&X-X=2", 21228), ("P-Asserted-Identity=x", 21228), ("x-fs-support=x", 21228),
     ("x=" + "y" * 1023, 21227)],
)  # fmt: skip
@pytest.mark.parametrize("to", ["sip:a@b.example", "client:alice"])
def test_a_custom_parameter_that_no_header_can_be_is_refused(to: str, custom: str, code: int) -> None:
    """With Twilio's codes for a header's name, its value, and all of them together."""
    with pytest.raises(BadParameter, match=r"^To:") as caught:
        p.called("To", [f"{to}?{custom}"])

    assert caught.value.code == code


def test_an_application_cannot_be_called_here() -> None:
    """With the code that says so."""
    refused(p.called, "app:AP" + "0" * 32, code=21218)


@pytest.mark.parametrize("text", ["+15550001000", "15550001000", "client:alice", "alice", "alice~x*"])
def test_who_can_call(text: str) -> None:
    """A phone number, a client, the user part of a SIP address."""
    assert p.caller("Name", [text]) == text
    assert p.caller("Name", [text.replace("client:", "Client:")]) == text
    assert p.caller("Name", ["+1 (555) 000-1000"]) == "+15550001000"


@pytest.mark.parametrize("text", ["", "client:", "a,b", "a b", "sip:a@b", "a@b", "${x}", "-x", "a\n", "x" * 129])
def test_who_cannot_call_is_21212(text: str) -> None:
    """It becomes the caller id of the leg."""
    refused(p.caller, text, code=21212)


@given(ANY_TEXT)
def test_whoever_is_accepted_can_be_dialled(text: str) -> None:
    """The dialect lets nothing through that the dial string would refuse afterwards."""
    try:
        to = p.called("To", [text])
    except BadParameter:
        return

    assert destination_of(to, ROUTES)


@given(ANY_TEXT)
def test_whatever_caller_is_accepted_can_be_carried(text: str) -> None:
    """The same for the caller id."""
    try:
        user = caller_user(p.caller("From", [text]))
    except BadParameter:
        return

    assert SAFE_VALUE.fullmatch(user)
    assert ":" not in user
