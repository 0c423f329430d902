"""When a callback is tried again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.callbacks.retry import LONGEST_RETRY_AFTER_SECONDS, Schedule, is_final, retry_after_seconds

NOW = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
SPREAD = st.floats(-1, 1, allow_nan=False)


def asked(header: str | None) -> float | None:
    return retry_after_seconds(header, lambda: NOW)


@pytest.mark.parametrize(
    ("status", "final"),
    [
        (301, True), (302, True), (399, True), (400, True), (401, True), (404, True), (410, True), (499, True),
        (408, False), (425, False), (429, False), (200, False), (299, False),
        (500, False), (502, False), (503, False), (599, False), (100, False), (0, False),
    ],
)  # fmt: skip
def test_what_an_answer_means(status: int, final: bool) -> None:
    """A 4xx is the last word, except for those that ask for another try, and so is a redirect that nobody follows."""
    assert is_final(status) is final


def test_the_pauses_are_the_operator_s_and_the_last_one_is_repeated() -> None:
    """Counted from the first failed attempt."""
    schedule = Schedule((1, 5, 30), jitter=0)

    assert [schedule.delay_seconds(attempts, 1) for attempts in range(1, 7)] == [1, 5, 30, 30, 30, 30]
    assert Schedule((7,), jitter=0).delay_seconds(1, 0) == 7


def test_a_pause_is_spread_by_a_fifth_either_way() -> None:
    """Receivers that came back are not hit by everybody in the same moment."""
    assert [Schedule((10,)).delay_seconds(1, spread) for spread in (-1, 0, 1)] == [8, 10, 12]


@given(st.integers(1, 10**9), SPREAD)
def test_a_pause_is_within_its_bounds_for_ever(attempts: int, spread: float) -> None:
    """Also after a day of attempts; never none at all."""
    schedule = Schedule()
    plain = schedule.delay_seconds(attempts, 0)

    assert plain <= schedule.delay_seconds(attempts + 1, 0) <= 300
    assert 0.8 * plain - 1e-9 <= schedule.delay_seconds(attempts, spread) <= 1.2 * plain + 1e-9


def test_it_goes_on_for_a_day() -> None:
    """A receiver that is being deployed, or repaired, misses nothing."""
    assert Schedule().give_up_seconds == 86_400


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0), ("120", 120), (" 120 ", 120), ("3600", 3600), ("3601", 3600), ("9" * 50, 3600),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90),
        (format_datetime((NOW + timedelta(seconds=90)).astimezone(timezone(timedelta(hours=5)))), 90),
        (format_datetime(NOW - timedelta(days=90), usegmt=True), 0),
        (format_datetime(NOW + timedelta(days=90), usegmt=True), 3600),
        (None, None), ("", None), ("soon", None), ("-1", None), ("1.5", None), ("1e3", None), ("٣", None),
        ("Wed, 99 Foo 2026 04:05:06 GMT", None), ("2026-02-03T04:05:06Z", None),
        ("Tue, 03 Feb 2026 04:06:36", None), ("Tue, 03 Feb 2026 04:06:36 -0000", None),
    ],
)  # fmt: skip
def test_a_receiver_may_say_when(header: str | None, seconds: float | None) -> None:
    """Seconds or a date (RFC 9110, section 10.2.3), at most an hour. A date without a zone says no moment: RFC 9110
    knows only GMT."""
    assert asked(header) == seconds


@given(st.one_of(st.text(), st.integers().map(str), st.from_regex(r"[A-Z][a-z]{2}, \d+ [A-Z][a-z]{2} \d+ [\d:]+ .*")))
def test_no_header_raises(header: str) -> None:
    """It comes from outside."""
    seconds = asked(header)

    assert seconds is None or 0 <= seconds <= LONGEST_RETRY_AFTER_SECONDS
