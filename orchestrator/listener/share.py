"""Has a process follow its share of the nodes: leases them, keeps the leases, and hands over what it has too many.

Every listener counts the listeners that live and the nodes, and by these two knows how many are its own (`share_of`).
So nobody decides for all: whoever has too many gives one back as soon as its last event is committed, whoever has too
few takes what is free, which is also what a dead one had.

A node that its listener does not reach is given up while another listener lives that may reach it: one that has not
failed to of late. That one takes it, though it be more than its share, and keeps it. Whoever has failed at as many
nodes as are its share gets no others in their place: it may reach none.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
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
"""How often a listener that has too few nodes looks for free ones: nobody follows a node that is handed over for so
long."""

PATIENCE_SECONDS: Final = 1.0
"""How long after an absence of Redis no free node is taken: a listener whose lease ran out meanwhile may keep it, and
with it the events that it has read."""

STOP_SECONDS: Final = 12.0

log = structlog.get_logger("listener")


class Follower(Protocol):
    """Follows a node until it is stopped, or its lease is lost."""

    def run(self) -> None:
        """Follow the node."""
        ...

    def stop(self) -> None:
        """Finish what has been read, then return from `run`."""
        ...

    def lose(self) -> None:
        """End what the node had: an operator says that it is lost."""
        ...

    def is_cut_off(self) -> bool:
        """Return whether it has not reached the node for some time: another might."""
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
    """Follows one listener process' share of the nodes. `list_nodes` is asked again and again: nodes come and go.
    `is_lost`: whether an operator has given a node up."""

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
        """Follow nodes until `stop`, then give them back. Raises a follower's defect, which ends the process."""
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
        """Renew leases, hand over nodes beyond our share, and take free ones; returns whether this process still has
        too few. Raises Unavailable."""
        addresses = {address.name: address for address in self._list_nodes()}
        listeners = self._store.attend(self._process)
        cut_off = self._store.load_cut_off(listeners)
        able = able_of(len(addresses), listeners, cut_off)
        self._store.renew(followed.lease for followed in self._followed.values())
        share = share_of(len(addresses), able, self._process) if self._process in able else 0
        for name, followed in list(self._followed.items()):
            if followed.lease.is_lost or addresses.get(name) != followed.address:
                followed.end()
            elif self._is_lost(name):
                followed.follower.lose()
            elif followed.follower.is_cut_off() and not followed.is_ending:
                self._give_up(followed, cut_off.setdefault(name, set()), able)
        kept = [followed for followed in self._followed.values() if not followed.is_ending]
        spare = [followed for followed in kept if followed.address.name not in cut_off]
        for followed in spare[max(share - len(kept) + len(spare), 0) :]:
            log.info("node_handed_over", node=followed.address.name)
            followed.end()
        free = {name for name in addresses if not self._is_for_others(cut_off.get(name, set()), able)}
        free -= self._followed.keys()
        missing = share - len(kept)
        if self._process in able and time.monotonic() >= self._patient_until:
            given_up = free & cut_off.keys()
            missing -= self._take([addresses[name] for name in given_up], len(given_up))
            missing -= self._take([addresses[name] for name in free - given_up], missing)
        return missing > 0 and bool(free)

    def _give_up(self, followed: Followed, failed: set[str], able: Sequence[str]) -> None:
        """Leave a node that this process does not reach to others, if there are any. `failed`: the listeners that have
        failed to reach it."""
        name = followed.address.name
        if self._process not in failed:
            self._store.note_cut_off(name, self._process)
            failed.add(self._process)
        if self._is_for_others(failed, able):
            log.warning("node_given_up", node=name)
            followed.end()

    def _is_for_others(self, failed: set[str], able: Sequence[str]) -> bool:
        """Return whether this process has failed to reach a node that another may reach."""
        return self._process in failed and bool(set(able) - failed)

    def _take(self, addresses: list[NodeAddress], most: int) -> int:
        """Lease at most so many of these nodes, and follow them; returns how many. In random order: listeners that look
        at the same moment should not all try the same node."""
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
        """Stop after a follower's defect: the process ends, and its supervisor starts a new one."""
        self._defect = ended.exception
        self.stop()

    def _end_all(self) -> None:
        """Give all nodes up. The others are told first, so that they look for them."""
        try:
            self._store.leave(self._process)
        except Unavailable as error:
            log.warning("store_unreachable", error=error.message)
        for followed in list(self._followed.values()):
            followed.end()
        deadline = time.monotonic() + STOP_SECONDS
        while self._followed and time.monotonic() < deadline:
            gevent.sleep(SHORT_SECONDS)


def able_of(nodes: int, listeners: Sequence[str], cut_off: Mapping[str, set[str]]) -> list[str]:
    """Return the listeners that may take nodes: those that have failed to reach fewer than their share; all listeners,
    if each has failed at so many."""
    failed = Counter(chain.from_iterable(cut_off.values()))
    able = [process for process in listeners if failed[process] < max(share_of(nodes, listeners, process), 1)]
    return able or list(listeners)


def share_of(nodes: int, listeners: Sequence[str], process: str) -> int:
    """Return how many nodes one process is to follow; the shares of all listeners add up to all nodes."""
    each, more = divmod(nodes, len(listeners))
    return each + (sorted(listeners).index(process) < more)
