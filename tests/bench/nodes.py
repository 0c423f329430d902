"""What a node's lease costs a commit; one listener that follows several nodes; placements, and how even they are."""

from __future__ import annotations

import hashlib
import secrets
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import redis

from orchestrator.domain.changes import Change, Versioned
from orchestrator.freeswitch.capacity import Capacity
from orchestrator.services.placement import Placement
from orchestrator.store import keys
from orchestrator.store.commits import CommitStore
from orchestrator.store.conferences import ConferenceStore
from orchestrator.store.connection import connect
from orchestrator.store.nodes import NodeStore
from orchestrator.store.quotas import QuotaStore, Room
from orchestrator.store.registry import NodeRegistry, NodeRow
from orchestrator.store.scripts import read_script
from tests.bench import tape
from tests.bench.redis_cpu import redis_cpu
from tests.bench.report import Row
from tests.harness.polling import eventually
from tests.harness.stack import Process, Stack
from tests.unit.freeswitch.test_capacity import STATUS
from tests.unit.records import create

COMMITS = 10_000
ROUNDS = 50
CONFERENCES = 32
AT_ONCE = 50
"""Events that are sent before a command is answered."""

EPOCH_IN_COMMIT = {
    "'version', 'epoch')": "'version')",
    "if is_fenced(stamp[2], ARGV[4]) then return {-1} end\n": "",
    ", 'epoch', ARGV[4] ~= '' and ARGV[4] or stamp[2] or '')": ")",
}
"""What conferences/commit.lua says about it, and what it would say otherwise."""

PLACEMENTS = 4_000
ANSWERS = {
    "api show channels": '{"row_count":0}',
    "api conference json_list": "[]",
    "api uuid_exists": "true",
    "api status": STATUS,
}


def measure(stack: Stack) -> list[Row]:
    bodies, sid, calls = tape.record(stack)
    for process in (stack.api, *stack.listeners, *stack.workers, stack.detector):
        process.kill_9()
    url = stack.environment["REDIS_URL"]
    rows = [_epoch(url)]
    rates = {count: _follow(stack, url, (bodies, sid, calls), count) for count in (1, 4, 16)}
    rows += [
        Row(f"events applied by one `orchestrator listen` of {count} nodes", rate, "events/s", rates[1], "of one node")
        for count, rate in rates.items()
    ]
    return [*rows, *(row for count in (4, 16) for row in _place(url, count))]


