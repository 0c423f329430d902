"""Follows a node: reads its events, and hands them to the committer, snapshots to the reconciler. One for each lease.

The socket's reader only appends to a queue. `Committer` takes whatever has come, and writes each conference that has
changed in one atomic step together with its sequence numbers and callbacks. Nothing is acknowledged to the switch, so
whatever is lost between the two (a crash, Redis away, a full queue) is made up by a snapshot through the same path.
Whoever has lost the lease drops what it has read: the next one's snapshot knows.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final, ParamSpec

import gevent
import structlog
from gevent.event import Event as Signal
from gevent.queue import Empty, Full, Queue

from orchestrator import metrics
from orchestrator.errors import Unavailable
from orchestrator.freeswitch.addresses import NodeAddress
from orchestrator.freeswitch.client import CommandRefused, EventSocket, NodeDown, NodeRefuses, NodeUnavailable
from orchestrator.freeswitch.commands import CoreUuid, SwitchCommand
from orchestrator.freeswitch.events import SUBSCRIPTION, EndedSound
from orchestrator.freeswitch.nodes import FIRST_BACKOFF_SECONDS, LAST_BACKOFF_SECONDS
from orchestrator.freeswitch.recordings import OfPart
from orchestrator.freeswitch.snapshot import Snapshot, look_at, take_snapshot
from orchestrator.listener.absence import Absence, probe
from orchestrator.listener.batch import Batch, Item, NodeLost, measure, read_batch
from orchestrator.listener.coaching import Send
from orchestrator.listener.committer import Committer
from orchestrator.listener.reconciler import Reconciler
from orchestrator.recordings.recorder import Recorder
from orchestrator.store.lanes import Lane, LeaseLost
from orchestrator.store.leases import Lease
from orchestrator.store.nodes import NodeStore

QUEUE_LENGTH: Final = 20_000
"""Most events that wait: they are 0.7 to 9 kB each, at most 180 MB. What comes when the queue is full is dropped,
logged, and made up by a snapshot."""

ROOM_SECONDS: Final = 0.1
"""How often we look whether a full queue has room again for the snapshot that makes up for what was dropped."""

STOP_SECONDS: Final = 10.0

BATCH_LENGTH: Final = 500
AUDIT_SECONDS: Final = 15.0
"""How often a snapshot looks for ghosts while nothing is wrong."""

PROBE_SECONDS: Final = 1.0
"""How often a node has to answer something. One that hangs, and keeps its socket, is away 1.5 s later at the latest."""

SECOND_LOOK_SECONDS: Final = 2.5
"""When the second snapshot is taken after a (re)connect, at the latest: calls too young for the first are old enough
then."""

Arguments = ParamSpec("Arguments")

log = structlog.get_logger("listener")


class StoppedWhileWaiting(Exception):
    """The listener was told to stop while Redis was away."""


class Listener:
    """Follows one node. `run` returns after `stop`, or when the lease is another's."""

    def __init__(
        self,
        address: NodeAddress,
        password: str,
        make_committer: Callable[[Callable[[float], None], Send], Committer],
        wake_sounds: Callable[[Sequence[EndedSound]], None],
        recorder: Recorder,
        nodes: NodeStore,
        name: str,
        lease: Lease,
    ) -> None:
        self._address = address
        metrics.EVENTS_DROPPED.labels(address.name)  # at 0 from the start: an alert sees the first one by its step
        self._password = password
        self._committer = make_committer(self._wait_for_store, self._send)
        self._reconciler = Reconciler(self._committer, self._send)
        self._wake_sounds = wake_sounds
        self._recorder = recorder
        self._nodes = nodes
        self._name = name
        self._lease = lease
        self._queue: Queue[Item] = Queue(QUEUE_LENGTH)
        self._dropped = 0
        self._stopping = Signal()
        self._resync = Signal()
        self._socket: EventSocket | None = None
        self._absence = Absence()
        self._store_was_away = False

    # ------------------------------------------------------------ running

    def run(self) -> None:
        """Connect, follow, reconnect."""
        worker = gevent.spawn(self._apply_for_ever)
        worker.link_exception(lambda _: self.stop())  # a defect: end the process, let its supervisor start a new one
        backoff = FIRST_BACKOFF_SECONDS
        while not self._stopping.is_set():
            connection = EventSocket(self._address.host, self._address.port, self._password, on_event=self._take)
            try:
                connection.connect()
                self._follow(connection)
                backoff = FIRST_BACKOFF_SECONDS
                if self._stopping.is_set():
                    worker.join(STOP_SECONDS)  # it may have something to tell the switch
                else:
                    self._note_absence(NodeUnavailable("the connection was dropped"))
            except (NodeUnavailable, CommandRefused) as error:
                log.warning("node_unreachable", node=self._address.name, error=str(error))
                self._note_absence(error)
            except LeaseLost:
                self._give_up()
            finally:
                connection.close()
                self._socket = None
            self._stopping.wait(backoff)
            backoff = min(backoff * 2, LAST_BACKOFF_SECONDS)
        worker.get(timeout=STOP_SECONDS)

    def stop(self) -> None:
        """Finish what has been read, then return from `run`."""
        self._stopping.set()
        self._resync.set()

    def _give_up(self) -> None:
        log.error("lease_lost", node=self._address.name, epoch=self._lease.epoch, queued=self._queue.qsize())
        self.stop()

    def lose(self) -> None:
        """End what the node had, whatever becomes of the node."""
        self._take(NodeLost(datetime.now(UTC)))

    def is_cut_off(self) -> bool:
        """Return whether the node has not answered for some time: another listener may reach it."""
        return self._absence.is_cut_off(time.monotonic())

    def _wait_for_store(self, seconds: float) -> None:
        self._store_was_away = True
        if self._stopping.wait(seconds):
            raise StoppedWhileWaiting

    def _follow(self, connection: EventSocket) -> None:
        """Subscribe first, then take the snapshot: what happens in between is seen by both, and counts once."""
        connection.command(f"event json {SUBSCRIPTION}")
        core_uuid = connection.api(CoreUuid().render()).strip()
        self._socket = connection
        self._absence.end()
        gevent.spawn(connection.keep_awake)
        log.info("node_connected", node=self._address.name, core_uuid=core_uuid)
        second_look_at = time.monotonic() + SECOND_LOOK_SECONDS
        while connection.connected and not self._stopping.is_set():
            self._resync.clear()
            take_snapshot(connection, self._take)
            now = time.monotonic()
            due = second_look_at if now < second_look_at else now + AUDIT_SECONDS
            while connection.connected and time.monotonic() < due and not self._resync.is_set():
                self._report(connected="1", core_uuid=core_uuid, **probe(connection))
                self._look_again(connection)
                self._resync.wait(max(0.0, min(PROBE_SECONDS, due - time.monotonic())))
            self._await_room(connection)

    def _await_room(self, connection: EventSocket) -> None:
        """Wait until the queue has room, after events were dropped: a snapshot that finds it full would be, too."""
        while self._resync.is_set() and connection.connected and not self._stopping.wait(ROOM_SECONDS):
            if not self._queue.full():
                return

    def _note_absence(self, error: Exception) -> None:
        """Note that the node is away, and end what it had if it counts as lost. One that answers does not: a wrong
        password, or a command that it refuses, is our trouble, and people may be talking there."""
        now = time.monotonic()
        if isinstance(error, NodeRefuses | CommandRefused):
            self._absence.end()
        elif self._absence.is_loss(now, self._load_away_seconds, is_down=isinstance(error, NodeDown)):
            self.lose()
        with contextlib.suppress(LeaseLost):  # the greenlet that applies events meets it, too
            self._report(connected="0", problem=str(error)[:200], away_seconds=f"{self._absence.seconds(now):.1f}")

    def _load_away_seconds(self) -> float:
        try:
            return self._nodes.load_away_seconds(self._address.name)
        except Unavailable:
            return 0.0

    def _report(self, **facts: str) -> None:
        """Write for operators how this node is. Redis being away is not the node's trouble. Raises LeaseLost."""
        try:
            self._lease.check()
            self._nodes.save_node(
                self._address.name,
                self._lease.epoch,
                **facts,
                listener=self._name,
                queued=str(self._queue.qsize()),
                dropped=str(self._dropped),
                seen_at=str(self._nodes.now()),
            )
        except Unavailable as error:
            log.warning("store_unreachable", error=error.message)

    def _look_again(self, connection: EventSocket) -> None:
        """Take a snapshot of each conference whose coaching has changed. The next audit finds those of which Redis did
        not tell. Raises LeaseLost."""
        try:
            conference_sids = self._nodes.take_looks(self._address.name, self._lease.epoch)
        except Unavailable as error:
            log.warning("store_unreachable", error=error.message)
            return
        for conference_sid in conference_sids:
            with contextlib.suppress(CommandRefused):  # it has ended
                look_at(connection, conference_sid, self._take)

    # ------------------------------------------------------------ events

    def _take(self, item: Item) -> None:
        """Queue an item; after `stop` drop it: the next listener's snapshot finds it. Runs on the reader's greenlet, so
        it must not block."""
        if self._stopping.is_set():
            return
        try:
            self._queue.put_nowait(item)
        except Full:
            if self._dropped == 0 or not self._resync.is_set():
                log.error("events_dropped", node=self._address.name, queue=QUEUE_LENGTH)
            self._dropped += 1
            metrics.EVENTS_DROPPED.labels(self._address.name).inc()
            self._resync.set()

    def _apply_for_ever(self) -> None:
        try:
            self._committer.fence()
            while not (self._stopping.is_set() and self._queue.empty()):
                batch = read_batch(self._next_items())
                self._apply(batch)
                if isinstance(batch.last, NodeLost):
                    self._tolerate(self._reconciler.lose_node, batch.last.at, self._address.name)
                elif batch.last is not None:
                    self._tolerate(self._audit, batch.last)
                if self._store_was_away:  # it may have lost what it had taken: a replica is the primary now, say
                    self._store_was_away = False
                    self._resync.set()
        except StoppedWhileWaiting:
            # What has not been written is made up by the next listener's snapshot.
            log.warning("stopped_while_store_away", node=self._address.name, queued=self._queue.qsize())
        except LeaseLost:
            self._give_up()

    def _apply(self, batch: Batch) -> None:
        """Make the events of a batch facts, and pass its parts and sounds on."""
        batch.events += self._committer.overdue.take(datetime.now(UTC))
        self._tolerate(self._committer.commit_events, batch.events)
        measure(self._address.name, batch.events)
        for part in batch.parts:
            self._tolerate(self._note_part, part)
        self._wake_sounds(batch.sounds)  # afterwards: what was played to somebody who left ends before they do

    def _audit(self, snapshot: Snapshot) -> None:
        """Compare what the node holds with what is known, and commit the events that come meanwhile. Raises
        NodeUnavailable."""
        for _ in self._reconciler.reconcile(snapshot, self._address.name):
            self._apply(read_batch(self._next_events()))

    def _tolerate(self, work: Callable[Arguments, None], *arguments: Arguments.args, **more: Arguments.kwargs) -> None:
        """Do some work, and log it if it is broken off: the next audit repeats what the switch could not be told."""
        try:
            work(*arguments, **more)
        except Unavailable as error:
            log.warning("broken_off", node=self._address.name, error=error.message)

    def _note_part(self, part: OfPart) -> None:
        """Note that a recording's part has begun or ended. If that is missed or lost, a look makes up for it
        (recordings/look.py)."""
        self._recorder.apply(Lane(part.file.conference_sid, part.file.recording_sid), part.event, self._send)

    def _send(self, command: SwitchCommand) -> str:
        """Run a command if the lease is still ours; returns what the switch says. The switch cannot see who has the
        lease, so we look; by the clock once more just before the command is written, for it may have waited for others
        to be, or we may have been frozen.

        Raises CommandRefused, LeaseLost; NodeUnavailable, also while nobody can say whose the lease is.
        """
        try:
            self._lease.check()
        except Unavailable as error:
            raise self._doubt() from error
        connection = self._socket
        if connection is None:
            raise NodeUnavailable(f"Node {self._address.name} is away")
        return connection.api(command.render(), may_write=self._require_trust)

    def _require_trust(self) -> None:
        if not self._lease.is_trusted:
            raise self._doubt()

    def _doubt(self) -> NodeUnavailable:
        return NodeUnavailable(f"Node {self._address.name} may be another listener's")

    def _next_items(self) -> list[Item]:
        """Return the items that have come, at most up to the first that is no event: what a snapshot says holds for
        that moment."""
        items: list[Item] = []
        with contextlib.suppress(Empty):
            items.append(self._queue.get(timeout=0.5))
            while len(items) < BATCH_LENGTH and isinstance(items[-1], bytes):
                items.append(self._queue.get_nowait())
        return items

    def _next_events(self) -> list[Item]:
        """Return the events that have come by now, up to the next item that is none."""
        items: list[Item] = []
        with contextlib.suppress(Empty):
            while len(items) < BATCH_LENGTH and isinstance(self._queue.peek_nowait(), bytes):
                items.append(self._queue.get_nowait())
        return items
