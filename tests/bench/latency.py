"""From `add-member` on the switch to the join callback at the receiver, one call at a time on an idle system.

The switch's own time stamps tick in steps of 20 ms, so a probe of our own watches the event socket and keeps it awake;
what it sees is at most its nudge (1 ms) late.
"""

from __future__ import annotations

import re
import socket
import threading
import time
import uuid

from tests.bench.report import Row, percentile
from tests.harness.freeswitch import FarEnd
from tests.harness.stack import Stack

CALLS = 100


class Probe:
    """Notes when each channel's `add-member` reaches an event socket that never sleeps."""

    def __init__(self, stack: Stack) -> None:
        self.seen: dict[str, float] = {}
        self._socket = socket.create_connection(("127.0.0.1", stack.switch.esl_port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._ask("", b"auth/request")
        self._ask(f"auth {stack.switch.password}\n\n", b"+OK accepted")
        self._ask("event plain CUSTOM conference::maintenance\n\n", b"+OK event")
        self._running = True
        threading.Thread(target=self._read, daemon=True).start()
        threading.Thread(target=self._nudge, daemon=True).start()

    def _ask(self, command: str, wanted: bytes) -> None:
        self._socket.sendall(command.encode())
        answer = b""
        while wanted not in answer or not answer.endswith(b"\n\n"):
            answer += self._socket.recv(65536)

    def _read(self) -> None:
        tail = b""
        while self._running:
            data = self._socket.recv(65536)
            at = time.time()
            if not data:
                return
            tail = (tail + data)[-200_000:]
            for block in tail.split(b"Event-Subclass: ")[1:]:
                if b"Action: add-member" in block and (found := re.search(rb"\nUnique-ID: (\S+)\n", block)):
                    self.seen.setdefault(found[1].decode(), at)

    def _nudge(self) -> None:
        while self._running:
            self._socket.sendall(b"\n")
            time.sleep(0.001)

    def stop(self) -> None:
        self._running = False
        self._socket.close()


def measure(stack: Stack) -> list[Row]:
    """CALLS calls, each into a conference of its own."""
    probe = Probe(stack)
    settings = stack.call_settings(conference_status_callback_event=["join"], status_callback=None)
    took = []
    for _ in range(CALLS):
        name = f"latency {uuid.uuid4().hex}"
        created = stack.client().conferences(name).participants.create(to=FarEnd.ANSWERS, **settings)
        (joined,) = stack.receiver.await_kind(created.conference_sid, "participant-join")
        channel = str(uuid.UUID(created.call_sid[2:]))
        took.append((joined.at - probe.seen[channel]) * 1000)
        stack.client().conferences(created.conference_sid).update(status="completed")
    probe.stop()
    p50, p99 = percentile(took, 0.5), percentile(took, 0.99)
    return [
        Row("add-member to join callback, p50", p50, "ms", goal="< 10", is_met=p50 < 10),
        Row("add-member to join callback, p99", p99, "ms", goal="< 50", is_met=p99 < 50),
    ]
