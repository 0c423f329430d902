"""A callback as it waits in the outbox: everything that every attempt sends again, but for the signature."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

import orjson

from orchestrator.domain.conference import TWILIO


@dataclass(frozen=True, slots=True)
class Entry:
    """A callback with all that its attempts send. `token` names the event and stays the same over all attempts;
    `parameters` are the wire's, in order.

    The signature is not stored: it is made at each attempt with the account's token of that moment.
    `planned_at` is seconds since 1970. `dialect` is that of the URL: it decides how the request is signed.
    `request_id` is the client's request that led to it, as far as that is known, or empty.
    """

    token: str
    account_sid: str
    conference_sid: str
    call_sid: str
    kind: str
    url: str
    method: str
    parameters: tuple[tuple[str, str], ...]
    planned_at: float
    dialect: str = TWILIO
    request_id: str = ""

    def dump(self) -> bytes:
        """Write the entry as JSON."""
        return orjson.dumps(self)

    @classmethod
    def load(cls, text: str) -> Entry:
        """Read the entry from its JSON; fields that another release has written are passed over."""
        raw = orjson.loads(text)
        raw["parameters"] = tuple([(name, value) for name, value in raw["parameters"]])
        return cls(**{name: raw[name] for name in _FIELDS if name in raw})


_FIELDS: Final = tuple(field.name for field in fields(Entry))
