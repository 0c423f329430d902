"""A conference and a participant to start from, and moments: what the unit tests of every layer talk about."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from orchestrator.callbacks.plan import PLAN
from orchestrator.domain.commands import CreateParticipant
from orchestrator.domain.conference import CallbackSettings, Conference, Participant, SwitchRef

AC = "AC" + "a" * 32
CF = "CF" + "c" * 32
CA = "CA" + "1" * 32
COACHED = "CA" + "2" * 32
UUID = "11111111-1111-1111-1111-111111111111"

START = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)


def _all_words(source: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(row.word for row in PLAN.values() if row.source == source))


PROGRESS = CallbackSettings("https://app.example/call", "POST", _all_words("call"))
EVENTS = CallbackSettings("https://app.example/conf", "POST", _all_words("conference"))


def at(seconds: float) -> datetime:
    """That many seconds after START."""
    return START + timedelta(seconds=seconds)


def a_conference(**changes: Any) -> Conference:
    """A new conference with one live participant."""
    made = Conference(CF, AC, "weekly", "n1", created_at=START, updated_at=START, live_count=1)
    return replace(made, **changes)


def a_participant(**changes: Any) -> Participant:
    """A participant that was just created and dialled."""
    made = Participant(
        call_sid=CA,
        conference_sid=CF,
        account_sid=AC,
        switch=SwitchRef("n1", UUID),
        from_="+15550001000",
        to="+15550002000",
        created_at=START,
        updated_at=START,
        dialled_at=START,
    )
    return replace(made, **changes)


def a_create(**changes: Any) -> CreateParticipant:
    """A request to dial a phone."""
    return replace(CreateParticipant(from_="+15550001000", to="+15550002000"), **changes)
