"""Hangup causes by name and number."""

from __future__ import annotations

import pytest

from orchestrator.sandbox.causes import cause_named, q850_of
from orchestrator.sandbox.not_simulated import NotSimulated


@pytest.mark.parametrize(
    ("text", "cause"),
    [("user_busy", "USER_BUSY"), ("17", "USER_BUSY"), ("nonsense", "NORMAL_CLEARING")],
)
def test_causes_are_named_or_numbered(text: str, cause: str) -> None:
    """A name in any case, or its number; a word that is none is NORMAL_CLEARING."""
    assert cause_named(text) == cause


def test_a_number_without_a_name_is_refused() -> None:
    """The real one goes on with it."""
    with pytest.raises(NotSimulated):
        cause_named("9999")


def test_own_causes_count_as_sixteen() -> None:
    """Causes beyond Q.850 have no number there."""
    assert q850_of("USER_BUSY") == 17
    assert q850_of("ALLOTTED_TIMEOUT") == 16
