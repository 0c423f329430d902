"""SIDs: their shape, and the UUID in a CallSid."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.sids import call_sid_of, channel_uuid_of, is_recorder, is_sid, looks_like_call_sid, mint_sid

HEX = "0123456789abcdef"


@pytest.mark.parametrize("prefix", ["AC", "CA", "CF", "RE"])
def test_a_minted_sid_is_one_of_its_kind_and_no_other(prefix: str) -> None:
    """Two letters and 32 hexadecimal digits; each kind has its own letters."""
    sid = mint_sid(prefix)
    others = {"AC", "CA", "CF", "RE"} - {prefix}

    assert is_sid(prefix, sid)
    assert len(sid) == 34
    assert not any(is_sid(other, sid) for other in others)


def test_two_minted_sids_differ() -> None:
    """A SID is random."""
    assert mint_sid("CA") != mint_sid("CA")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "CA",
        "CA" + "0" * 31,
        "CA" + "0" * 33,
        "CA" + "G" * 32,
        "CA" + "A" * 32,
        "ca" + "a" * 32,
        "CA" + "a" * 32 + "\n",
        "\nCA" + "a" * 32,
        "CA" + "\N{ARABIC-INDIC DIGIT ONE}" * 32,
    ],
)
def test_what_is_not_exactly_a_sid_is_none(text: str) -> None:
    """Lower case, ASCII digits, the whole text, no line break."""
    assert not is_sid("CA", text)


def test_the_sid_of_a_twilio_trunk_is_known() -> None:
    """Byoc is validated as a SID (wire-contract section 3.3), so its letters have to be known."""
    assert is_sid("BY", "BY" + "0" * 32)


@given(st.uuids(version=4))
def test_a_call_sid_carries_its_channel_uuid(channel: uuid.UUID) -> None:
    """There and back again, whatever the case in which FreeSWITCH writes it. Ours are of version 4."""
    sid = call_sid_of(str(channel))

    assert sid == "CA" + channel.hex
    assert sid == call_sid_of(str(channel).upper())
    assert channel_uuid_of(sid) == str(channel)


@given(st.text(max_size=40))
def test_a_foreign_channel_has_no_call_sid(text: str) -> None:
    """Either the text holds exactly the digits of a UUID, or there is no CallSid; it is never half of one."""
    digits = text.replace("-", "").lower()
    fits = len(digits) == 32 and set(digits) <= set(HEX) and not is_recorder(text)

    assert call_sid_of(text) == ("CA" + digits if fits else None)


@pytest.mark.parametrize("text", ["CA" + "a" * 32, "ca" + "a" * 32, "cA" + "A" * 32, "CA" + "0aF" * 10 + "00"])
def test_a_label_that_reads_as_a_call_sid_is_seen_in_any_case(text: str) -> None:
    """So it can be refused: a path segment is either a CallSid or a label."""
    assert looks_like_call_sid(text)


@pytest.mark.parametrize("text", ["", "customer", "CF" + "a" * 32, "CA" + "a" * 31, "CA" + "g" * 32])
def test_an_ordinary_label_does_not_look_like_a_call_sid(text: str) -> None:
    """Anything else may be a label."""
    assert not looks_like_call_sid(text)
