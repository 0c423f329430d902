"""The fast receiver as benches and chaos use it."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import requests

from tests.harness.polling import eventually
from tests.harness.stack import Process, free_port


class FastReceiver:
    """Starts, asks and stops the receiver process."""

    def __init__(self, directory: Path) -> None:
        self.port = free_port()
        self._process = Process("receiver", [], dict(os.environ), directory)
        script = Path(__file__).with_name("fast_receiver.py")
        self._process.command = [sys.executable, str(script), str(self.port)]

    def start(self) -> None:
        self._process.start()
        eventually(self._answers, "the receiver answers")

    def stop(self) -> None:
        self._process.kill_9()

    def url(self, wait_ms: int = 0) -> str:
        return f"http://127.0.0.1:{self.port}/cb" + (f"?wait={wait_ms}" if wait_ms else "")

    def count(self) -> int:
        return int(self._get("/count").text)

    def forget(self) -> None:
        self._get("/forget")

    def seen(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._get("/seen").text.splitlines()]

    def _get(self, path: str) -> requests.Response:
        return requests.get(f"http://127.0.0.1:{self.port}{path}", timeout=60)

    def _answers(self) -> bool:
        try:
            return self.count() == 0
        except requests.ConnectionError:
            return False
