"""Conference, Participant and Recording as Redis hashes: one field per property, readable with HGETALL.

None is an empty string, a boolean `1` or `0`, a moment ISO 8601 in UTC; callback settings and coaches are JSON.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from functools import lru_cache
from itertools import repeat
from operator import attrgetter
from typing import Any, Final

from orchestrator.domain.conference import (
    CallbackSettings,
    Coach,
    Conference,
    ConferenceStatus,
    EndReason,
    Participant,
    ParticipantStatus,
    RecordingSettings,
    SwitchRef,
)
from orchestrator.domain.recording import (
    Part,
    Recording,
    RecordingSource,
    RecordingStatus,
)

Answer = Mapping[str, str] | Sequence[str]
"""HGETALL's: a mapping as the client makes it, or flat, as scripts return it."""

Codec = tuple[Callable[[Any], str], Callable[[str], Any]]


_WRITTEN_AS: Final = {"sealed_call": "order"}
"""Attribute -> the name of its field, where earlier releases have written another word than today's."""


class Table:
    """How each attribute of a record is written and read. Of functions in C where there are any: a record has forty
    fields, and every request and every event reads one."""

    def __init__(self, record: Any) -> None:
        annotations = {field.name: str(field.type) for field in fields(record) if field.name != "switch"}
        rows = [
            (name, _WRITTEN_AS.get(name, name), *_BY_ANNOTATION[text.removesuffix(" | None")], text.endswith(" | None"))
            for name, text in annotations.items()
        ]
        self._values_of = attrgetter(*annotations)
        self._encoders = [(written, encode) for _, written, encode, _, _ in rows]
        self._decoders = [(name, written, decode, may_be_none) for name, written, _, decode, may_be_none in rows]

    def encode_changes(self, before: object | None, after: object) -> list[str]:
        """Return the fields that differ from `before` (all without it), as name, value, name, value …"""
        flat: list[str] = []
        new_values = self._values_of(after)
        old_values = repeat(_NOTHING) if before is None else self._values_of(before)
        for (written, encode), old, new in zip(self._encoders, old_values, new_values, strict=False):
            if new is not old and new != old:
                flat += (written, "" if new is None else encode(new))
        return flat

    def decode(self, raw: Mapping[str, str]) -> dict[str, Any]:
        """Return the values of a record's attributes. What an earlier release did not know has its default."""
        return {
            name: decode(raw[written]) if raw[written] or not may_be_none else None
            for name, written, decode, may_be_none in self._decoders
            if written in raw
        }


_NOTHING: Final = object()
"""Before a record is made, none of its fields has a value; None is one."""


def _encode_settings(settings: CallbackSettings) -> str:
    return json.dumps([settings.url, settings.method, list(settings.events), settings.dialect])


@lru_cache(maxsize=4096)
def _decode_settings(text: str) -> CallbackSettings:
    url, method, events, *dialect = json.loads(text)  # an earlier release wrote no dialect
    return CallbackSettings(url, method, tuple(events), *dialect)


def _encode_recording_settings(settings: RecordingSettings) -> str:
    callbacks = settings.callbacks and _encode_settings(settings.callbacks)
    return json.dumps([settings.channels, settings.track, settings.trims, callbacks])


def _decode_recording_settings(text: str) -> RecordingSettings:
    channels, track, trims, callbacks = json.loads(text)
    return RecordingSettings(channels, track, trims, callbacks and _decode_settings(callbacks))


def _encode_coaches(coaches: Sequence[Coach]) -> str:
    return json.dumps([[coach.call_sid, coach.coached_call_sid] for coach in coaches])


def _decode_coaches(text: str) -> tuple[Coach, ...]:
    """An earlier release kept a member id between the two."""
    return tuple(Coach(row[0], row[-1]) for row in json.loads(text))


def _encode_parts(parts: Sequence[Part]) -> str:
    moments = ((part, part.started_at, part.ended_at) for part in parts)
    return json.dumps(
        [[part.number, part.fills_gap, *(at and at.isoformat() for at in times)] for part, *times in moments]
    )


def _decode_parts(text: str) -> tuple[Part, ...]:
    return tuple(
        Part(number, fills_gap, *(at and datetime.fromisoformat(at) for at in times))
        for number, fills_gap, *times in json.loads(text)
    )


_TEXT: Final[Codec] = (str, str)
_INT: Final[Codec] = (str, int)
_BOOL: Final[Codec] = (lambda value: "1" if value else "0", "1".__eq__)
_MOMENT: Final[Codec] = (lambda value: value.isoformat(), datetime.fromisoformat)
_SETTINGS: Final[Codec] = (_encode_settings, _decode_settings)

_BY_ANNOTATION: Final[dict[str, Codec]] = {
    "str": _TEXT,
    "int": _INT,
    "bool": _BOOL,
    "datetime": _MOMENT,
    "ConferenceStatus": (str, ConferenceStatus),
    "ParticipantStatus": (str, ParticipantStatus),
    "EndReason": (str, EndReason),
    "CallbackSettings": _SETTINGS,
    "tuple[Coach, ...]": (_encode_coaches, _decode_coaches),
    "RecordingSettings": (_encode_recording_settings, _decode_recording_settings),
    "RecordingStatus": (str, RecordingStatus),
    "RecordingSource": (str, RecordingSource),
    "tuple[Part, ...]": (_encode_parts, _decode_parts),
    "tuple[tuple[str, int], ...]": (json.dumps, lambda text: tuple((name, size) for name, size in json.loads(text))),
}


_CONFERENCE: Final = Table(Conference)
_PARTICIPANT: Final = Table(Participant)
_RECORDING: Final = Table(Recording)
_SWITCH: Final = Table(SwitchRef)


def encode_conference(after: Conference, before: Conference | None = None) -> list[str]:
    """Encode the fields that differ from `before` (all without it), as name, value, name, value …"""
    return _CONFERENCE.encode_changes(before, after)


def encode_participant(after: Participant, before: Participant | None = None) -> list[str]:
    """The fields that differ from `before`. `muted_wanted`, `hold_wanted` and what goes
    with them belong to the API: nobody else writes them, but that a commit clears what is fulfilled."""
    flat = _PARTICIPANT.encode_changes(before, after)
    return flat + _SWITCH.encode_changes(before.switch if before else None, after.switch)


def encode_recording(after: Recording, before: Recording | None = None) -> list[str]:
    """Encode the fields that differ from `before` (all without it), as name, value, name, value …"""
    return _RECORDING.encode_changes(before, after)


def decode_recording(flat: Sequence[str]) -> tuple[Recording, int]:
    """Decode a Recording and its version from HGETALL's flat answer."""
    raw = dict(zip(flat[::2], flat[1::2], strict=True))
    return Recording(**_RECORDING.decode(raw)), int(raw["version"])


def decode_conference(answer: Answer) -> tuple[Conference, int]:
    """Decode a Conference and its version."""
    raw = _mapping(answer)
    return Conference(**_CONFERENCE.decode(raw)), int(raw["version"])


def decode_participant(answer: Answer) -> Participant:
    """Decode a Participant."""
    raw = _mapping(answer)
    return Participant(switch=SwitchRef(**_SWITCH.decode(raw)), **_PARTICIPANT.decode(raw))


def _mapping(answer: Answer) -> Mapping[str, str]:
    return answer if isinstance(answer, Mapping) else dict(zip(answer[::2], answer[1::2], strict=True))
