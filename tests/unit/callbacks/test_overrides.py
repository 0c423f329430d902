"""Connection overrides in a URL's fragment: what is read, what is clamped, what is ignored."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.callbacks.overrides import Failure, Overrides, parse_overrides

URL = "https://app.example/callbacks?ct=1&rc=5"


def read(fragment: str) -> Overrides:
    return parse_overrides(f"{URL}#{fragment}")


def test_what_twilio_does_without_any() -> None:
    """5 s to connect, 15 s to read, 15 s in all, one retry if no connection was made. The query is the app's own."""
    plain = Overrides(5_000, 15_000, 15_000, 1, frozenset({"ct"}))

    assert parse_overrides(URL) == parse_overrides("") == read("") == plain


def test_every_override_is_read() -> None:
    """Twilio's example."""
    assert read("ct=2000&rt=3000&tt=8000&rc=2&rp=4xx,5xx,ct,rt") == Overrides(
        2_000, 3_000, 8_000, 2, frozenset({"4xx", "5xx", "ct", "rt"})
    )


@pytest.mark.parametrize(
    ("fragment", "field", "value"),
    [
        ("ct=99", "connect_ms", 100), ("ct=100", "connect_ms", 100), ("ct=10001", "connect_ms", 10_000),
        ("rt=0", "read_ms", 100), ("rt=15001", "read_ms", 15_000),
        ("tt=1", "total_ms", 100), ("tt=999999999999999999999", "total_ms", 15_000),
        ("rc=0", "retries", 0), ("rc=5", "retries", 5), ("rc=6", "retries", 5),
    ],
)  # fmt: skip
def test_numbers_are_clamped(fragment: str, field: str, value: int) -> None:
    """To Twilio's ranges."""
    assert getattr(read(fragment), field) == value


@pytest.mark.parametrize("text", ["", "x", "-1", "+1", "1.5", "1e3", "0x10", "²", "٣", "1 000", "%00"])
@pytest.mark.parametrize("name", ["ct", "rt", "tt", "rc"])
def test_what_is_no_number_is_as_if_not_given(name: str, text: str) -> None:
    """Nobody was there to refuse it: the URL was accepted long ago."""
    assert read(f"{name}={text}") == Overrides()


@pytest.mark.parametrize(
    ("text", "retried"),
    [
        ("4xx", {"4xx"}), ("5xx,ct", {"5xx", "ct"}), (" RT , 5XX ", {"rt", "5xx"}), ("ct,ct", {"ct"}),
        ("all", {"4xx", "5xx", "ct", "rt"}), ("nonsense,ALL", {"4xx", "5xx", "ct", "rt"}),
        ("", {"ct"}), ("nonsense", {"ct"}), ("nonsense,5xx", {"5xx"}), (",,", {"ct"}),
    ],
)  # fmt: skip
def test_the_policy_names_failures(text: str, retried: set[Failure]) -> None:
    """Known words count, others do not; none at all is Twilio's default."""
    assert read(f"rp={text}").retried == retried


def test_other_fragments_are_none_of_ours() -> None:
    """Names that we do not know, anchors, region overrides."""
    assert read("section-2") == read("e=ashburn&x=1") == Overrides()
    assert read("e=ashburn&rc=3").retries == 3


NUMBERS = st.integers(-(10**12), 10**12)


@given(
    st.fixed_dictionaries({}, optional={"ct": NUMBERS, "rt": NUMBERS, "tt": NUMBERS, "rc": NUMBERS, "rp": st.text()})
)
def test_whatever_is_asked_for_is_within_the_ranges(given_values: dict[str, object]) -> None:
    """No fragment makes an attempt last longer than Twilio's."""
    found = read(urlencode(given_values))

    assert 100 <= found.connect_ms <= 10_000
    assert 100 <= found.read_ms <= 15_000
    assert 100 <= found.total_ms <= 15_000
    assert 0 <= found.retries <= 5
    assert found.retried <= {"4xx", "5xx", "ct", "rt"}
    assert found.retried


@given(st.text(max_size=60))
def test_no_fragment_raises(fragment: str) -> None:
    """It would poison the lane."""
    read(fragment)