def _epoch(url: str) -> Row:
    """What Redis uses for the same commit with one, and by a script that knows of none, by turns. The rest of a commit
    is the same for both."""
    client = connect(url)
    redis.Redis.from_url(url).flushall()
    store, fenced, plain = ConferenceStore(client), CommitStore(client), _without_epoch(client)
    one = create(store)
    used = dict.fromkeys((plain, fenced), 0.0)
    for _ in range(ROUNDS):
        for commits in used:
            known = commits.load((), [one.conference_sid])[0][one.conference_sid]
            before = redis_cpu(url)
            for number in range(COMMITS // ROUNDS):
                after = replace(known.conference, updated_at=datetime.now(UTC))
                change = Change(Versioned(known.conference, known.version + number), after, secrets.token_hex(16))
                assert commits.commit([change], 7) != [None]
            used[commits] += redis_cpu(url) - before
    each, floor = used[fenced] / COMMITS * 1e6, used[plain] / COMMITS * 1e6
    return Row("a commit with an epoch, in Redis", each, "us of CPU", floor, "a script without")


def _without_epoch(client: redis.Redis) -> CommitStore:
    """A store whose script neither reads, nor compares, nor writes an epoch."""
    text = read_script("conferences/commit")
    for part, instead in EPOCH_IN_COMMIT.items():
        assert text.count(part) == 1, part
        text = text.replace(part, instead)
    commits = CommitStore(client)
    script = commits._commit
    script._text, script.sha = text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
    return commits


class Replay:
    """A node that says one tape when it is told to."""

    def __init__(self, bodies: list[bytes], go: threading.Event) -> None:
        packets = [b"Content-Length: %d\nContent-Type: text/event-json\n\n%s" % (len(body), body) for body in bodies]
        self._parts = [b"".join(packets[start : start + AT_ONCE]) for start in range(0, len(packets), AT_ONCE)]
        self._sending = threading.Lock()
        self._go = go
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.is_subscribed = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            connection, _ = self._listening.accept()
            threading.Thread(target=self._until_closed, args=(self._talk, connection), daemon=True).start()

    def _until_closed(self, work: Callable[[socket.socket], None], connection: socket.socket) -> None:
        with suppress(OSError):  # the listener is killed when it has been measured
            work(connection)

    def _talk(self, connection: socket.socket) -> None:
        connection.sendall(b"Content-Type: auth/request\n\n")
        for line in connection.makefile("r"):
            command = line.strip()
            if not command:
                continue
            text = next((text for start, text in ANSWERS.items() if command.startswith(start)), "+OK")
            if command.startswith("api"):
                answer = f"Content-Type: api/response\nContent-Length: {len(text)}\n\n{text}"
            else:
                said = "+OK accepted" if command.startswith("auth") else "+OK"
                answer = f"Content-Type: command/reply\nReply-Text: {said}\n\n"
            with self._sending:
                connection.sendall(answer.encode())
            if command == "api conference json_list" and not self.is_subscribed.is_set():
                self.is_subscribed.set()
                threading.Thread(target=self._until_closed, args=(self._say, connection), daemon=True).start()

    def _say(self, connection: socket.socket) -> None:
        self._go.wait()
        for part in self._parts:
            with self._sending:
                connection.sendall(part)


def _follow(stack: Stack, url: str, recorded: tuple[list[bytes], str, list[str]], count: int) -> float:
    redis.Redis.from_url(url).flushall()
    store, go = ConferenceStore(connect(url)), threading.Event()
    tapes = [tape.multiply(*recorded, store, CONFERENCES // count, f"fs{number}") for number in range(count)]
    nodes = [Replay(bodies, go) for bodies in tapes]
    listed = ",".join(f"fs{number}=127.0.0.1:{node.port}" for number, node in enumerate(nodes))
    environment = {**stack.environment, "FREESWITCH_NODES": listed, "FREESWITCH_PASSWORD": "x", "LOG_LEVEL": "error"}
    listener = Process(f"listen-{count}", ["listen"], environment, stack.directory)
    listener.start()
    try:
        for node in nodes:
            assert node.is_subscribed.wait(30)
        client: Any = redis.Redis.from_url(url, decode_responses=True)
        sids = client.zrange(keys.OPEN_CONFERENCES, 0, -1)

        def all_ended() -> bool:
            pipe = client.pipeline(transaction=False)
            for sid in sids:
                pipe.hget(keys.conference(sid), "status")
            return set(pipe.execute()) == {"completed"}

        started = time.monotonic()
        go.set()
        used = redis_cpu(url)
        eventually(all_ended, "every conference has ended", 120)
        took = time.monotonic() - started
        used = redis_cpu(url) - used
        print(f"  Redis used {used / sum(map(len, tapes)) * 1e6:.0f} us of CPU for an event of {count} node(s)")
    finally:
        listener.kill_9()
    return sum(map(len, tapes)) / took


class Idle:
    """Nodes as a process that dials sees them: what each said is half a second old at most."""

    def __init__(self, count: int) -> None:
        self._names = [f"fs{number}" for number in range(count)]
        self._placed: Counter[str] = Counter()
        self._said: dict[str, Capacity] = {}
        self._read_at = 0.0

    def connected_names(self) -> list[str]:
        return self._names

    def place(self, name: str) -> None:
        self._placed[name] += 1

    def get(self, name: str) -> Any:
        if time.monotonic() - self._read_at > 0.5:
            self._read_at = time.monotonic()
            self._said = {one: Capacity(self._placed[one], 100_000, 10_000, self._read_at) for one in self._names}
        return type("Node", (), {"capacity": self._said[name]})


def _place(url: str, count: int) -> list[Row]:
    client, nodes = connect(url), Idle(count)
    redis.Redis.from_url(url).flushall()
    registry = NodeRegistry(client, [NodeRow(f"fs{number}", "127.0.0.1", 1) for number in range(count)])
    placement, quotas = Placement(nodes, registry, NodeStore(client)), QuotaStore(client)  # type: ignore[arg-type]  # what it asks of Nodes
    placed: Counter[str] = Counter()
    choosing = 0.0
    for _ in range(PLACEMENTS):
        started = time.perf_counter()
        name = placement.choose()
        choosing += time.perf_counter() - started
        quotas.reserve_session(name, "CA" + secrets.token_hex(16), Room(90_000, 1_500, 10_000))
        nodes.place(name)
        placed[name] += 1
    spread = (max(placed.values()) - min(placed.values())) / (PLACEMENTS / count) * 100
    return [
        Row(f"placements on {count} nodes", PLACEMENTS / choosing, "/s"),
        Row("most beyond fewest, of the mean", spread, "%", None, "", "< 5", spread < 5),
    ]
