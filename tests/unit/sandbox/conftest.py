"""One sandbox and one client for each test that asks for them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from orchestrator.sandbox.server import Sandbox
from tests.unit.sandbox.client import PASSWORD, Client


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A started sandbox on a free port."""
    started = Sandbox("127.0.0.1", 0, PASSWORD)
    started.start()
    yield started
    started.thaw()
    started.stop()


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[Client]:
    """A client that has been let in and gets every event."""
    connected = Client(sandbox.port)
    connected.subscribe()
    yield connected
    connected.close()
