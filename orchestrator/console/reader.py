"""Reads all that the console shows, from Redis only: it costs the switch and the API nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.store.accounts import AccountStore
from orchestrator.store.backlog import Backlog
from orchestrator.store.history import History
from orchestrator.store.memory import Memory
from orchestrator.store.nodes import NodeStore
from orchestrator.store.overview import LiveConference, LivePerson, Overview, Takings
from orchestrator.store.processes import LogLine, ProcessStore
from orchestrator.store.recordings import RecordingStore
from orchestrator.store.registry import NodeRegistry

PEOPLE_SHOWN = 50
"""Conferences whose people are on the live page; of the others there are counts."""


@dataclass(frozen=True, slots=True)
class NodeSeen:
    """A node, what operators have said of it, what it has, and what its listener and detector last said; `facts` empty:
    nobody follows it."""

    name: str
    address: str
    group: str
    state: str
    conferences: int
    people: int
    facts: dict[str, str]
    detector: dict[str, str]


@dataclass(frozen=True, slots=True)
class Trouble:
    """A warning or an error of some process."""

    process: str
    kind: str
    line: LogLine


@dataclass(slots=True)
class Reader:
    """Reads for all pages. One for the process. `ready`: how many lanes wait for a job, by topic."""

    registry: NodeRegistry
    node_store: NodeStore
    processes: ProcessStore
    overview: Overview
    backlog: Backlog
    account_store: AccountStore
    history: History
    recordings: RecordingStore
    memory: Memory
    ready: Callable[[], Mapping[str, int]]
    _people: dict[str, tuple[str, list[LivePerson]]] = field(default_factory=dict)

    def nodes(self, live: Sequence[LiveConference]) -> list[NodeSeen]:
        """Return every node, with how much of what lives it has."""
        conferences = Counter(row.node for row in live)
        people: Counter[str] = Counter()
        for row in live:
            people[row.node] += row.people
        return [
            NodeSeen(
                row.name,
                f"{row.host}:{row.port}",
                row.group,
                row.state,
                conferences[row.name],
                people[row.name],
                self.node_store.load_node(row.name),
                self.node_store.load_detector(row.name),
            )
            for row in self.registry.list_nodes()
        ]

    def accounts(self) -> list[Takings]:
        """Return what each account has now."""
        accounts = {account.account_sid: account for account in self.account_store.list_accounts()}
        names = {sid: (account.friendly_name, account.status) for sid, account in accounts.items()}
        return self.overview.accounts(names, self.backlog.receivers(list(accounts)))

    def people_of(self, conferences: Sequence[LiveConference]) -> dict[str, list[LivePerson]]:
        """Return the people of the first PEOPLE_SHOWN conferences; read again where the version says that something has
        changed."""
        shown = {row.conference_sid: row.version for row in conferences[:PEOPLE_SHOWN]}
        known = self._people  # another greenlet puts its own there while this one reads
        stale = [sid for sid, version in shown.items() if known.get(sid, ("", []))[0] != version]
        found = self.overview.people(stale) if stale else {}
        known = {sid: (version, found[sid]) if sid in found else known[sid] for sid, version in shown.items()}
        self._people = known
        return {sid: people for sid, (_, people) in known.items()}

    def trouble(self) -> list[Trouble]:
        """Return the last warnings and errors of all processes, the newest first."""
        found = [
            Trouble(process.name, process.kind, line)
            for process in self.processes.list_processes()
            for line in process.trouble
        ]
        return sorted(found, key=lambda one: one.line.at_ms, reverse=True)[:20]

    def redis_figures(self) -> Iterator[tuple[str, str, float]]:
        """Return Redis' memory as gauges."""
        used, most = self.memory.bytes()
        yield "orchestrator_redis_memory_bytes", "What Redis uses", used
        yield "orchestrator_redis_memory_most_bytes", "Redis' maxmemory; 0: none", most
        kept, dropped = self.backlog.media()
        yield "orchestrator_media_bytes", "Audio that is kept", kept
        yield "orchestrator_media_dropped", "Pieces of audio that were dropped to make room", dropped
        yield "orchestrator_redis_appends", "Redis writes an append-only file", float(self.memory.appends())
