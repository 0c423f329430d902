"""Conferences and participants in a real Redis, made the way the API makes them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from orchestrator.domain.commands import CreateParticipant
from orchestrator.domain.conference import CallbackSettings, Conference, Participant, SwitchRef
from orchestrator.sids import channel_uuid_of, mint_sid
from orchestrator.store.conferences import ConferenceStore

ACCOUNT = "AC" + "1" * 32
OTHER_ACCOUNT = "AC" + "2" * 32
NODE = "fs1"

PROGRESS = CallbackSettings("http://127.0.0.1:9/calls", "POST", ("initiated", "ringing", "answered", "completed"))
EVENTS = CallbackSettings("http://127.0.0.1:9/conference", "POST", ("start", "end", "join", "leave", "mute"))


def new_conference(sid: str, name: str, account_sid: str = ACCOUNT) -> Conference:
    now = datetime.now(UTC)
    return Conference(sid, account_sid, name, NODE, created_at=now, updated_at=now)


def new_participant(conference_sid: str, account_sid: str = ACCOUNT, **values: Any) -> Participant:
    call_sid = values.pop("call_sid", None) or mint_sid("CA")
    now = datetime.now(UTC)
    created_at = values.pop("created_at", now)
    return Participant(
        call_sid=call_sid,
        conference_sid=conference_sid,
        account_sid=account_sid,
        switch=SwitchRef(NODE, channel_uuid_of(call_sid)),
        from_="+15550009999",
        to="+15550001000",
        created_at=created_at,
        updated_at=now,
        dialled_at=values.pop("dialled_at", created_at),
        **values,
    )


def create(store: ConferenceStore, name: str = "weekly", account_sid: str = ACCOUNT, **values: Any) -> Participant:
    """Add somebody to the active conference of that name, and make it if there is none."""
    limits = {field: values.pop(field) for field in ("max_participants", "call_sid_to_coach") if field in values}
    sid = store.claim_name(account_sid, name, mint_sid("CF"))
    participant = new_participant(sid, account_sid, **values)
    command = CreateParticipant("+15550009999", "+15550001000", label=participant.label, **limits)
    conference = replace(new_conference(sid, name, account_sid), created_at=participant.created_at)
    store.create_participant(command, participant, conference)
    return participant


def add(store: ConferenceStore, conference_sid: str, account_sid: str = ACCOUNT, **values: Any) -> Participant:
    """Add somebody to a conference that is addressed by its SID."""
    limits = {field: values.pop(field) for field in ("max_participants", "call_sid_to_coach") if field in values}
    participant = new_participant(conference_sid, account_sid, **values)
    command = CreateParticipant("+15550009999", "+15550001000", label=participant.label, **limits)
    store.create_participant(command, participant, None)
    return participant
