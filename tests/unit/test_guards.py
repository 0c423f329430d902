"""The recipes of CONTRIBUTING.md: what is added in one place and forgotten in another fails here."""

from __future__ import annotations

import ast
import inspect
import re
import warnings
from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest

import orchestrator
from orchestrator.callbacks.plan import PLAN
from orchestrator.dialects.twilio.callbacks import SERIALIZERS
from orchestrator.dialects.twilio.schemas import CREATE, CREATE_CALLBACKS, UPDATE
from orchestrator.domain import events
from orchestrator.domain.commands import NOT_SENT_YET, CreateParticipant, UpdateParticipant
from orchestrator.domain.conference import ConferenceStatus, ParticipantStatus
from orchestrator.domain.effects import Effect
from orchestrator.domain.events import Event
from orchestrator.domain.transitions import CONFERENCE_TABLE, EVENT_TABLE
from orchestrator.freeswitch.dial_string import RENDERED_FIELDS
from orchestrator.twiml.verbs import Verb
from tests.harness.freeswitch import REPOSITORY

PACKAGE = Path(orchestrator.__file__).parent
SOURCES = sorted(PACKAGE.rglob("*.py"))
LONGEST_FILE = 300
TEXTS = {
    str(path.relative_to(REPOSITORY)): path.read_text("utf-8")
    for folder in ("orchestrator", "tests")
    for path in (REPOSITORY / folder).rglob("*")
    if path.suffix in (".html", ".js", ".lua", ".md", ".py", ".txt", ".xml")
}

CREATE_FIELDS = {field.name for field in fields(CreateParticipant)}
EVENTS = {cls for _, cls in inspect.getmembers(events, inspect.isclass) if issubclass(cls, Event) and cls is not Event}
HAPPEN = set(EVENT_TABLE) | set(CONFERENCE_TABLE)
STATE_FILES = ("services/new_participant.py", "services/participants.py", "store/conferences.py")
"""Where a create request becomes a Conference and a Participant."""


MAKERS = ("detection", "freeswitch", "playback", "services")
"""Where events come from."""


def names_used(path: Path) -> set[str]:
    """Names in a file that are neither imports nor definitions."""
    return {node.id for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Name)}


def fields_read_from_a_command() -> set[str]:
    """`command.<field>` in STATE_FILES: what a create request leaves in the state, or is decided by."""
    trees = [ast.parse((PACKAGE / name).read_text()) for name in STATE_FILES]
    return {
        node.attr
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "command"
    }


def test_every_create_field_goes_somewhere() -> None:
    """A create field is rendered into the dial string, becomes state, or is listed as not sent, with a reason."""
    placed = RENDERED_FIELDS | fields_read_from_a_command() | set(NOT_SENT_YET)

    assert CREATE_FIELDS - placed == set(), "neither in RENDERED_FIELDS, nor used for state, nor in NOT_SENT_YET"


def test_the_lists_of_create_fields_name_no_others() -> None:
    """A field that was renamed or removed leaves no row behind, and no row is an excuse for a field that is used."""
    in_use = RENDERED_FIELDS | fields_read_from_a_command()

    assert set(NOT_SENT_YET) <= CREATE_FIELDS
    assert RENDERED_FIELDS <= CREATE_FIELDS
    assert set(NOT_SENT_YET) & in_use == set(), "listed as not sent, and used"
    assert all(NOT_SENT_YET.values()), "without a reason"


def test_every_create_field_has_a_parameter() -> None:
    """A field without a row in the dialect's schemas could never be asked for; two rows would overwrite each other."""
    named = [field for field, _ in CREATE.values()] + [row.field for row in CREATE_CALLBACKS]

    assert sorted([*named, "dialect"]) == sorted(CREATE_FIELDS), "the dialect is that of the request"


def test_every_update_field_has_a_parameter_and_is_looked_at() -> None:
    """A field that updates.py does not read would be accepted and do nothing."""
    names = {field.name for field in fields(UpdateParticipant)}
    read = {
        node.attr
        for node in ast.walk(ast.parse((PACKAGE / "services/updates.py").read_text()))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "update"
    }

    assert sorted(field for field, _ in UPDATE.values()) == sorted(names)
    assert names - read == set()


