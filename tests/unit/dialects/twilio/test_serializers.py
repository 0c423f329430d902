"""Answers out: exactly the keys of wire-contract sections 3.2 and 4."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.base import deserialize

from orchestrator.dialects.registry import DIALECTS
from orchestrator.dialects.twilio.serializers import rfc2822, serialize_conference, serialize_participant
from orchestrator.domain.conference import ConferenceStatus, EndReason, ParticipantStatus
from tests.unit.examples import AC, CA, CF, COACHED, a_conference, a_participant, at

BASE = f"/2010-04-01/Accounts/{AC}/Conferences/{CF}"
ASKED = DIALECTS.asked("GET", f"{BASE}.json", "")


def test_a_participant_has_exactly_these_properties() -> None:
    """All keys always present; null where there is nothing."""
    assert serialize_participant(ASKED, a_participant()) == {
        "account_sid": AC,
        "call_sid": CA,
        "label": None,
        "conference_sid": CF,
        "date_created": "Tue, 03 Feb 2026 04:05:06 +0000",
        "date_updated": "Tue, 03 Feb 2026 04:05:06 +0000",
        "end_conference_on_exit": False,
        "muted": False,
        "hold": False,
        "start_conference_on_enter": True,
        "coaching": False,
        "call_sid_to_coach": None,
        "status": "queued",
        "queue_time": None,
        "uri": f"{BASE}/Participants/{CA}.json",
    }


def test_every_property_shows_what_the_participant_is() -> None:
    """No two properties are mixed up."""
    participant = a_participant(
        label="customer", muted=True, hold=True, coaching=True, call_sid_to_coach=COACHED,
        start_conference_on_enter=False, end_conference_on_exit=True, status=ParticipantStatus.CONNECTED,
        updated_at=at(60),
    )  # fmt: skip
    plain, full = serialize_participant(ASKED, a_participant()), serialize_participant(ASKED, participant)

    assert {name: value for name, value in full.items() if value != plain[name]} == {
        "label": "customer",
        "muted": True,
        "hold": True,
        "coaching": True,
        "call_sid_to_coach": COACHED,
        "start_conference_on_enter": False,
        "end_conference_on_exit": True,
        "status": "connected",
        "date_updated": "Tue, 03 Feb 2026 04:06:06 +0000",
    }


@pytest.mark.parametrize("field", ["hold", "coaching", "start_conference_on_enter", "end_conference_on_exit", "muted"])
def test_each_boolean_has_its_own_key(field: str) -> None:
    """Changed alone, it changes that key alone."""
    plain = a_participant()
    changed = a_participant(**{field: not getattr(plain, field)})
    before, after = serialize_participant(ASKED, plain), serialize_participant(ASKED, changed)

    assert {key for key in after if after[key] != before[key]} == {field}


def test_muted_is_what_the_client_asked_for_last() -> None:
    """Read your writes: before the switch has confirmed it."""
    assert serialize_participant(ASKED, a_participant(muted_wanted=True))["muted"] is True
    assert serialize_participant(ASKED, a_participant(muted=True, muted_wanted=False))["muted"] is False


def test_queue_time_is_a_string_of_milliseconds() -> None:
    """And only in the answer to a create."""
    assert serialize_participant(ASKED, a_participant(), 0)["queue_time"] == "0"
    assert serialize_participant(ASKED, a_participant(), 1200)["queue_time"] == "1200"


def test_a_conference_has_exactly_these_properties() -> None:
    """The two subresources included."""
    assert serialize_conference(ASKED, a_conference(region="ie1")) == {
        "sid": CF,
        "account_sid": AC,
        "friendly_name": "weekly",
        "status": "init",
        "date_created": "Tue, 03 Feb 2026 04:05:06 +0000",
        "date_updated": "Tue, 03 Feb 2026 04:05:06 +0000",
        "api_version": "2010-04-01",
        "region": "ie1",
        "reason_conference_ended": None,
        "call_sid_ending_conference": None,
        "subresource_uris": {
            "participants": f"{BASE}/Participants.json",
            "recordings": f"{BASE}/Recordings.json",
        },
        "uri": f"{BASE}.json",
    }


@pytest.mark.parametrize("status", ConferenceStatus)
def test_why_a_conference_ended_is_told_when_it_has(status: ConferenceStatus) -> None:
    """Null until completed (wire-contract section 4), although it is decided before."""
    ending = a_conference(status=status, end_reason=EndReason.END_ON_EXIT_LEFT, ending_call_sid=CA)
    is_over = status is ConferenceStatus.COMPLETED
    answer = serialize_conference(ASKED, ending)

    assert answer["status"] == status.value
    assert answer["reason_conference_ended"] == ("participant-with-end-conference-on-exit-left" if is_over else None)
    assert answer["call_sid_ending_conference"] == (CA if is_over else None)


@given(st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 -- hypothesis adds UTC
def test_an_sdk_reads_our_dates(moment: datetime) -> None:
    """`Sept` or a local time would be read as None."""
    assert deserialize.rfc2822_datetime(rfc2822(moment)) == moment.replace(microsecond=0)
    assert rfc2822(moment).endswith(" +0000")
