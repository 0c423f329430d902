"""What every process does beside its work."""

from __future__ import annotations

import gc

from orchestrator import tracing
from orchestrator.health_server import serve
from orchestrator.probes import build_readiness
from orchestrator.reporter import Reporter
from orchestrator.settings import Settings
from orchestrator.wiring.stores import build_processes


def report_life(settings: Settings, kind: str, *, serves_health: bool = True) -> Reporter:
    """Begin to report, to Redis, to traces and to health checks, that this process lives, which has been built."""
    tracing.start(kind, settings.otel_exporter_otlp_endpoint)
    reporter = Reporter(build_processes(settings), kind)
    reporter.start()
    if settings.health_bind and serves_health:
        serve(settings.health_bind, build_readiness(settings))
    # What there is now stays. To look through it for garbage took a busy API 60 ms, every two seconds.
    gc.collect()
    gc.freeze()
    return reporter
