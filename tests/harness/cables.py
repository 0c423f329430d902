"""What is between two processes, and can be cut: nothing passes, and nobody is told."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

from tests.harness.sentinel import SERVICE, Guarded
from tests.harness.stack import Process, Stack


class Cable:
    """Leads from `port` to a port of another process. What was on its way when it was cut comes when it is mended."""

    def __init__(self, target: int, rewrite: Callable[[bytes], bytes] = bytes) -> None:
        """`rewrite`: of what comes back."""
        self._target, self._rewrite = target, rewrite
        self._whole = threading.Event()
        self._whole.set()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        self._whole.clear()

    def mend(self) -> None:
        self._whole.set()

    def _accept(self) -> None:
        while True:
            near, _ = self._listening.accept()
            threading.Thread(target=self._join, args=(near,), daemon=True).start()

    def _join(self, near: socket.socket) -> None:
        self._whole.wait()
        try:
            far = socket.create_connection(("127.0.0.1", self._target))
        except OSError:
            near.close()
            return
        for one, other, rewrite in ((near, far, bytes), (far, near, self._rewrite)):
            threading.Thread(target=self._pass_on, args=(one, other, rewrite), daemon=True).start()

    def _pass_on(self, one: socket.socket, other: socket.socket, rewrite: Callable[[bytes], bytes]) -> None:
        try:
            while data := one.recv(65536):
                self._whole.wait()
                other.sendall(rewrite(data))
        except OSError:
            pass
        for end in (one, other):
            with suppress(OSError):  # the other thread has been quicker
                end.shutdown(socket.SHUT_RDWR)  # `close` says nothing as long as that one reads
            end.close()


Way = Sequence[Cable]
"""Cables that are cut together: all that leads from one process to one other thing."""


def cables_to_nodes(stack: Stack, process: Process) -> list[Cable]:
    """Lay one from this process to each node; it is started anew."""
    cables = [Cable(switch.esl_port) for switch in stack.switches]
    through = ",".join(f"fs{number}=127.0.0.1:{cable.port}" for number, cable in enumerate(cables, 1))
    _start_anew(stack, process, "FREESWITCH_NODES", through)
    return cables


def way_to_redis(stack: Stack, process: Process) -> Way:
    """Lay cables from this process to Redis, its replica and its Sentinel; it is started anew."""
    assert isinstance(stack.redis, Guarded)
    servers = {port: Cable(port) for port in stack.redis.server_ports}
    renamed = {b"\r\n%d\r\n" % port: b"\r\n%d\r\n" % cable.port for port, cable in servers.items()}
    assert all(len(theirs) == len(ours) for theirs, ours in renamed.items()), "ports of five digits"

    def name_cables(said: bytes) -> bytes:
        """The Sentinel says where the primary is: behind its cable."""
        for theirs, ours in renamed.items():
            said = said.replace(theirs, ours)
        return said

    sentinel = Cable(stack.redis.sentinel_port, name_cables)
    _start_anew(stack, process, "REDIS_URL", f"redis+sentinel://127.0.0.1:{sentinel.port}/{SERVICE}/0")
    return [sentinel, *servers.values()]


def _start_anew(stack: Stack, process: Process, name: str, value: str) -> None:
    process.stop()
    process.environment = {**process.environment, name: value}
    process.start()
    stack.await_ready()
