"""Traces by OpenTelemetry: off, and never imported, unless OTEL_EXPORTER_OTLP_ENDPOINT is set (docs/adr/0023).

A trace is named by what it is about: a request by its request id, which the log has too, a call or a conference by its
SID. A request's trace has its commands to the switch, the events that it asked for, and their callbacks; a call's has
all its events, and the callbacks of those that no request asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Final

_OFF: Final = nullcontext()
_tracer: Any = None


def start(kind: str, endpoint: str) -> None:
    """Send the traces of this process to an OTLP endpoint over HTTP; nothing if there is none."""
    if not endpoint:
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise SystemExit("OTEL_EXPORTER_OTLP_ENDPOINT is set: pip install 'conference-orchestrator[otlp]'") from error
    use(kind, BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")))


def use(kind: str, processor: Any) -> None:
    """Have a span processor get the spans of this process."""
    global _tracer  # noqa: PLW0603 -- a process has one, as it has one log
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider

    provider = TracerProvider(resource=Resource.create({"service.name": "orchestrator", "process.command": kind}))
    provider.add_span_processor(processor)
    _tracer = provider.get_tracer("orchestrator")


def span(name: str, about: str, **attributes: str | int) -> AbstractContextManager[Any]:
    """A span for as long as a block lasts, in the trace of a request, call or conference; yields it, or None where
    traces are off."""
    return _OFF if _tracer is None or not about else _span(name, about, attributes)


def describe(attributes: Mapping[str, str | int]) -> None:
    """Add to the span that lasts now what has become of it."""
    if _tracer is not None:
        from opentelemetry import trace

        trace.get_current_span().set_attributes(attributes)


def mark(name: str, *abouts: str, **attributes: str | int) -> None:
    """Mark a moment in each of these traces."""
    if _tracer is not None:
        for about in abouts:
            with span(name, about, **attributes):
                pass


@contextmanager
def _span(name: str, about: str, attributes: dict[str, str | int]) -> Iterator[Any]:
    from opentelemetry import trace

    trace_id = int(about[2:34], 16)
    context = None
    if trace.get_current_span().get_span_context().trace_id != trace_id:
        # No span of ours has this name: all of a trace are children of what it is about.
        parent = trace.SpanContext(trace_id, trace_id & (2**64 - 1) or 1, True, trace.TraceFlags(1))
        context = trace.set_span_in_context(trace.NonRecordingSpan(parent))
    with _tracer.start_as_current_span(name, context=context, attributes=attributes) as started:
        yield started
