"""What this process counts, in Prometheus' words. `store/processes.py` carries it to the console, which shows that of
all processes (docs/adr/0022).

No label names a tenant: a series costs memory for ever, and tenants come and go. Whoever is called a thousand times a
second counts a batch at once.
"""

from __future__ import annotations

from typing import Any, Final, Self

import prometheus_client
from prometheus_client import (
    CollectorRegistry,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

disable_created_metrics()  # type: ignore[no-untyped-call]  # they would double the text
REGISTRY: Final = CollectorRegistry(auto_describe=True)
ProcessCollector(registry=REGISTRY)


class _Remembering:
    """Keeps for good what `labels` has returned: finding it anew takes a lock and ten calls, at every request."""

    def labels(self, *labelvalues: Any, **labelkwargs: Any) -> Self:
        """Return the series with these labels, which are given in their order, never by name."""
        if labelkwargs:
            raise TypeError("labels are given in their order")
        series: dict[tuple[Any, ...], Self] = self.__dict__.setdefault("series", {})
        if labelvalues not in series:
            made = super().labels(*labelvalues)  # type: ignore[misc]  # of the class beside this one
            series[labelvalues] = made
        return series[labelvalues]


class Counter(_Remembering, prometheus_client.Counter):
    """prometheus_client's, remembering."""


class Histogram(_Remembering, prometheus_client.Histogram):
    """prometheus_client's, remembering."""


_FAST: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0)
_SLOW: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0)

REQUESTS: Final = Counter(
    "orchestrator_requests", "Requests answered by the API", ["route", "method", "status"], registry=REGISTRY
)
REQUEST_SECONDS: Final = Histogram(
    "orchestrator_request_seconds", "From a request to its answer", ["route"], buckets=_FAST, registry=REGISTRY
)
COMMANDS: Final = Counter(
    "orchestrator_commands", "Commands to the switch", ["node", "command", "outcome"], registry=REGISTRY
)
COMMAND_SECONDS: Final = Histogram(
    "orchestrator_command_seconds",
    "From a command to the switch's reply",
    ["node"],
    buckets=_FAST,
    registry=REGISTRY,
)
EVENTS: Final = Counter(
    "orchestrator_events", "Events of the switch that were committed", ["node", "event"], registry=REGISTRY
)
EVENT_LAG_SECONDS: Final = Histogram(
    "orchestrator_event_lag_seconds",
    "From the switch's stamp of the oldest event of a batch to its commit",
    ["node"],
    buckets=_FAST,
    registry=REGISTRY,
)
EVENTS_DROPPED: Final = Counter(
    "orchestrator_events_dropped", "Events that found the listener's queue full", ["node"], registry=REGISTRY
)
CALLS_ENDED: Final = Counter(
    "orchestrator_calls_ended", "Calls by Twilio's final status", ["status"], registry=REGISTRY
)
ATTEMPTS: Final = Counter(
    "orchestrator_callback_attempts", "Attempts to deliver a callback", ["outcome"], registry=REGISTRY
)
ATTEMPT_SECONDS: Final = Histogram(
    "orchestrator_callback_attempt_seconds", "How long attempts took", buckets=_SLOW, registry=REGISTRY
)
RECORDINGS: Final = Counter(
    "orchestrator_recordings", "Recordings by what became of them", ["status"], registry=REGISTRY
)
RECORDINGS.labels("failed")  # at 0 from the start: an alert sees the first one by its step from there
REDIS_SECONDS: Final = Histogram(
    "orchestrator_redis_seconds", "A PING of Redis, every two seconds", buckets=_FAST, registry=REGISTRY
)
LOG_LINES: Final = Counter(
    "orchestrator_log_lines", "Lines of the log that tell of trouble", ["level", "event"], registry=REGISTRY
)


def exposition() -> str:
    """All of it as text."""
    return generate_latest(REGISTRY).decode()
