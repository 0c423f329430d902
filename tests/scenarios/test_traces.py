"""An operator finds in one trace what a request has led to, across processes: OpenTelemetry over HTTP, as a collector
gets it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import pytest
import requests
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.conftest import make_switch
from tests.harness.polling import eventually
from tests.harness.room import Room
from tests.harness.stack import Stack

ASKED: Final = {
    "mute": ({"Muted": "true"}, "MuteMember", "ParticipantMuted", "callback participant-mute"),
    "hold": ({"Hold": "true", "HoldUrl": ""}, "HoldMember", "ParticipantHeld", "callback participant-hold"),
    "removal": (None, "KillChannel", "MemberRemoved", "callback participant-leave"),
}
"""What is asked for -> its form, and the spans of its command, its event and its callback."""


class Collector:
    """Takes spans: (trace id, name, command of the process), as they come."""

    def __init__(self) -> None:
        self.spans: list[tuple[str, str, str]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                sent = ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["Content-Length"])))
                for resource in sent.resource_spans:
                    kinds = [pair.value.string_value for pair in resource.resource.attributes
                             if pair.key == "process.command"]  # fmt: skip
                    outer.spans += [
                        (span.trace_id.hex(), span.name, kinds[0])
                        for scope in resource.scope_spans
                        for span in scope.spans
                    ]
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def of(self, name: str) -> dict[str, str]:
        """The spans of a trace, and which process had them, by a SID."""
        return {span: kind for trace, span, kind in list(self.spans) if trace == name[2:]}


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    made = Collector()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{made.server.server_port}")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "200")
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def traced(collector: Collector, switch_name: str, tmp_path: Path) -> Iterator[Room]:
    with Stack(make_switch(switch_name, tmp_path / "switch"), tmp_path) as stack:
        yield Room(stack)


def test_a_request_its_command_its_event_and_its_callback_are_one_trace(traced: Room, collector: Collector) -> None:
    """Named by the id that the answer has; the call's own trace has the event, too."""
    stack = traced.stack
    for number, label in enumerate(("anna", "bert"), 1):
        traced.add(label, number)
    anna = traced.people["anna"].call_sid
    url = f"{stack.base_url}/2010-04-01/Accounts/{stack.account_sid}/Conferences/{traced.conference_sid}"
    for form, command, event, callback in ASKED.values():
        answer = requests.request(
            "POST" if form else "DELETE",
            f"{url}/Participants/anna.json",
            data=form,
            auth=(stack.account_sid, stack.auth_token),
            timeout=5,
        )
        assert answer.ok, answer.text
        name = answer.headers["Twilio-Request-Id"]
        expected = {"request": "api", command: "api", event: "listen", callback: "work"}

        eventually(lambda: expected.items() <= collector.of(name).items(), f"all of {expected} is in one trace")  # noqa: B023
        eventually(lambda: event in collector.of(anna), f"{event} is in the call's trace")  # noqa: B023
