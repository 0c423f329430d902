"""The floor of requests: bare_flask.py, as a process beside the service, on its switch."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from tests.harness.polling import eventually
from tests.harness.stack import Process, Stack, free_port


@contextmanager
def bare_route(stack: Stack) -> Iterator[str]:
    """Where it listens."""
    host = f"127.0.0.1:{free_port()}"
    bare = Process("bare", [], stack.environment | {"BARE_BIND": host}, stack.directory)
    bare.command = [sys.executable, str(Path(__file__).with_name("bare_flask.py"))]
    bare.start()
    try:
        eventually(lambda: _answers(host), "the bare route answers")
        yield host
    finally:
        bare.kill_9()


def _answers(host: str) -> bool:
    try:
        return requests.get(f"http://{host}/", timeout=1).status_code == 200
    except requests.ConnectionError:
        return False
