"""When a callback is tried again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.callbacks.retry import GIVE_UP_SECONDS, delay_seconds, is_delivered, is_final


@pytest.mark.parametrize(
    ("status", "delivered", "final"),
    [
        (200, True, False), (204, True, False), (299, True, False), (302, True, False), (399, True, False),
        (400, False, True), (401, False, True), (404, False, True), (410, False, True), (499, False, True),
        (408, False, False), (425, False, False), (429, False, False),
        (500, False, False), (502, False, False), (503, False, False), (599, False, False), (100, False, False),
    ],
)  # fmt: skip
def test_what_an_answer_means(status: int, delivered: bool, final: bool) -> None:
    """2xx and 3xx are delivered; a 4xx is the last word, except for those that ask for another try."""
    assert (is_delivered(status), is_final(status)) == (delivered, final)


@given(st.integers(100, 999))
def test_no_answer_is_both_delivered_and_refused(status: int) -> None:
    """A callback leaves its lane for one reason."""
    assert not (is_delivered(status) and is_final(status))


def test_the_pauses_double_up_to_five_minutes() -> None:
    """Counted from the first failed attempt."""
    assert [delay_seconds(attempts) for attempts in range(1, 12)] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]


@given(st.integers(1, 10**9))
def test_a_pause_is_never_shorter_than_the_one_before_and_never_overflows(attempts: int) -> None:
    """Also after a day of attempts."""
    assert 1 <= delay_seconds(attempts) <= delay_seconds(attempts + 1) <= 300


def test_it_goes_on_for_a_day() -> None:
    """A receiver that is being deployed, or repaired, misses nothing."""
    assert GIVE_UP_SECONDS == 86_400
