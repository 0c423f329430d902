"""FreeSWITCH's string rules; the expectations were read off a real 1.10.12."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.sandbox.switch_strings import (
    expand_variables,
    find_end_paren,
    parse_variable_blocks,
    separate_string,
    url_encode,
)

# How a value has to be written to come through `originate` unchanged, found by trying 1595 values on the real one.
_ESCAPES = {" ": "\\s", ",": "\\,", "'": "\\" * 7 + "'", "\\": "\\" * 8}
_TEXT = st.text("ab,' =|%;:^&()[]<>#@~`!*?/\\\"$é日😀._-nsrt0", min_size=1)


@pytest.mark.parametrize(
    ("text", "delimiter", "parts"),
    [
        ("a b  c", " ", ["a", "b", "c"]),
        ("'a b' c", " ", ["a b", "c"]),
        (r"a\sb c", " ", ["a b", "c"]),
        ("a,b", ",", ["a", "b"]),
        (r"a\,b,c", ",", ["a,b", "c"]),
        ("'a,b',c", ",", ["a,b", "c"]),
        ("it's,c", ",", ["it's", "c"]),
        ("", " ", []),
    ],
)
def test_separates_outside_quotes_and_escapes(text: str, delimiter: str, parts: list[str]) -> None:
    """Quotes and backslashes protect the delimiter, and are gone afterwards."""
    assert separate_string(text, delimiter) == parts


@pytest.mark.parametrize(
    ("block", "variables"),
    [
        (r"{v=a\,b}", {"v": "a,b"}),
        ("{v=a=b}", {"v": "a=b"}),
        ("{v=}", {}),
        ("{v=1,v=2}", {"v": "2"}),
        ("{v=1}{w=2}", {"v": "1", "w": "2"}),
        ("{^^:a=b:c=d}", {"a": "b", "c": "d"}),
        ("{v=a{b}c}", {"v": "a{b}c"}),
    ],
)
def test_variable_blocks(block: str, variables: dict[str, str]) -> None:
    """Blocks are taken apart as switch_event_create_brackets does, and the destination is what is left."""
    assert parse_variable_blocks(f"{block}sofia/internal/1") == (variables, "sofia/internal/1")


def test_a_block_that_does_not_end_is_no_block() -> None:
    """An open brace without its partner is a parse error."""
    assert parse_variable_blocks("{v=a") is None
    assert find_end_paren("{a", "{", "}") is None


@given(_TEXT)
def test_an_escaped_value_survives_the_whole_of_originate(value: str) -> None:
    """Splitting at blanks, at commas and at the = undoes exactly the escapes that were found on the real one."""
    value = value.strip(" ") or "x"
    escaped = "".join(_ESCAPES.get(character, character) for character in value)

    (dial_string,) = separate_string(f"{{v={escaped}}}sofia/internal/1", " ")

    assert parse_variable_blocks(dial_string) == ({"v": value}, "sofia/internal/1")


def test_unquoted_commas_end_a_value_even_inside_quotes() -> None:
    """The first pass takes the quotes away, so the comma in 'a,b' separates: quotes do not help."""
    (dial_string,) = separate_string("{v='a,b'}sofia/internal/1", " ")

    assert parse_variable_blocks(dial_string) == ({"v": "a"}, "sofia/internal/1")


def test_url_encoding_leaves_what_is_encoded_already() -> None:
    """Unsafe bytes are encoded, and `%2B` stays: a value cannot be told from its encoded self, as in the real one."""
    assert url_encode("+1 é%2B100%") == "%2B1%20%C3%A9%2B100%25"


def test_unknown_variables_expand_to_nothing() -> None:
    """${name} becomes its value, or nothing."""
    assert expand_variables("a=${x},b=${y}", {"x": "1"}) == "a=1,b="
