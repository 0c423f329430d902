"""Hangup causes as final call statuses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.conference import CallStatus
from orchestrator.domain.hangup import final_call_status
from tests.unit.examples import a_participant, at

FINAL = {CallStatus.COMPLETED, CallStatus.BUSY, CallStatus.FAILED, CallStatus.NO_ANSWER, CallStatus.CANCELED}


@pytest.mark.parametrize(
    ("cause", "status"),
    [
        ("USER_BUSY", "busy"),
        ("NO_ANSWER", "no-answer"),
        ("NO_USER_RESPONSE", "no-answer"),
        ("PROGRESS_TIMEOUT", "no-answer"),
        ("ALLOTTED_TIMEOUT", "no-answer"),
        ("RECOVERY_ON_TIMER_EXPIRE", "failed"),
        ("NORMAL_CLEARING", "canceled"),
        ("ORIGINATOR_CANCEL", "canceled"),
        ("UNALLOCATED_NUMBER", "failed"),
        ("NO_ROUTE_DESTINATION", "failed"),
        ("CALL_REJECTED", "failed"),
        ("INVALID_GATEWAY", "failed"),
        ("", "failed"),
        (None, "failed"),
    ],
)
def test_without_a_response_an_unanswered_call_ends_as_its_cause_says(cause: str | None, status: str) -> None:
    """What the table does not name has failed."""
    assert final_call_status(a_participant(hangup_cause=cause)) == status


@pytest.mark.parametrize(
    ("sip_status", "status"),
    [(486, "busy"), (600, "busy"), (480, "no-answer"), (487, "no-answer"), (403, "failed"), (404, "failed"),
     (408, "failed"), (488, "failed"), (500, "failed"), (503, "failed"), (603, "failed"), (302, "failed"),
     (799, "failed")],
)  # fmt: skip
def test_the_far_ends_response_counts_more_than_the_cause(sip_status: int, status: str) -> None:
    """Of several responses the switch makes one cause, and 487 it takes for our own cancelling."""
    for cause in ("NORMAL_TEMPORARY_FAILURE", "ORIGINATOR_CANCEL", "NO_ANSWER", ""):
        assert final_call_status(a_participant(hangup_cause=cause, sip_status=sip_status)) == status


@given(st.text(max_size=20), st.booleans())
def test_an_answered_call_is_completed_whatever_ended_it(cause: str, removed: bool) -> None:
    """Also one that a client removed, or that lost its network."""
    participant = a_participant(answered_at=at(1), hangup_cause=cause, removal_requested=removed)

    assert final_call_status(participant) is CallStatus.COMPLETED


@given(st.text(max_size=20))
def test_a_call_that_was_removed_before_the_answer_is_canceled(cause: str) -> None:
    """Even if the far end's own answer came first."""
    assert final_call_status(a_participant(hangup_cause=cause, removal_requested=True)) is CallStatus.CANCELED


@given(st.text(max_size=20))
def test_any_cause_gives_a_final_status(cause: str) -> None:
    """`completed` is for answered calls only."""
    assert final_call_status(a_participant(hangup_cause=cause)) in FINAL - {CallStatus.COMPLETED}
