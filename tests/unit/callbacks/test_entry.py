"""A callback on its way through the outbox."""

from __future__ import annotations

import json
from dataclasses import fields

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.callbacks.entry import Entry

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
ENTRIES = st.builds(
    Entry, TEXT, TEXT, TEXT, TEXT, TEXT, TEXT, TEXT,
    st.lists(st.tuples(TEXT, TEXT), max_size=5).map(tuple),
    st.floats(0, 4e9),
)  # fmt: skip


@given(ENTRIES)
def test_an_entry_comes_out_of_the_outbox_as_it_went_in(entry: Entry) -> None:
    """Every character, and the order of the parameters, which repeat names."""
    assert Entry.load(entry.dump().decode()) == entry


@given(ENTRIES)
def test_an_entry_is_one_json_object_with_named_fields(entry: Entry) -> None:
    """So that an operator can read a lane with `LRANGE`."""
    raw = json.loads(entry.dump())

    assert set(raw) == {field.name for field in fields(Entry)}
    assert raw["parameters"] == [list(pair) for pair in entry.parameters]


def test_no_signature_or_token_of_the_account_is_stored() -> None:
    """It is made at each attempt; a changed AuthToken holds from the next attempt on."""
    assert {field.name for field in fields(Entry)} == {
        "token", "account_sid", "conference_sid", "call_sid", "kind", "url", "method", "parameters", "planned_at",
        "dialect", "request_id",
    }  # fmt: skip
