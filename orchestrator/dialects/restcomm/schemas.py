"""Requests in: the one parameter that there is."""

from __future__ import annotations

from orchestrator.dialects.base import Form
from orchestrator.domain.commands import UpdateParticipant


def parse_update(form: Form) -> UpdateParticipant:
    """Read `Mute`: anything but true unmutes, nothing too, as RestComm's `Boolean.valueOf` has it."""
    values = form.getlist("Mute")
    return UpdateParticipant(muted=bool(values) and values[-1].strip().lower() == "true")
