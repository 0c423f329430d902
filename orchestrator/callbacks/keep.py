"""Turns a planned callback into the entry that is kept until its receiver has it."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from orchestrator.callbacks.entry import Entry
from orchestrator.callbacks.plan import Callback
from orchestrator.domain.changes import NewCallback


def kept(callback: Callback, parameters: Sequence[tuple[str, str]], request_id: str, wish: str) -> NewCallback:
    """Return the entry of a callback, with a token of its own, by which a receiver recognises one that comes twice.
    `request_id` and `wish`: those of its event, or ''."""
    token = str(uuid.uuid4())
    entry = Entry(
        token=token,
        account_sid=callback.conference.account_sid,
        conference_sid=callback.conference.conference_sid,
        call_sid=callback.call_sid,
        kind=callback.kind,
        url=callback.settings.url,
        method=callback.settings.method,
        parameters=tuple(parameters),
        planned_at=callback.event.at.timestamp(),
        dialect=callback.settings.dialect,
        request_id=request_id,
    )
    return NewCallback(token, int(entry.planned_at * 1000), entry.dump(), wish)
