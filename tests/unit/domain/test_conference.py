"""What Conference and Participant say of themselves, and the wire's words."""

from __future__ import annotations

import dataclasses

import pytest

from orchestrator.domain.conference import (
    CallStatus,
    ConferenceStatus,
    EndReason,
    LeaveReason,
    ParticipantStatus,
)
from tests.unit.examples import a_conference, a_participant


def test_the_words_are_the_wires() -> None:
    """Wire-contract sections 3.2, 4 and 8.2, by the letter; mind `completed` and `complete`, `-` and `_`."""
    assert [*ConferenceStatus] == ["init", "in-progress", "completed"]
    assert [*ParticipantStatus] == ["queued", "connecting", "ringing", "connected", "complete", "failed"]
    assert set(EndReason) == {
        "conference-ended-via-api", "participant-with-end-conference-on-exit-left",
        "participant-with-end-conference-on-exit-kicked", "last-participant-kicked", "last-participant-left",
    }  # fmt: skip
    assert set(LeaveReason) == {
        "conference_ended_via_api", "moderator_ended_conference", "participant_updated_via_api",
        "participant_hung_up", "participant_add_failed",
    }  # fmt: skip
    assert set(CallStatus) == {
        "queued", "initiated", "ringing", "in-progress", "completed", "busy", "failed", "no-answer", "canceled",
    }  # fmt: skip


@pytest.mark.parametrize("status", ParticipantStatus)
def test_live_and_present(status: ParticipantStatus) -> None:
    """Present is connected; live is everything before the end."""
    participant = a_participant(status=status)

    assert participant.is_live is (status not in ("complete", "failed"))
    assert participant.is_present is (status == "connected")


@pytest.mark.parametrize(
    ("muted", "wanted", "shown"),
    [(False, None, False), (True, None, True), (True, False, False), (False, True, True), (True, True, True)],
)
def test_a_client_is_shown_its_own_last_request(muted: bool, wanted: bool | None, shown: bool) -> None:
    """Read your writes: until the switch has confirmed it, the request counts."""
    assert a_participant(muted=muted, muted_wanted=wanted).muted_as_asked is shown


def test_a_conference_is_ending_from_the_decision_on() -> None:
    """Not only once it is completed."""
    assert not a_conference().is_ending
    assert a_conference(end_reason=EndReason.VIA_API).is_ending
    assert a_conference(status=ConferenceStatus.COMPLETED).is_ending


@pytest.mark.parametrize("value", [a_conference(), a_participant()])
def test_state_is_frozen(value: object) -> None:
    """It changes in transitions.apply only, by making a new value."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        value.status = "x"  # type: ignore[attr-defined]
