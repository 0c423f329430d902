"""Traces: of a request its commands, of a call its events and their callbacks; nothing, and no import, when off."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import redis
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from orchestrator import logs, tracing
from orchestrator.domain.events import CallAnswered, MemberAdded, ParticipantMuted, ParticipantUnmuted
from orchestrator.sids import mint_sid
from orchestrator.store.conferences import ConferenceStore
from tests.unit.api.test_app import make_api
from tests.unit.listener.test_committer import NOW, World
from tests.unit.records import ACCOUNT, create


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    monkeypatch.setattr(tracing, "_tracer", None)
    kept = InMemorySpanExporter()
    tracing.use("test", SimpleSpanProcessor(kept))
    return kept


def _of(kept: InMemorySpanExporter, sid: str) -> list[Any]:
    return [span for span in kept.get_finished_spans() if f"{span.context.trace_id:032x}" == sid[2:]]


def test_a_requests_trace_has_its_commands_to_the_switch(redis_url: str, spans: InMemorySpanExporter) -> None:
    """Named by the id that the answer and the log have; the commands are parts of the request."""
    api = make_api(redis_url)
    given = {"From": "+15550009999", "To": "+15550001000"}
    made = api.request("POST", "/Conferences/Standup/Participants.json", data=given)
    found = {span.name: span for span in _of(spans, made.headers["Twilio-Request-Id"])}

    assert found["request"].attributes["http.response.status_code"] == 201
    assert found["request"].attributes["http.route"] == "create_participant"
    assert found["Originate"].parent.span_id == found["request"].context.span_id
    assert found["Originate"].attributes["node"] == "fs1"
    assert api.request("GET", "/Conferences.json").headers["Twilio-Request-Id"] not in found


def test_a_calls_trace_has_its_events(client: redis.Redis, spans: InMemorySpanExporter) -> None:
    world = World(client)
    person = create(ConferenceStore(client))
    world.apply(person, CallAnswered(NOW), MemberAdded(NOW, 1))

    assert [span.name for span in _of(spans, person.call_sid)] == ["CallAnswered", "MemberAdded"]


def test_an_event_that_a_request_asked_for_is_in_its_trace_and_so_is_its_callback(
    client: redis.Redis, spans: InMemorySpanExporter
) -> None:
    """The last request that asked for it; the call's trace has it, too. What nobody asked for is the call's alone."""
    world = World(client)
    person = world.create()
    world.join(person)
    first, last = mint_sid("RQ"), mint_sid("RQ")
    for request_id in (first, last):
        with logs.bound(request_id=request_id):
            world.store.request_muted(ACCOUNT, person.conference_sid, person.call_sid, muted=True)
    world.apply(person, ParticipantMuted(NOW))
    world.apply(person, ParticipantUnmuted(NOW))
    world.apply(person, ParticipantMuted(NOW))

    assert [span.name for span in _of(spans, last)] == ["ParticipantMuted"]
    assert _of(spans, first) == []
    assert [span.name for span in _of(spans, person.call_sid)][-3:] == [
        "ParticipantMuted", "ParticipantUnmuted", "ParticipantMuted",
    ]  # fmt: skip
    entries = [entry for entry in world.entries(person.conference_sid) if "mute" in entry.kind]
    assert [entry.request_id for entry in entries] == [last, "", ""]


def test_off_it_is_not_even_imported() -> None:
    """Whoever has not the extra has the rest."""
    program = (
        "import sys; from orchestrator import tracing; tracing.start('api', '');"
        "assert tracing.span('x', 'RQ' + '0' * 32).__enter__() is None;"
        "assert not [name for name in sys.modules if name.startswith('opentelemetry')]"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_where_the_extra_is_missing_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(SystemExit, match="otlp"):
        tracing.start("api", "http://127.0.0.1:4318")
