"""Runs `orchestrator console`."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from typing import Final

import gevent
import structlog
from gevent.pool import Pool
from gevent.pywsgi import WSGIServer

from orchestrator.console.app import Parts, create_console
from orchestrator.console.reader import Reader
from orchestrator.jobs.wakeups import TOPICS, Wakeups
from orchestrator.probes import build_readiness
from orchestrator.reporter import Reporter
from orchestrator.services.all_services import Services
from orchestrator.settings import Settings
from orchestrator.store.accounts import AccountStore
from orchestrator.store.audit import AuditStore
from orchestrator.store.backlog import Backlog
from orchestrator.store.connection import connect
from orchestrator.store.history import History
from orchestrator.store.memory import Memory
from orchestrator.store.nodes import NodeStore
from orchestrator.store.overview import Overview
from orchestrator.store.processes import ProcessStore
from orchestrator.store.recordings import RecordingStore
from orchestrator.wiring.nodes import build_nodes
from orchestrator.wiring.queues import build_queue
from orchestrator.wiring.services import build_services
from orchestrator.wiring.stores import build_account_removal, build_processes, build_registry

MOST_CONNECTIONS: Final = 500

log = structlog.get_logger("console")


def run_console(settings: Settings) -> None:
    """Serve the console until SIGTERM or SIGINT."""
    nodes = build_nodes(settings)
    nodes.start()
    services = build_services(settings, nodes)
    app = create_console(build_parts(settings, services), settings.console_token, settings.trusted_proxies)
    host, _, port = settings.console_bind.rpartition(":")
    pool = Pool(MOST_CONNECTIONS)
    server = WSGIServer((host.strip("[]"), int(port)), app, spawn=pool, log=None)
    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, server.stop, 1)
    reporter = Reporter(build_processes(settings), "console")
    reporter.start()
    log.info("console_starting", bind=settings.console_bind, has_token=bool(settings.console_token))
    server.serve_forever(stop_timeout=1)
    reporter.stop()
    nodes.stop()
    log.info("console_stopped")


def build_parts(settings: Settings, services: Services) -> Parts:
    """Build what the console reads and acts with."""
    client = connect(settings.redis_url)
    wakeups = {topic.name: Wakeups(build_queue(settings, topic), topic) for topic in TOPICS}

    def ready() -> Mapping[str, int]:
        return {name: waiting.backlog() for name, waiting in wakeups.items()}

    reader = Reader(
        build_registry(settings),
        NodeStore(client),
        ProcessStore(client),
        Overview(client),
        Backlog(client),
        AccountStore(client),
        History(client),
        RecordingStore(client),
        Memory(client),
        ready,
    )
    problems = build_readiness(settings).problems
    return Parts(reader, services, build_account_removal(settings), AuditStore(client), problems)
