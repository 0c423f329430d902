"""`/metrics` for the whole deployment: what each process counts, as it last said, and what Redis shows of the rest.

Each process' figures carry its name, so that Prometheus sees a restart as such and nothing is added up twice
(docs/adr/0022).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from orchestrator.console.reader import NodeSeen, Reader
from orchestrator.store.overview import LiveConference
from orchestrator.store.processes import ProcessReport

Labels = Sequence[str]


class _Collected(Collector):
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def exposition(reader: Reader) -> bytes:
    """Return all metrics as text. Raises Unavailable."""
    registry = CollectorRegistry()
    processes = reader.processes.list_processes()
    registry.register(_Collected([*merge(processes), *deployment(reader, processes)]))
    return generate_latest(registry)


def merge(processes: Iterable[ProcessReport]) -> Iterator[Metric]:
    """Return every process' figures under its own name and kind."""
    found: dict[str, Metric] = {}
    for process in processes:
        own = {"kind": process.kind, "instance": process.name}
        for family in text_string_to_metric_families(process.metrics):
            kept = found.setdefault(family.name, Metric(family.name, family.documentation, family.type))
            for sample in family.samples:
                kept.add_sample(sample.name, {**sample.labels, **own}, sample.value)
    yield from found.values()


def deployment(reader: Reader, processes: Sequence[ProcessReport]) -> Iterator[Metric]:
    """Return what no process counts: what there is now."""
    kinds: dict[Labels, float] = {(kind,): 0.0 for kind in ("api", "listen", "work", "detect")}
    for process in processes:
        kinds[(process.kind,)] = kinds.get((process.kind,), 0.0) + 1
    yield _gauge("orchestrator_processes", "Processes that live", ["kind"], kinds)
    live = reader.overview.conferences()
    nodes = reader.nodes(live)
    for name, text, read in _NODE_GAUGES:
        yield _gauge(name, text, ["node"], {(node.name,): read(node) for node in nodes})
    lanes = reader.backlog.lanes()
    yield _gauge("orchestrator_lanes", "Lanes that wait or are worked on", ["lane"], {(k,): n for k, n, _ in lanes})
    late: dict[Labels, float] = {(kind,): seconds for kind, _, seconds in lanes}
    yield _gauge("orchestrator_lanes_late_seconds", "How late the oldest lane is", ["lane"], late)
    ready: dict[Labels, float] = {(topic,): number for topic, number in reader.ready().items()}
    yield _gauge("orchestrator_wakeups_ready", "Lanes that wait for a job", ["lane"], ready)
    yield from _live(reader, live)
    dropped = reader.backlog.dropped()
    yield CounterMetricFamily("orchestrator_dead_letters", "All of orchestrator_callbacks_dead", sum(dropped.values()))
    dead = CounterMetricFamily("orchestrator_callbacks_dead", "Callbacks that were given up", labels=["reason"])
    for reason, number in dropped.items():
        dead.add_metric([reason], number)
    yield dead
    for name, text, value in reader.redis_figures():
        yield _gauge(name, text, [], {(): value})


def _live(reader: Reader, live: Sequence[LiveConference]) -> Iterator[Metric]:
    statuses: dict[Labels, float] = {(status,): 0.0 for status in ("init", "in-progress")}
    for conference in live:
        statuses[(conference.status,)] = statuses.get((conference.status,), 0.0) + 1
    yield _gauge("orchestrator_conferences", "Conferences that are not over", ["status"], statuses)
    people = float(sum(conference.people for conference in live))
    yield _gauge("orchestrator_participants", "People in conferences, or on their way", [], {(): people})
    accounts = reader.accounts()
    dialling = float(sum(account.dialling for account in accounts))
    yield _gauge("orchestrator_dialling", "Calls that are not answered", [], {(): dialling})
    waiting = float(sum(account.waiting for account in accounts))
    yield _gauge("orchestrator_dials_waiting", "Calls that wait for their account's slot", [], {(): waiting})
    paused = float(sum(receiver.pauses > 0 for account in accounts for receiver in account.receivers))
    yield _gauge("orchestrator_receivers_paused", "Receivers that have failed for long", [], {(): paused})


def _gauge(name: str, text: str, labels: Labels, values: dict[Labels, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=labels)
    for row, value in values.items():
        family.add_metric(row, value)
    return family


_NODE_GAUGES: Sequence[tuple[str, str, Callable[[NodeSeen], float]]] = (
    ("orchestrator_node_up", "The node is followed", lambda node: float(node.facts.get("connected") == "1")),
    ("orchestrator_node_queued", "Events that wait to be committed", lambda node: float(node.facts.get("queued", 0))),
    ("orchestrator_node_sessions", "Sessions of the node", lambda node: float(node.facts.get("sessions") or 0)),
    ("orchestrator_node_conferences", "Conferences of the node", lambda node: float(node.conferences)),
    ("orchestrator_node_cordoned", "It gets no new conferences", lambda node: float(node.state != "active")),
)
