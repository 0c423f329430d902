"""What every process says of itself every two seconds: that it lives, what it counts, and what went wrong lately.

One that is silent for PROCESS_SECONDS is gone, however it ended; RQ's own list of workers keeps a dead one for minutes.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

import orjson
import redis

from orchestrator.store import keys
from orchestrator.store.connection import redis_errors


@dataclass(frozen=True, slots=True)
class LogLine:
    """A warning or an error of a process: when (ms), and what it said."""

    at_ms: int
    level: str
    event: str
    text: str


@dataclass(frozen=True, slots=True)
class ProcessReport:
    """`name` is host:pid:random, `kind` the command that it runs; `metrics` is Prometheus' text."""

    name: str
    kind: str
    started_ms: int
    seen_ms: int
    metrics: str
    trouble: tuple[LogLine, ...]


class ProcessStore:
    """Keeps reports of processes: written by each for itself; read by the console, `check` and `/readyz`."""

    def __init__(self, client: redis.Redis) -> None:
        self._redis: Any = client

    def save(self, report: ProcessReport) -> None:
        """Write a process's report, and forget the processes that have been silent for a day."""
        with redis_errors():
            pipe = self._redis.pipeline(transaction=False)
            row = {
                "kind": report.kind,
                "started_ms": report.started_ms,
                "seen_ms": report.seen_ms,
                "metrics": report.metrics,
                "trouble": orjson.dumps(report.trouble).decode(),
            }
            pipe.hset(keys.process(report.name), mapping=row)
            pipe.expire(keys.process(report.name), keys.PROCESS_SECONDS)
            pipe.zadd(keys.PROCESSES, {report.name: report.seen_ms})
            pipe.zremrangebyscore(keys.PROCESSES, 0, report.seen_ms - 86_400_000)
            pipe.execute()

    def delete(self, name: str) -> None:
        """Forget a process that stops as it should."""
        with redis_errors():
            pipe = self._redis.pipeline(transaction=False)
            pipe.delete(keys.process(name))
            pipe.zrem(keys.PROCESSES, name)
            pipe.execute()

    def ping_seconds(self) -> float:
        """Measure how long Redis takes to answer."""
        began = time.monotonic()
        with redis_errors():
            self._redis.ping()
        return time.monotonic() - began

    def count_kinds(self) -> dict[str, int]:
        """Count the processes of each kind that live."""
        return dict(Counter(kind for _, (kind,) in self._read("kind")))

    def list_processes(self) -> list[ProcessReport]:
        """List the processes that live, by kind and name."""
        rows = self._read("kind", "started_ms", "seen_ms", "metrics", "trouble")
        found = [
            ProcessReport(name, kind, int(started), int(seen), metrics, _trouble(trouble))
            for name, (kind, started, seen, metrics, trouble) in rows
        ]
        return sorted(found, key=lambda report: (report.kind, report.name))

    def _read(self, *fields: str) -> list[tuple[str, list[str]]]:
        """Of a process that has just died there is a name, and no row."""
        with redis_errors():
            names = self._redis.zrange(keys.PROCESSES, 0, -1)
            pipe = self._redis.pipeline(transaction=False)
            for name in names:
                pipe.hmget(keys.process(name), fields)
            rows = pipe.execute()
        return [(name, row) for name, row in zip(names, rows, strict=True) if row[0] is not None]


def _trouble(text: str) -> tuple[LogLine, ...]:
    return tuple(LogLine(**row) for row in orjson.loads(text))
