"""`orchestrator detect`: who picks up, on every node."""

from __future__ import annotations

import signal
from pathlib import Path

import gevent
import structlog

from orchestrator.detection.detector import Detector
from orchestrator.freeswitch.addresses import NodeAddress
from orchestrator.freeswitch.client import NodeUnavailable
from orchestrator.freeswitch.commands import SwitchCommand
from orchestrator.jobs.wakeups import CALLBACKS, PLAYBACK, RECORDINGS
from orchestrator.process_name import process_name
from orchestrator.processes.report import report_life
from orchestrator.settings import Settings
from orchestrator.store.connection import connect
from orchestrator.store.nodes import NodeStore
from orchestrator.wiring.committing import build_recorder, committer_maker
from orchestrator.wiring.queues import start_waker

log = structlog.get_logger("processes")


def run_detector(settings: Settings) -> None:
    """Find out who picks up, on every node."""
    reporter = report_life(settings, "detect")
    detectors = [build_detector(settings, address) for address in settings.freeswitch_nodes]
    for detector in detectors:
        for number in (signal.SIGTERM, signal.SIGINT):
            gevent.signal_handler(number, detector.stop)
    log.info("detector_starting", nodes=[address.name for address in settings.freeswitch_nodes])
    gevent.joinall([gevent.spawn(detector.run) for detector in detectors], raise_error=True)
    reporter.stop()
    log.info("detector_stopped")


def build_detector(settings: Settings, address: NodeAddress) -> Detector:
    """Build the detector of a node, which commits what it finds out itself."""
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
