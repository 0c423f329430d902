"""What every process does beside its work."""

from __future__ import annotations

from orchestrator import tracing
from orchestrator.health_server import serve
from orchestrator.probes import build_readiness
from orchestrator.reporter import Reporter
from orchestrator.settings import Settings
from orchestrator.wiring.stores import build_processes


def report_life(settings: Settings, kind: str) -> Reporter:
    """Begin to report, to Redis, to traces and to health checks, that this process lives."""
    tracing.start(kind, settings.otel_exporter_otlp_endpoint)
    reporter = Reporter(build_processes(settings), kind)
    reporter.start()
    if settings.health_bind:
        serve(settings.health_bind, build_readiness(settings))
    return reporter
