"""`replace` of ours does what that of dataclasses does."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.conference import Conference, Participant
from orchestrator.domain.replacing import replace
from tests.unit.records import new_conference, new_participant

RECORDS: list[Conference | Participant] = [new_conference("CF" + "0" * 32, "weekly"), new_participant("CF" + "0" * 32)]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
@given(data=st.data())
def test_a_copy_differs_in_what_is_named_and_the_original_in_nothing(
    record: Conference | Participant, data: st.DataObject
) -> None:
    names = [field.name for field in dataclasses.fields(record)]
    changes = data.draw(st.dictionaries(st.sampled_from(names), st.integers(), max_size=5))
    before = dataclasses.replace(record)

    assert replace(record, **changes) == dataclasses.replace(record, **changes)  # type: ignore[arg-type]
    assert record == before


def test_a_copy_is_as_frozen_as_the_original() -> None:
    copy = replace(RECORDS[0], updated_at=RECORDS[0].created_at)
    with pytest.raises(dataclasses.FrozenInstanceError):
        copy.updated_at = RECORDS[0].updated_at  # type: ignore[misc]
