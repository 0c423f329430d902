"""Name servers, web servers and a clock that only tests move."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestrator.outgoing.resolver import Resolver
from tests.unit.outgoing.dns_server import DnsServer
from tests.unit.outgoing.web import Web


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def dns_server() -> Iterator[DnsServer]:
    server = DnsServer(lambda name, kind: [])
    yield server
    server.stop()


@pytest.fixture
def hosts_file(tmp_path: Path) -> Path:
    path = tmp_path / "hosts"
    path.write_text("127.0.0.1 localhost\n")
    return path


@pytest.fixture
def resolver(dns_server: DnsServer, clock: Clock, hosts_file: Path) -> Resolver:
    return Resolver(clock, dns_client=dns_server.client, hosts_file=hosts_file)


@pytest.fixture
def web() -> Iterator[Callable[..., Web]]:
    started: list[Web] = []

    def start(*arguments: object, **settings: object) -> Web:
        started.append(Web(*arguments, **settings))  # type: ignore[arg-type]  # passed on as they are
        return started[-1]

    yield start
    for server in started:
        server.stop()
