"""What waits, waits by gevent; what does not wait asks the kernel."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
from orchestrator import cooperation
cooperation.patch()
import select, socket, time, gevent
one, other = socket.socketpair()
poller = select.poll()
poller.register(one, select.POLLIN)
turns = []
gevent.spawn(turns.append, "somebody else")
assert poller.poll(0) == [] and not turns, "nobody else has a turn, for nothing is waited for"
gevent.spawn_later(0.05, other.send, b"x")
assert poller.poll(5_000) == [(one.fileno(), select.POLLIN)] and turns, "others have their turns, and it is told"
assert poller.poll(0) == [(one.fileno(), select.POLLIN)]
one.recv(1)
began = time.monotonic()
assert poller.poll(50) == [] and time.monotonic() - began >= 0.04
other.close()
assert poller.poll(0), "its end is told"
poller.unregister(one)
assert poller.poll(0) == []
print("ok")
"""


def test_a_poll_waits_by_gevent_and_one_that_does_not_wait_asks_the_kernel() -> None:
    """In a process of its own: what is patched stays so."""
    ran = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=30, check=False)

    assert ran.stdout == "ok\n", ran.stderr
