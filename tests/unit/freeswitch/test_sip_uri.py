"""SIP URIs: all that RFC 3261 allows is taken, and nothing of it means anything in a dial string."""

from __future__ import annotations

import re
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.freeswitch.sip_uri import SipUri, parse_sip_uri

ALPHANUM = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
UNRESERVED = ALPHANUM + "-_.!~*'()"


def escaped(least: int = 0x20) -> st.SearchStrategy[str]:
    """`escaped` of RFC 3261; control characters are refused, see below."""
    return st.integers(least, 0xFF).filter(lambda code: code != 0x7F).map(lambda code: f"%{code:02X}")


def some(characters: str, least: int = 1) -> st.SearchStrategy[str]:
    piece = st.one_of(st.sampled_from(characters), escaped())
    return st.lists(piece, min_size=least, max_size=8).map("".join)


def labels() -> st.SearchStrategy[str]:
    return st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9-]{0,6}[A-Za-z0-9])?", fullmatch=True)


# The rules of section 25.1, by their names there.
USER = some(UNRESERVED + "&=+$,;?/")
PASSWORD = some(UNRESERVED + "&=+$,", 0)
HOSTNAME = st.builds(
    lambda inner, top, dot: ".".join([*inner, top]) + dot,
    st.lists(labels(), max_size=3),
    st.from_regex(r"[A-Za-z]([A-Za-z0-9-]{0,6}[A-Za-z0-9])?", fullmatch=True),
    st.sampled_from(["", "."]),
)
HOST = st.one_of(HOSTNAME, st.ip_addresses(v=4).map(str), st.ip_addresses(v=6).map(lambda address: f"[{address}]"))
PARAMETER = some(UNRESERVED + "[]/:&+$")
URI_PARAMETERS = st.lists(
    st.tuples(PARAMETER.filter(lambda name: unquote(name).lower() != "transport"), st.one_of(st.none(), PARAMETER)),
    max_size=3,
    unique_by=lambda pair: unquote(pair[0]).lower(),
)


@st.composite
def sip_uris(draw: st.DrawFn) -> str:
    """SIP-URI, without headers."""
    user = draw(st.one_of(st.none(), USER))
    userinfo = "" if user is None else user + draw(st.one_of(st.just(""), PASSWORD.map(":{}".format))) + "@"
    port = draw(st.one_of(st.just(""), st.integers(1, 65_535).map(":{}".format)))
    given = draw(URI_PARAMETERS)
    parameters = "".join(f";{name}" + (f"={value}" if value is not None else "") for name, value in given)
    return draw(st.sampled_from(["sip:", "SIP:", "Sip:"])) + userinfo + draw(HOST) + port + parameters


@given(sip_uris())
def test_every_sip_uri_of_the_standard_is_taken(text: str) -> None:
    """And says what it said, its password and what is for Twilio or the switch apart."""
    uri = parse_sip_uri(text)
    rest = text[4:]
    user = unquote(re.split("[:@]", rest)[0], "latin-1") if "@" in rest else ""

    assert unquote(uri.user, "latin-1") == user
    assert unquote(uri.address.rpartition("@")[0], "latin-1") == user


@given(st.one_of(sip_uris(), st.text(st.sampled_from("a1+._:,|}{$'\"\n\r%\\ []<>^;&=@?/!~*-\x00é"), max_size=20)))
def test_nothing_of_one_means_anything_to_the_switch(text: str) -> None:
    """What is dialled has one leg, no variable, and no parameter that mod_sofia obeys."""
    try:
        address = parse_sip_uri(f"sip:{text.removeprefix('sip:')}").address
    except ValueError:
        return

    assert re.fullmatch(r"[A-Za-z0-9+._~!*@:;=%\[\]-]+", address)
    assert ":_:" not in address
    assert "fs_" not in address.rpartition("@")[2]
    assert not re.search(r"[;=]", address.rpartition("@")[0])


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("sip:bob@h.example;user=phone", "bob@h.example;user=phone"),
        ("sip:bob@h.example;region=ie1", "bob@h.example"),
        ("sip:bob@h.example;edge=dublin;user=phone", "bob@h.example;user=phone"),
        ("sip:bob@h.example;transport=TLS", "bob@h.example;transport=tls"),
        ("SIP:bob@H.Example", "bob@h.example"),
        ("sips:bob@h.example", "bob@h.example;transport=tls"),
        ("sips:bob@h.example;transport=tcp", "bob@h.example;transport=tls"),
        ("sip:[2001:DB8::1]:5070", "[2001:db8::1]:5070"),
        ("sip:+15551234567@10.0.0.1", "+15551234567@10.0.0.1"),
        ("sip:bob:secret@h.example", "bob@h.example"),
        ("sip:b%20o;x=1@h.example", "b%20o%3Bx%3D1@h.example"),
        ("sip:a,b@h.example", "a%2Cb@h.example"),
        ("sip:bob;fs_path=x@h.example;fs_path=sip:10.0.0.1;FS_nat=yes", "bob%3Bfs_path%3Dx@h.example"),
        ("sip:bob@h.example;phone-context=+1(2)", "bob@h.example;phone-context=+1%282%29"),
        ("sip:h.example?a=b", "h.example"),
        ("sip:h.example.", "h.example."),
    ],
)
def test_what_is_dialled(text: str, address: str) -> None:
    """Parameters of Twilio's and of the switch's own go, and the password; sips: means TLS."""
    assert parse_sip_uri(text).address == address


@pytest.mark.parametrize(
    "text",
    ["sip:", "sip:@h", "sip:a@", "sip:a@h@h", "sip:a b@h", "sip:a@h:0", "sip:a@h:65536", "sip:a@h;", "sip:a@h;x=",
     "sip:a@h;transport=sctp", "sips:a@h;transport=udp", "sip:a@1.2.3", "sip:a@256.1.1.1", "sip:a@2130706433",
     "sip:a@[::g]", "sip:a@[1.2.3.4]", "sip:a@-h", "sip:a@h-", "sip:a%0Ab@h", "sip:a%00@h", "sip:a@h;x=%0d",
     "sip:a%2@h", "sip:a@h;x=1;X=2", "tel:+1555", "sip:a@h\n", "sip:" + "a" * 1020 + "@h", "sip:a@h_b"],
)  # fmt: skip
def test_what_is_no_uri(text: str) -> None:
    """Or one that nobody means well with."""
    with pytest.raises(ValueError, match=r".+"):
        parse_sip_uri(text)


def test_the_parts() -> None:
    """Also what stands behind the question mark, which is not dialled."""
    assert parse_sip_uri("sip:bob@h.example:5070;transport=tcp;user=phone?a=b&c=d") == SipUri(
        "bob", "h.example", 5070, "tcp", {"user": "phone"}, "a=b&c=d"
    )