@pytest.mark.parametrize("event", list(CONFERENCE_TABLE), ids=str)
def test_every_event_of_a_conference_has_a_row_for_every_status(event: type[Event]) -> None:
    """The same of events whose subject is the conference itself."""
    assert set(CONFERENCE_TABLE[event]) == set(ConferenceStatus)


@pytest.mark.parametrize("event", list(EVENT_TABLE), ids=str)
def test_every_event_has_a_row_for_every_status(event: type[Event]) -> None:
    """A rule, or LATE: a pair that nobody thought of would raise in production."""
    assert set(EVENT_TABLE[event]) == set(ParticipantStatus)


def test_every_event_comes_from_the_switch_or_is_derived() -> None:
    """In EVENT_TABLE if a switch can say it; in PLAN if a client can be told of it; in neither it would be dead."""
    assert EVENTS - HAPPEN - set(PLAN) == set()
    assert HAPPEN | set(PLAN) <= EVENTS


def test_every_event_that_happens_is_made_by_somebody() -> None:
    """Of the switch, of a detector, of what is played, or by being asked for; and each translator has its row."""
    made = {name for path in SOURCES if path.relative_to(PACKAGE).parts[0] in MAKERS for name in names_used(path)}
    translators = PACKAGE / "freeswitch/events.py"
    functions = {node.name for node in ast.parse(translators.read_text()).body if isinstance(node, ast.FunctionDef)}

    assert {event.__name__ for event in HAPPEN} - made == set()
    assert {name for name in functions if name.startswith("_")} - names_used(translators) == set()


def test_every_effect_is_asked_for_in_its_test() -> None:
    """An effect that no test asks for may never be asked for."""
    asked_for = names_used(Path(__file__).parent / "domain/test_effects.py")

    assert {effect.__name__ for effect in get_args(Effect)} - asked_for == set()


def test_every_planned_callback_can_be_subscribed_to() -> None:
    """Its word is one that a request may name; a detection is told to whoever has given a URL for it."""
    words = {word for row in CREATE_CALLBACKS for word in row.words}

    assert {row.word for row in PLAN.values() if row.source != "detection"} - words == set()


def test_every_verb_can_be_read_back() -> None:
    """Its fields say which one it is, in what is kept of a track (playback/state.py)."""
    names = [frozenset(field.name for field in fields(verb)) for verb in get_args(Verb)]

    assert len(set(names)) == len(names)


def test_every_planned_callback_has_its_parameters() -> None:
    """A kind without a serializer could not be sent; a serializer without a kind is never called."""
    assert {row.kind for row in PLAN.values()} == set(SERIALIZERS)
    assert len({row.kind for row in PLAN.values()}) == len(PLAN)


def test_long_files_are_named() -> None:
    """One of more than 300 lines may be two rooms: whoever makes it longer is warned, and looks whether it is."""
    lengths = {path.relative_to(PACKAGE): len(path.read_text().splitlines()) for path in SOURCES}
    for path, length in lengths.items():
        if length > LONGEST_FILE:
            warnings.warn(f"{path} has {length} lines: is it about one thing?", stacklevel=1)

    assert max(lengths.values()) < 2 * LONGEST_FILE


def test_documents_that_are_named_are_there() -> None:
    """By their path from the top; a reader of the repository has no other papers."""
    named = {(path, name) for path, text in TEXTS.items() for name in re.findall(r"[\w./-]+\.md\b", text)}
    papers = {(path, paper) for path, text in TEXTS.items() for paper in re.findall(r"(?i)\bseeds? \d+", text)}

    assert {(path, name) for path, name in named if not (REPOSITORY / name).is_file()} | papers == set()
    assert {"docs/wire-contract.md", "docs/freeswitch.md"} <= {name for _, name in named}


def test_the_guards_see_the_program() -> None:
    """An empty list would let everything pass."""
    assert len(SOURCES) > 40
    assert {"participants.py", "transitions.py"} <= {path.name for path in SOURCES}
    assert "label" in fields_read_from_a_command()
    assert len(EVENTS) >= 13
