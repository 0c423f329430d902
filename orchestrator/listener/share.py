"""Has a process follow its share of the nodes: leases them, keeps the leases, and hands over what it has too many.

Every listener counts the listeners that live and the nodes, and by these two knows how many are its own (`share_of`).
So nobody decides for all: whoever has too many gives one back as soon as its last event is committed, whoever has too
few takes what is free, which is also what a dead one had.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import gevent
import structlog
from gevent.event import Event

from orchestrator.errors import Unavailable
from orchestrator.freeswitch.addresses import NodeAddress
from orchestrator.store.leases import Lease, LeaseStore

LOOK_SECONDS: Final = 0.25
"""How often leases are renewed. Much less than they last."""

SHORT_SECONDS: Final = 0.05
"""How often who has too few looks for more: so long nobody follows a node that is handed over."""

PATIENCE_SECONDS: Final = 1.0
"""After Redis was away: whoever had a lease that ran out meanwhile may keep it, and with it the events it has read."""

STOP_SECONDS: Final = 12.0

log = structlog.get_logger("listener")


class Follower(Protocol):
    """Follows a node until it is stopped, or its lease is lost."""

    def run(self) -> None:
        """Do so."""
        ...

    def stop(self) -> None:
        """Finish what has been read, then return from `run`."""
        ...

    def lose(self) -> None:
        """End what the node had: an operator says that it is lost."""
        ...


@dataclass(slots=True)
class Followed:
    """A node that this process follows, and still does while it `is_ending`."""

    address: NodeAddress
    lease: Lease
    follower: Follower
    is_ending: bool = False

    def end(self) -> None:
        """Give the node up, as soon as what has been read of it is committed."""
        self.is_ending = True
        self.follower.stop()


class Share:
    """The nodes of one listener process. `list_nodes` is asked again and again: nodes come and go. `is_lost`: whether
    an operator has given a node up."""

    def __init__(
        self,
        store: LeaseStore,
        list_nodes: Callable[[], Sequence[NodeAddress]],
        is_lost: Callable[[str], bool],
        make_follower: Callable[[NodeAddress, Lease], Follower],
        process: str,
    ) -> None:
        self._store = store
        self._list_nodes = list_nodes
        self._is_lost = is_lost
        self._make_follower = make_follower
        self._process = process
        self._followed: dict[str, Followed] = {}
        self._stopping = Event()
        self._patient_until = 0.0
        self._defect: BaseException | None = None

    def run(self) -> None:
        """Follow nodes until `stop`, then give them back. Raises what a follower has died of: a defect."""
        pause = 0.0
        while not self._stopping.wait(pause):
            try:
                pause = SHORT_SECONDS if self.once() else LOOK_SECONDS
            except Unavailable as error:
                log.warning("store_unreachable", error=error.message)
                self._patient_until = time.monotonic() + PATIENCE_SECONDS
                pause = LOOK_SECONDS
        self._end_all()
        if self._defect is not None:
            raise self._defect

    def stop(self) -> None:
        """Return from `run` when what has been read is committed."""
        self._stopping.set()

    def once(self) -> bool:
        """Renew, give, take; returns whether this process still has too few. Raises Unavailable."""
        addresses = {address.name: address for address in self._list_nodes()}
        listeners = self._store.attend(self._process)
        self._store.renew(followed.lease for followed in self._followed.values())
        share = share_of(len(addresses), listeners, self._process)
        for name, followed in self._followed.items():
            if followed.lease.is_lost or addresses.get(name) != followed.address:
                followed.end()
            elif self._is_lost(name):
                followed.follower.lose()
        kept = [followed for followed in self._followed.values() if not followed.is_ending]
        for followed in kept[share:]:
            log.info("node_handed_over", node=followed.address.name)
            followed.end()
        missing = share - len(kept)
        if missing > 0 and time.monotonic() >= self._patient_until:
            missing -= self._take([addresses[name] for name in addresses.keys() - self._followed.keys()], missing)
        return missing > 0

    def _take(self, addresses: list[NodeAddress], most: int) -> int:
        """Two who look at once do not look in the same order."""
        random.shuffle(addresses)
        taken = 0
        for address in addresses:
            lease = self._store.take(address.name, self._process) if taken < most else None
            if lease is not None:
                taken += 1
                log.info("node_leased", node=address.name, epoch=lease.epoch)
                self._followed[address.name] = followed = Followed(address, lease, self._make_follower(address, lease))
                gevent.spawn(self._follow, followed).link_exception(self._note_defect)
        return taken

    def _follow(self, followed: Followed) -> None:
        try:
            followed.follower.run()
        finally:
            del self._followed[followed.address.name]
            if not followed.lease.is_lost:
                self._give_back(followed.lease)

    def _give_back(self, lease: Lease) -> None:
        try:
            self._store.release(lease)
        except Unavailable as error:
            log.warning("lease_not_released", node=lease.node, error=error.message)  # it ends by itself

    def _note_defect(self, ended: gevent.Greenlet[..., None]) -> None:
        """Let the process end, and its supervisor start a new one."""
        self._defect = ended.exception
        self.stop()

    def _end_all(self) -> None:
        """Others learn first that there is something to take."""
        try:
            self._store.leave(self._process)
        except Unavailable as error:
            log.warning("store_unreachable", error=error.message)
        for followed in list(self._followed.values()):
            followed.end()
        deadline = time.monotonic() + STOP_SECONDS
        while self._followed and time.monotonic() < deadline:
            gevent.sleep(SHORT_SECONDS)


def share_of(nodes: int, listeners: Sequence[str], process: str) -> int:
    """Return how many nodes are one process's; those of all listeners together are all."""
    each, more = divmod(nodes, len(listeners))
    return each + (sorted(listeners).index(process) < more)
