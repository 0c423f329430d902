"""What attackers have tried, and what they got; the attackers run until they are stopped."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress

PAUSE_SECONDS = 0.1
JOIN_SECONDS = 60.0


class Ledger:
    """Attempts by kind; and holes: what should not have been possible, each with how often it was."""

    def __init__(self) -> None:
        self.tried: Counter[str] = Counter()
        self.holes: Counter[str] = Counter()
        self.slowest_ms = 0
        self._lock = threading.Lock()

    def note(self, kind: str, count: int = 1) -> None:
        with self._lock:
            self.tried[kind] += count

    def hole(self, what: str) -> None:
        with self._lock:
            self.holes[what] += 1

    def took(self, seconds: float) -> None:
        with self._lock:
            self.slowest_ms = max(self.slowest_ms, round(seconds * 1000))

    def __str__(self) -> str:
        tried = ", ".join(f"{count:,} {kind}" for kind, count in sorted(self.tried.items()))
        holes = "".join(f"\n    HOLE {count} times: {what}" for what, count in sorted(self.holes.items()))
        return f"attacked: {tried}; slowest health check {self.slowest_ms} ms{holes}"


class Attackers:
    """One thread for each step, which is taken again and again. A service that hangs up or is away is no news here."""

    def __init__(self, steps: Mapping[str, Callable[[], object]]) -> None:
        self._stopping = threading.Event()
        self._broken: list[tuple[str, Exception]] = []
        self._threads = [
            threading.Thread(target=self._run, args=(name, step), name=name, daemon=True)
            for name, step in steps.items()
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Returns when all have ended. An attacker with a defect of its own has proved nothing: it is raised here."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(JOIN_SECONDS)
            assert not thread.is_alive(), f"attacker {thread.name} does not end"
        for name, error in self._broken:
            raise AssertionError(f"attacker {name} is broken") from error

    def _run(self, name: str, step: Callable[[], object]) -> None:
        while not self._stopping.wait(PAUSE_SECONDS):
            try:
                with suppress(OSError):
                    step()
            except Exception as error:  # noqa: BLE001 - whatever it is, it is told by `stop`
                self._broken.append((name, error))
                return
