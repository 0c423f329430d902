"""Requests in: Twilio's parameters, with UUIDs in place of SIDs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from orchestrator.dialects.base import Form
from orchestrator.dialects.signalwire.parameters import read_sid
from orchestrator.dialects.twilio import schemas
from orchestrator.domain.commands import CreateParticipant, UpdateParticipant


@dataclass(frozen=True, slots=True)
class _Translated:
    """A request's parameters with Twilio's SIDs."""

    form: Form

    def __iter__(self) -> Iterator[str]:
        return iter(self.form)

    def getlist(self, key: str) -> list[str]:
        values = self.form.getlist(key)
        return [read_sid("CA", value) for value in values] if key == "CallSidToCoach" else values


def parse_create(form: Form) -> CreateParticipant:
    """A create request."""
    return schemas.parse_create(_Translated(form))


def parse_update(form: Form) -> UpdateParticipant:
    """An update of a participant. HoldUrl is asked for by POST unless HoldMethod says GET: its document says so."""
    update = schemas.parse_update(_Translated(form))
    return replace(update, hold_method=update.hold_method or "POST") if update.hold_url else update
