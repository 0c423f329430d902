"""Domain events: past tense, frozen, each with its moment."""

from __future__ import annotations

import dataclasses
import inspect

import pytest

from orchestrator.domain import events
from orchestrator.domain.events import Event

CLASSES = [cls for _, cls in inspect.getmembers(events, inspect.isclass) if issubclass(cls, Event)]


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_an_event_carries_its_moment_first_and_is_frozen(cls: type[Event]) -> None:
    """`at` is what every later moment of the state is taken from; an event that could change would change history."""
    fields = dataclasses.fields(cls)
    event = cls(*range(len(fields)))

    assert fields[0].name == "at"
    with pytest.raises(dataclasses.FrozenInstanceError):
        event.at = 1  # type: ignore[assignment, misc]
