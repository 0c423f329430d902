"""One client of the event socket (listener_t and parse_command of mod_event_socket.c).

A command's reply goes out before the events that it caused, and no event interrupts a reply. `api` holds the
connection until it has an answer, events included: that is why `originate` wants `bgapi`.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Protocol

import gevent
import structlog
from gevent.lock import RLock
from gevent.queue import Full, Queue
from gevent.socket import SHUT_RDWR, socket

from orchestrator.sandbox import wire
from orchestrator.sandbox.events import Event
from orchestrator.sandbox.faults import Faults
from orchestrator.sandbox.node import Node
from orchestrator.sandbox.subscription import Subscription

log = structlog.get_logger(__name__)

MAX_QUEUE_LENGTH = 100_000
MAX_MISSED = 500
GOODBYE = "Disconnected, goodbye.\nSee you at ClueCon! http://www.cluecon.com/\n"
TOO_MANY_LOST = "killed listener because of lost events\n"
_NOT_FOUND = "-ERR command not found"


class Switchboard(Protocol):
    """What a listener needs of its sandbox."""

    faults: Faults
    password: str
    event_queue_length: int

    @property
    def node(self) -> Node:
        """The present run."""


class Listener:
    """Reads commands in its own greenlet and writes events in a second one."""

    def __init__(self, switchboard: Switchboard, connection: socket) -> None:
        """It belongs to the run that is present when it connects."""
        self._board = switchboard
        self._node = switchboard.node
        self._connection = connection
        self._reader = wire.PacketReader(connection)
        self._subscription = Subscription()
        self._queue: Queue[tuple[float, Event]] = Queue(switchboard.event_queue_length)
        self._lost_events = 0
        self._sending = RLock()
        self._authorised = False
        self._running = True

    # --- its two greenlets ---------------------------------------------------------------------------------------

    def run(self) -> None:
        """listener_run: until the client leaves, is refused, or says exit."""
        writer = gevent.spawn(self._send_events)
        try:
            self._send(wire.auth_request())
            while self._running:
                packet = self._reader.read()
                self._board.faults.awake.wait()
                with self._sending:
                    self._obey(packet)
            self._send(wire.disconnect_notice(GOODBYE))
        except (wire.Disconnected, OSError):
            log.debug("event_socket_client_gone")
        finally:
            self._node.sinks.discard(self._take_event)
            writer.kill()
            self._connection.close()

    def drop(self, message: str | None = None) -> None:
        """kill_listener: shut the socket, with a disconnect notice unless a write is stuck in it."""
        self._running = False
        self._node.sinks.discard(self._take_event)
        try:
            if message is not None and self._sending.acquire(blocking=False):
                self._connection.sendall(wire.disconnect_notice(message).encode())
            self._connection.shutdown(SHUT_RDWR)
        except OSError:
            log.debug("event_socket_client_gone")

    def _take_event(self, event: Event) -> None:
        """event_handler: queue what is subscribed to; after too many lost ones the client is dropped."""
        if not self._subscription.wants(event):
            return
        try:
            self._queue.put_nowait((time.monotonic() + self._board.faults.event_delay_seconds, event))
            self._lost_events = 0
        except Full:
            self._lost_events += 1
            if self._lost_events > MAX_MISSED:
                log.critical("killing_listener_lost_events", lost=self._lost_events)
                self.drop(TOO_MANY_LOST)

    def _send_events(self) -> None:
        while True:
            due_at, event = self._queue.get()
            gevent.sleep(max(0.0, due_at - time.monotonic()))
            self._board.faults.awake.wait()
            with self._sending:
                body = event.json() if self._subscription.format == "json" else event.plain()
                try:
                    self._send(wire.event_message(self._subscription.format, body))
                except OSError:
                    return

    def _send(self, text: str) -> None:
        data, piece = text.encode("utf-8", "surrogateescape"), self._board.faults.write_piece_bytes
        if piece is None:
            self._connection.sendall(data)
            return
        for start in range(0, len(data), piece):
            self._connection.sendall(data[start : start + piece])
            gevent.sleep(0)

    # --- commands ------------------------------------------------------------------------------------------------

    def _obey(self, packet: wire.Packet) -> None:
        """parse_command: the first command whose name the line begins with, in any case."""
        lowered = packet.command.lower()
        table = _COMMANDS if self._authorised else _COMMANDS_BEFORE_AUTH
        for prefix, command in table:
            if lowered.startswith(prefix):
                reply = command(self, packet)
                break
        else:
            reply = wire.command_reply(_NOT_FOUND)
        self._send(reply)

    def _auth(self, packet: wire.Packet) -> str:
        if packet.command[len("auth ") :] != self._board.password:
            self._running = False
            return wire.command_reply("-ERR invalid")
        self._authorised = True
        self._node.sinks.add(self._take_event)
        return wire.command_reply("+OK accepted")

    def _exit(self, packet: wire.Packet) -> str:
        self._running = False
        return wire.command_reply("+OK bye")

    def _api(self, packet: wire.Packet) -> str:
        name, _, argument = packet.command[len("api ") :].partition(" ")
        return wire.api_response(self._node.api(name, argument))

    def _bgapi(self, packet: wire.Packet) -> str:
        name, _, argument = packet.command[len("bgapi ") :].partition(" ")
        job_uuid = packet.headers.get("job-uuid") or str(uuid.uuid4())
        self._node.spawn(self._run_job, job_uuid, name, argument)
        gevent.sleep(0)  # the real one waits until the job's thread runs: a uuid_kill right behind finds the channel
        return wire.command_reply(f"+OK Job-UUID: {job_uuid}", {"Job-UUID": job_uuid})

    def _run_job(self, job_uuid: str, name: str, argument: str) -> None:
        """api_exec: the reply becomes the body of a BACKGROUND_JOB event."""
        if self._board.faults.background_job_start_delay_seconds:
            gevent.sleep(self._board.faults.background_job_start_delay_seconds)
        reply = self._node.api(name, argument)
        if self._board.faults.background_job_delay_seconds:
            gevent.sleep(self._board.faults.background_job_delay_seconds)
        headers = {"Job-UUID": job_uuid, "Job-Command": name}
        if argument:
            headers["Job-Command-Arg"] = argument
        self._node.fire("BACKGROUND_JOB", headers, body=reply)

    def _refuse(self, what: str) -> str:
        return self._node.refuse(what).rstrip("\n")

    def _not_simulated(self, packet: wire.Packet) -> str:
        return wire.command_reply(self._refuse(packet.command))

    def _uncontrolled(self, packet: wire.Packet) -> str:
        """What only a socket that a call has opened can ask for: no call of the sandbox does."""
        dot = "." if packet.command.startswith("divert_events") else ""
        return wire.command_reply(f"-ERR not controlling a session{dot}")

    def _event(self, packet: wire.Packet) -> str:
        words = packet.command.split(" ")[1:]
        if words and words[0].lower() == "xml":
            return wire.command_reply(self._refuse("event xml"))
        return wire.command_reply(self._subscription.add(words))

    def _noevents(self, packet: wire.Packet) -> str:
        while not self._queue.empty():
            self._queue.get_nowait()
        return wire.command_reply(self._subscription.clear())


_COMMANDS_BEFORE_AUTH: tuple[tuple[str, Callable[[Listener, wire.Packet], str]], ...] = (
    ("exit", Listener._exit),
    ("auth ", Listener._auth),
)
_COMMANDS: tuple[tuple[str, Callable[[Listener, wire.Packet], str]], ...] = (
    ("exit", Listener._exit),
    ("api ", Listener._api),
    ("bgapi ", Listener._bgapi),
    ("event", Listener._event),
    ("noevents", Listener._noevents),
    ("divert_events", Listener._uncontrolled),
    ("linger", Listener._uncontrolled),
    ("nolinger", Listener._uncontrolled),
    *((name, Listener._not_simulated) for name in ("getvar", "log", "myevents", "nolog", "resume")),
    *((name, Listener._not_simulated) for name in ("filter ", "nixevent", "sendevent", "sendmsg")),
)
