"""Who is waited for long enough is unknown."""

from __future__ import annotations

from orchestrator.domain.events import AnswererDetected
from orchestrator.listener.overdue import GRACE_SECONDS, Overdue
from tests.unit.examples import CA, CF, a_participant, at


def test_nobody_says_who_it_is_and_so_they_are_unknown_once() -> None:
    """Not before the timeout and the detector's grace; afterwards nothing is kept."""
    overdue = Overdue()
    overdue.note([a_participant(answered_at=at(10), detection_seconds=30)])

    assert overdue.take(at(40)) == []
    (late,) = overdue.take(at(40 + GRACE_SECONDS))
    assert (late.subject, late.conference_sid) == (CA, CF)
    assert late.event == AnswererDetected(at(40 + GRACE_SECONDS), "unknown", 30_000)
    assert overdue.take(at(1000)) == []


def test_whoever_is_known_or_was_never_to_be_is_not_waited_for() -> None:
    """Also if they were waited for before."""
    overdue = Overdue()
    overdue.note([a_participant(answered_at=at(1), detection_seconds=30), a_participant(answered_at=at(1))])
    overdue.note([a_participant(answered_at=at(1), detection_seconds=30, answered_by="human")])

    assert overdue.take(at(1000)) == []
