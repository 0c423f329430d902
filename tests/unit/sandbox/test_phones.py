"""The dialled number decides what the phone does."""

from __future__ import annotations

from itertools import islice

import pytest

from orchestrator.sandbox.phones import (
    BUSY,
    Answer,
    EarlyMedia,
    HangUp,
    Quiet,
    Redirect,
    Refuse,
    Ring,
    Speak,
    Step,
    Wait,
    refusal,
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
        ("+15550006000", (refusal(404),)),
        ("+15550006480", (Refuse(480, "Temporarily Unavailable", "NO_USER_RESPONSE"),)),
        ("+15550006503", (Refuse(503, "Service Unavailable", "NORMAL_TEMPORARY_FAILURE"),)),
        ("+15550007001", (EarlyMedia(), Wait(1), Answer())),
        ("+15550008001", (EarlyMedia(), Wait(1), BUSY)),
        ("+15550009000", (refusal(603),)),
        ("+15550000000", (Redirect(302),)),
        ("+15550010000", (Answer(), Quiet())),
        ("+15550010200", (Answer(), Wait(2), Quiet(), Wait(2), Speak())),
        ("alice", (Ring(), Wait(1), Answer())),
        ("+155500010001", (Ring(), Wait(1), Answer())),
        ("carrier-prefix-+15550003001", (BUSY,)),
    ],
)
def test_each_kind_of_number_has_its_script(number: str, script: tuple[Step, ...]) -> None:
    """As the table in phones.py, and in tests/farend/phones.xml, says."""
    assert tuple(islice(script_for(number), 5)) == script
