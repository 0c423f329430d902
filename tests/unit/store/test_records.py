"""Records: every field there and back, only what has changed, and what an earlier release has written."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.conference import (
    STOCK,
    Coach,
    Conference,
    ConferenceStatus,
    EndReason,
    Participant,
    ParticipantStatus,
    RecordingSettings,
    SwitchRef,
)
from orchestrator.store.records import decode_conference, decode_participant, encode_conference, encode_participant
from tests.unit.examples import COACHED, EVENTS, PROGRESS, UUID, a_conference, a_participant, at

FULL_PARTICIPANT = a_participant(
    label="customer", status=ParticipantStatus.CONNECTED, muted=True, muted_wanted=False, hold=True, hold_wanted=False,
    hold_url="https://app.example/h", hold_method="POST", hold_number=3, wait_url="", wait_method="GET",
    hold_dialect="signalwire", wait_dialect="restcomm",
    talking=True, coaching=True, call_sid_to_coach=COACHED, beep_on_enter=False, beep_on_exit=False,
    start_conference_on_enter=False, end_conference_on_exit=True, exit_hook_changed=True, removal_requested=True,
    dialled_at=at(0.5), answered_at=at(1), joined_at=at(2), left_at=at(3), ended_at=at(4), hangup_cause="X",
    sip_status=486,
    progress_callbacks=PROGRESS, conference_callbacks=EVENTS, call_sequence_number=4, announced_id="one",
    detection_callbacks=PROGRESS, detection_seconds=30, answered_by="human",
    recording=RecordingSettings(2, "inbound", False, PROGRESS), conference_recording=RecordingSettings(),
    gateways_left=2, tried_left=3, tried_at=at(0.7), sealed_call="sealed", options_json='{"a":1}',
    create_request="RQ1", removal_request="RQ2",
    switch=SwitchRef("n1", UUID, 7), updated_at=at(9),
)  # fmt: skip
FULL_CONFERENCE = a_conference(
    status=ConferenceStatus.IN_PROGRESS, region="de1", end_reason=EndReason.VIA_API, ending_call_sid=COACHED,
    live_count=3, present_count=2, starter_count=1, callbacks=EVENTS, callbacks_fixed=True, sequence_number=9,
    coaches=(Coach(COACHED, "CA" + "3" * 32), Coach("CA" + "4" * 32, COACHED)),
    announced_id="two", ending_label="customer", recording=RecordingSettings(trims=False),
    recording_request="RQ4", end_request="RQ3", updated_at=at(9),
)  # fmt: skip


def test_these_records_have_every_field() -> None:
    """A new field gets a value above that is not its default."""
    for full, plain in ((FULL_PARTICIPANT, a_participant()), (FULL_CONFERENCE, a_conference())):
        given_anew = {"call_sid", "conference_sid", "account_sid", "from_", "to", "created_at", "friendly_name", "node"}
        same = {f.name for f in fields(full) if getattr(full, f.name) == getattr(plain, f.name)}

        assert same <= given_anew


@pytest.mark.parametrize("participant", [FULL_PARTICIPANT, a_participant()])
@pytest.mark.parametrize("conference", [FULL_CONFERENCE, a_conference()])
def test_a_record_is_read_as_it_was_written(participant: Participant, conference: Conference) -> None:
    """Each field by its own codec."""
    assert decode_participant(encode_participant(participant)) == participant
    assert decode_conference([*encode_conference(conference), "version", "7"]) == (conference, 7)


COACHES = st.lists(st.builds(Coach, st.text(max_size=5), st.text(max_size=5)), max_size=5).map(tuple)


@given(COACHES)
def test_coaches_of_any_number_survive(coaches: tuple[Coach, ...]) -> None:
    """As JSON in one field."""
    conference = a_conference(coaches=coaches)

    assert decode_conference([*encode_conference(conference), "version", "0"])[0].coaches == coaches


@pytest.mark.parametrize("field", [f.name for f in fields(Participant) if f.name != "switch"])
def test_only_what_has_changed_is_written(field: str) -> None:
    """What the API writes meanwhile (muted_wanted, hold_wanted) is not overwritten by the listener."""
    before = a_participant()
    after: Any = replace(before, **{field: getattr(FULL_PARTICIPANT, field)})
    names = encode_participant(after, before)[::2]
    written = {"sealed_call": "order"}.get(field, field)  # today's word, and that of earlier releases

    assert names == ([written] if after != before else [])


NEW = {
    "hold_wanted", "hold_url", "hold_method", "hold_number", "wait_url", "wait_method", "talking",
    "hold_dialect", "wait_dialect",
    "beep_on_enter", "beep_on_exit", "announced_id", "recording", "conference_recording",
    "gateways_left", "tried_left", "sealed_call", "create_request", "removal_request",
}  # fmt: skip


def test_a_record_of_an_earlier_release_has_the_defaults() -> None:
    """An upgrade in the middle of a conference: nobody is held."""
    flat = encode_participant(FULL_PARTICIPANT)
    written = {*NEW, "order"}
    old = [text for pair in zip(flat[::2], flat[1::2], strict=True) if pair[0] not in written for text in pair]
    read = decode_participant(old)
    flat = [*encode_conference(FULL_CONFERENCE), "version", "3"]
    names = {"coaches", "announced_id", "ending_label", "recording", "recording_request", "end_request"}
    known = [text for pair in zip(flat[::2], flat[1::2], strict=True) if pair[0] not in names for text in pair]
    conference, version = decode_conference(known)

    assert {name: getattr(read, name) for name in NEW} == {name: getattr(a_participant(), name) for name in NEW}
    assert (read.hold_url, read.muted) == (STOCK, True)
    assert (conference.coaches, version) == ((), 3)


def test_a_coach_of_the_release_before_is_still_one() -> None:
    """It kept the member's number as well."""
    flat = [*encode_conference(a_conference()), "version", "3", "has_relations", "1"]
    flat[flat.index("coaches") + 1] = f'[["{COACHED}", 7, "CA3"]]'

    assert decode_conference(flat)[0].coaches == (Coach(COACHED, "CA3"),)
