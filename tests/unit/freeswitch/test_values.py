"""Texts in a dial string: each that can be carried arrives as it is, and nothing else is let through."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator.freeswitch.values import is_carried, is_display_name, spelt
from orchestrator.sandbox.switch_strings import has_variable, parse_variable_blocks, separate_string

TEXT = st.one_of(st.text(max_size=20), st.text(st.sampled_from("a,'\\ {}$|^\"[]<>%=s:_;&"), max_size=12))


@given(TEXT, TEXT)
@example("it's", "a\\")
@example('{"a": {"b": 1}}', "\\s\\,'")
def test_a_text_arrives_as_it_is(first: str, second: str) -> None:
    """Taken apart as FreeSWITCH does it, twice; on the real one: tests/scenarios/test_on_the_wire.py."""
    texts = {"a": first, "b": second}
    if not all(map(is_carried, texts.values())):
        return
    block = ",".join(f"{name}={spelt(text)}" for name, text in texts.items())
    argument, *rest = separate_string(f"{{{block}}}user/1 &park()", " ", 10)

    assert parse_variable_blocks(argument) == (texts, "user/1")
    assert rest == ["&park()"]
    assert not any(map(has_variable, texts.values()))


@pytest.mark.parametrize("text", ["", " a", "a ", "a\nb", "a\x00", "{", "}", "}{", "${a}", "a:_:b", "\u202e", "\x85"])
def test_what_cannot_be_carried(text: str) -> None:
    """Line breaks, what would be cut off or expanded, and a brace without its partner."""
    assert not is_carried(text)


@pytest.mark.parametrize("text", ['a"b', "a\\b", "a%22b", "<sip:a@b>"])
def test_a_display_name_stays_between_its_quotes(text: str) -> None:
    """Also when it is decoded once more."""
    assert is_carried(text)
    assert not is_display_name(text)
