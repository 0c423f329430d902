"""`orchestrator listen`: this process's share of the nodes."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import replace

import gevent
import structlog

from orchestrator.freeswitch.addresses import NodeAddress
from orchestrator.jobs.wakeups import CALLBACKS, PLAYBACK, RECORDINGS
from orchestrator.listener.coaching import Send
from orchestrator.listener.committer import Committer
from orchestrator.listener.listener import Listener
from orchestrator.listener.share import Share
from orchestrator.process_name import process_name
from orchestrator.processes.report import report_life
from orchestrator.settings import Settings
from orchestrator.store.connection import connect
from orchestrator.store.leases import Lease, LeaseStore
from orchestrator.store.nodes import NodeStore
from orchestrator.wiring.committing import build_recorder, committer_maker
from orchestrator.wiring.queues import start_waker
from orchestrator.wiring.stores import build_registry, list_addresses

log = structlog.get_logger("processes")


def run_listener(settings: Settings) -> None:
    """Follow this process's share of the nodes."""
    reporter = report_life(settings, "listen")
    share = build_share(settings)
    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, share.stop)
    log.info("listener_starting", nodes=[address.name for address in settings.freeswitch_nodes])
    share.run()
    reporter.stop()
    log.info("listener_stopped")


def build_share(settings: Settings) -> Share:
    """Build the share of nodes, with a listener for each lease, which keeps nothing of an earlier one. Leases are
    renewed on a connection of their own, as those of lanes."""
    client = connect(settings.redis_url)
    wake_callbacks, wake_sounds = start_waker(settings, CALLBACKS), start_waker(settings, PLAYBACK)
    shared = build_recorder(settings, client, wake_callbacks, start_waker(settings, RECORDINGS))

    def make_listener(address: NodeAddress, lease: Lease) -> Listener:
        recorder = replace(shared, lease=lease)

        def make_committer(wait: Callable[[float], None], send: Send) -> Committer:
            return committer_maker(settings, client, recorder, wake_callbacks, wake_sounds, wait, lease)(send)

        return Listener(
            address,
            settings.freeswitch_password,
            make_committer,
            wake_sounds,
            recorder,
            NodeStore(client),
            process_name(),
            lease,
        )

    leases = LeaseStore(connect(settings.redis_url, max_connections=4))
    registry = build_registry(settings)

    def is_lost(name: str) -> bool:
        return any(row.name == name and row.state == "lost" for row in registry.list_nodes())

    return Share(leases, list_addresses(registry), is_lost, make_listener, process_name())
