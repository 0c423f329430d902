"""The nodes, each with one connection that comes back by itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Final, TypeVar

import gevent
import structlog
from gevent.event import Event

from orchestrator import logs, metrics, tracing
from orchestrator.freeswitch.addresses import NodeAddress
from orchestrator.freeswitch.capacity import READ_SECONDS, Capacity, parse_status
from orchestrator.freeswitch.client import REPLY_SECONDS, CommandRefused, EventSocket, NodeUnavailable
from orchestrator.freeswitch.commands import Status, SwitchCommand

FIRST_BACKOFF_SECONDS: Final = 0.1
LAST_BACKOFF_SECONDS: Final = 0.5
"""State has to be true within 5 s of a node's return, so nobody sleeps longer than this."""

LIST_SECONDS: Final = 1.0
"""How often it is looked which nodes there are."""

Reply = TypeVar("Reply")

log = structlog.get_logger("nodes")


class Node:
    """One FreeSWITCH, as a process that sends commands sees it. Any number of greenlets may use it at once."""

    def __init__(self, address: NodeAddress, password: str) -> None:
        self.address = address
        self._password = password
        self._socket: EventSocket | None = None
        self._stopping = Event()
        self._greenlet: gevent.Greenlet[[], None] | None = None
        self.tried = Event()
        self.capacity: Capacity | None = None
        self.problem = ""  # why it is away: for operators, not for clients

    @property
    def is_connected(self) -> bool:
        """True while commands can be sent."""
        return self._socket is not None and self._socket.connected

    def start(self) -> None:
        """Connect in the background, and again whenever the connection is lost."""
        self._greenlet = gevent.spawn(self._stay_connected)

    def stop(self) -> None:
        """Disconnect and stay so."""
        self._stopping.set()
        if self._socket is not None:
            self._socket.close()
        if self._greenlet is not None:
            self._greenlet.join(timeout=2)

    def _stay_connected(self) -> None:
        backoff = FIRST_BACKOFF_SECONDS
        while not self._stopping.is_set():
            connection = EventSocket(self.address.host, self.address.port, self._password)
            try:
                connection.connect()
            except NodeUnavailable as error:
                log.warning("node_unreachable", node=self.address.name, error=error.message)
                self.problem = error.message
                self.tried.set()
                self._stopping.wait(backoff)
                backoff = min(backoff * 2, LAST_BACKOFF_SECONDS)
                continue
            self._socket = connection
            self.problem = ""
            self.tried.set()
            backoff = FIRST_BACKOFF_SECONDS
            log.info("node_connected", node=self.address.name)
            connection.wait_closed()
            if not self._stopping.is_set():
                log.warning("node_disconnected", node=self.address.name)
            self._stopping.wait(backoff)  # a node that lets us in and drops us is not hammered

    def watch_capacity(self) -> None:
        """Keep `capacity` as it is now, in the background, for a process that dials; None while it is not known."""
        gevent.spawn(self._read_capacity)

    def _read_capacity(self) -> None:
        while not self._stopping.is_set():
            try:
                read_at = time.monotonic()
                self.capacity = parse_status(self.send(Status()), read_at)
            except (NodeUnavailable, CommandRefused):
                self.capacity = None
            except ValueError as error:
                self.capacity = None
                log.error("capacity_unknown", node=self.address.name, error=str(error))
            self._stopping.wait(READ_SECONDS)

    def send(self, command: SwitchCommand, seconds: float = REPLY_SECONDS) -> str:
        """Run a command now and return FreeSWITCH's text. Raises NodeUnavailable, CommandRefused."""
        return self._counted(command, lambda connection: connection.api(command.render(), seconds))

    def start_job(self, command: SwitchCommand, job_uuid: str) -> None:
        """Run a command in the background. Raises NodeUnavailable, CommandRefused."""
        self._counted(command, lambda connection: connection.bgapi(command.render(), job_uuid))

    def _counted(self, command: SwitchCommand, send: Callable[[EventSocket], Reply]) -> Reply:
        """Send a command, and count what becomes of it and how long the switch takes to reply."""
        name, kind, began = self.address.name, type(command).__name__, time.monotonic()
        counted_as = "failed"
        try:
            with tracing.span(kind, logs.request_id(), node=name):
                answer = send(self._connection())
            counted_as = "ok"
        except CommandRefused:
            counted_as = "refused"
            raise
        finally:
            metrics.COMMANDS.labels(name, kind, counted_as).inc()
            metrics.COMMAND_SECONDS.labels(name).observe(time.monotonic() - began)
        return answer

    def _connection(self) -> EventSocket:
        connection = self._socket
        if connection is None or not connection.connected:
            raise NodeUnavailable(f"Node {self.address.name} is away")
        return connection


class Nodes:
    """All nodes of this process by name. `list_nodes` is asked again and again: nodes come and go."""

    def __init__(self, list_nodes: Callable[[], Iterable[NodeAddress]], password: str) -> None:
        self._list_nodes = list_nodes
        self._password = password
        self._nodes: dict[str, Node] = {}
        self._watches = False
        self._stopping = Event()

    def watch_capacity(self) -> None:
        """Follow how many calls each node takes, for a process that dials."""
        self._watches = True
        for node in self._nodes.values():
            node.watch_capacity()

    def start(self) -> None:
        """Connect to all of them, and to those that come, and wait until each has been tried once."""
        self._renew()
        for node in self._nodes.values():
            node.tried.wait(timeout=2)
        gevent.spawn(self._keep_up)

    def stop(self) -> None:
        """Disconnect from all of them."""
        self._stopping.set()
        for node in self._nodes.values():
            node.stop()

    def _keep_up(self) -> None:
        while not self._stopping.wait(LIST_SECONDS):
            self._renew()

    def _renew(self) -> None:
        addresses = {address.name: address for address in self._list_nodes()}
        for name, node in list(self._nodes.items()):
            if addresses.get(name) != node.address:
                gevent.spawn(self._nodes.pop(name).stop)
        for name in addresses.keys() - self._nodes.keys():
            self._nodes[name] = node = Node(addresses[name], self._password)
            node.start()
            if self._watches:
                node.watch_capacity()

    def names(self) -> list[str]:
        """Return the names of all nodes."""
        return sorted(self._nodes)

    def get(self, name: str) -> Node:
        """Return the node of that name. Raises NodeUnavailable if there is none."""
        node = self._nodes.get(name)
        if node is None:
            raise NodeUnavailable(f"There is no node {name}")
        return node

    def get_connected(self, name: str) -> Node:
        """Return the node of that name, which takes commands now. Raises NodeUnavailable."""
        node = self.get(name)
        if not node.is_connected:
            raise NodeUnavailable(f"Node {name} is away")
        return node

    def send(self, name: str, command: SwitchCommand) -> str:
        """Have a node, which may be away, do something. Raises NodeUnavailable, CommandRefused."""
        return self.get(name).send(command)

    def connected_names(self) -> list[str]:
        """Return the names of the nodes that can take commands now."""
        return [name for name, node in self._nodes.items() if node.is_connected]
