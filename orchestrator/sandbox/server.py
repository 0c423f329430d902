"""The sandbox: a FreeSWITCH on a port of your own, without a FreeSWITCH.

    sandbox = Sandbox("127.0.0.1", 0, "ClueCon")
    sandbox.start()
    … connect to sandbox.port …
    sandbox.stop()

It runs on the gevent loop of the thread that starts it, so whoever talks to it from the same thread needs gevent's
sockets; nothing is monkey-patched. `run_sandbox` is the whole of a process of its own.
"""

from __future__ import annotations

import signal

import gevent
import structlog
from gevent.event import Event as Signal
from gevent.server import StreamServer
from gevent.socket import IPPROTO_TCP, TCP_NODELAY, socket

from orchestrator.sandbox import api
from orchestrator.sandbox.applications import APPLICATIONS
from orchestrator.sandbox.faults import Faults
from orchestrator.sandbox.listener import MAX_QUEUE_LENGTH, Listener
from orchestrator.sandbox.node import Node

log = structlog.get_logger(__name__)

_SHUTTING_DOWN = "The system is being shut down.\n"


class SandboxNotStarted(Exception):
    """Asked for something that only a started sandbox has."""


class Sandbox:
    """One simulated FreeSWITCH. `node` is its present run, `faults` what is broken about it."""

    def __init__(self, host: str, port: int, password: str, *, event_queue_length: int = MAX_QUEUE_LENGTH) -> None:
        """It does not listen yet; port 0 is any free one."""
        self.host = host
        self.password = password
        self.event_queue_length = event_queue_length
        self.faults = Faults()
        self._port = port
        self._server: StreamServer | None = None
        self._node: Node | None = None
        self._listeners: set[Listener] = set()
        self._stopped = Signal()

    @property
    def port(self) -> int:
        """Return the port at which it listens; with port 0, known after the first start and kept over a restart."""
        return self._port

    @property
    def node(self) -> Node:
        """Return the present run; there is none before the first start."""
        if self._node is None:
            raise SandboxNotStarted
        return self._node

    def start(self) -> None:
        """Listen, as a FreeSWITCH that has just been started: with nothing in it and a new Core-UUID."""
        self._node = self._new_node()
        self._server = StreamServer((self.host, self._port), self._serve)
        self._server.start()
        self._port = self._server.server_port or self._port
        self._stopped.clear()
        log.info("sandbox_listening", host=self.host, port=self._port, core_uuid=self._node.core_uuid)

    def stop(self) -> None:
        """Shut down: every client gets a disconnect notice, and the port is free again."""
        if self._server is not None:
            self._server.stop(timeout=0)
            self._server = None
        self.drop_clients(_SHUTTING_DOWN)
        if self._node is not None:
            self._node.end()
        self._stopped.set()

    def serve_forever(self) -> None:
        """Start, and return only when somebody else has stopped it."""
        self.start()
        self._stopped.wait()

    # --- faults --------------------------------------------------------------------------------------------------

    def drop_clients(self, message: str | None = None) -> None:
        """Close every connection, with a disconnect notice if there is a message. The calls go on."""
        for listener in tuple(self._listeners):
            listener.drop(message)

    def freeze(self, seconds: float | None = None) -> None:
        """Accept and read, but answer nothing and send no event, until `thaw` or for so long. As after SIGSTOP."""
        self.faults.awake.clear()
        if seconds is not None:
            gevent.spawn_later(seconds, self.thaw)

    def thaw(self) -> None:
        """Go on, late, with everything that was asked and fired meanwhile."""
        self.faults.awake.set()

    def kill(self) -> None:
        """The process dies and is at once started again: connections cut, everything forgotten, a new Core-UUID."""
        former, self._node = self.node, self._new_node()
        former.end()
        self.drop_clients()

    def _new_node(self) -> Node:
        node = Node(api.COMMANDS, APPLICATIONS, api.MODULES)
        node.spawn(api.beat, node)
        node.freeze = self.freeze
        return node

    def _serve(self, connection: socket, address: tuple[str, int]) -> None:
        connection.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
        self.faults.awake.wait()
        listener = Listener(self, connection)
        self._listeners.add(listener)
        try:
            listener.run()
        finally:
            self._listeners.discard(listener)


def run_sandbox(host: str, port: int, password: str) -> None:
    """Serve until SIGTERM or SIGINT, then shut down as FreeSWITCH does."""
    sandbox = Sandbox(host, port, password)
    stopping = Signal()
    handlers = [gevent.signal_handler(number, stopping.set) for number in (signal.SIGTERM, signal.SIGINT)]
    sandbox.start()
    try:
        stopping.wait()
    finally:
        sandbox.stop()
        for handler in handlers:
            handler.cancel()
        log.info("sandbox_stopped")
