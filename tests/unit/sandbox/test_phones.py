"""The dialled number decides what the phone does."""

from __future__ import annotations

import pytest

from orchestrator.sandbox.phones import (
    BUSY,
    DECLINE,
    NOT_FOUND,
    Answer,
    EarlyMedia,
    HangUp,
    Redirect,
    Ring,
    Script,
    Wait,
    script_for,
)


@pytest.mark.parametrize(
    ("number", "script"),
    [
        ("+15550001000", (Answer(),)),
        ("15550002003", (Ring(), Wait(3), Answer())),
        ("+15550002000", (Ring(), Wait(0.2), Answer())),
        ("+15550003000", (BUSY,)),
        ("+15550004000", (Ring(),)),
        ("+15550005002", (Answer(), Wait(2), HangUp())),
        ("+15550006000", (NOT_FOUND,)),
        ("+15550007001", (EarlyMedia(), Wait(1), Answer())),
        ("+15550008001", (EarlyMedia(), Wait(1), BUSY)),
        ("+15550009000", (DECLINE,)),
        ("+15550000000", (Redirect(302),)),
        ("alice", (Ring(), Wait(1), Answer())),
        ("+155500010001", (Ring(), Wait(1), Answer())),
        ("carrier-prefix-+15550003001", (BUSY,)),
    ],
)
def test_each_kind_of_number_has_its_script(number: str, script: Script) -> None:
    """As the table in phones.py, and in tests/farend/phones.xml, says."""
    assert script_for(number) == script
