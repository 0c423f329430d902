"""Builds what follows nodes: a listener process's share of them, and the detectors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import gevent

from orchestrator.detection.detector import Detector
from orchestrator.freeswitch.addresses import NodeAddress
from orchestrator.freeswitch.client import NodeUnavailable
from orchestrator.freeswitch.commands import SwitchCommand
from orchestrator.jobs.wakeups import CALLBACKS, PLAYBACK, RECORDINGS
from orchestrator.listener.coaching import Send
from orchestrator.listener.committer import Committer
from orchestrator.listener.listener import Listener
from orchestrator.listener.share import Share
from orchestrator.process_name import process_name
from orchestrator.settings import Settings
from orchestrator.store.connection import connect
from orchestrator.store.leases import Lease, LeaseStore
from orchestrator.store.nodes import NodeStore
from orchestrator.wiring import build_recorder, build_registry, committer_maker, list_addresses, start_waker


def build_share(settings: Settings) -> Share:
    """The listener process: its share of the nodes, with a listener for each lease, which keeps nothing of an earlier
    one. Leases are renewed on a connection of their own, as those of lanes."""
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


def build_detectors(settings: Settings) -> list[Detector]:
    """The detector process: one detector per node, which commits what it finds out itself."""
    return [_build_detector(settings, address) for address in settings.freeswitch_nodes]


def _build_detector(settings: Settings, address: NodeAddress) -> Detector:
    client = connect(settings.redis_url)
    wake_callbacks, wake_sounds = start_waker(settings, CALLBACKS), start_waker(settings, PLAYBACK)
    recorder = build_recorder(settings, client, wake_callbacks, start_waker(settings, RECORDINGS))
    make_committer = committer_maker(settings, client, recorder, wake_callbacks, wake_sounds, gevent.sleep)
    seen = NodeStore(client)

    def send(command: SwitchCommand) -> str:
        raise NodeUnavailable("who has picked up asks nothing of the switch")

    return Detector(
        address,
        settings.freeswitch_password,
        Path(settings.detection_dir),
        lambda found: make_committer(send).commit_events([found]),
        lambda calls: seen.save_detector(address.name, detector=process_name(), calls=str(calls)),
    )
