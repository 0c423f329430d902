"""`orchestrator api`: the REST API, served by gunicorn."""

from __future__ import annotations

import resource
from collections.abc import Callable, Sequence
from typing import Any

import structlog
from flask import Flask
from gunicorn.app.base import BaseApplication

from orchestrator.api.app import create_app
from orchestrator.api.server import IDLE_SECONDS, MOST_HEADER_BYTES, MOST_HEADERS, ApiWorker
from orchestrator.freeswitch.nodes import Nodes
from orchestrator.probes import build_readiness
from orchestrator.processes.report import report_life
from orchestrator.settings import Settings
from orchestrator.store.accounts import AccountStore
from orchestrator.store.connection import connect
from orchestrator.store.media import MediaStore
from orchestrator.store.quotas import QuotaStore
from orchestrator.wiring.nodes import build_nodes
from orchestrator.wiring.services import build_services

log = structlog.get_logger("processes")


def build_api(settings: Settings, problems: Callable[[], Sequence[str]]) -> tuple[Flask, Nodes]:
    """Build the API process: its WSGI application, and the nodes that it keeps connections to. `problems`: for
    `/readyz`."""
    client = connect(settings.redis_url)
    nodes = build_nodes(settings)
    services = build_services(settings, nodes)
    media = MediaStore(client, settings.media_megabytes << 20)
    quotas = QuotaStore(client, settings.call_retention_seconds)
    return create_app(services, AccountStore(client), media, quotas, problems=problems), nodes


class _Api(BaseApplication):  # type: ignore[misc]  # gunicorn ships no types
    """gunicorn with settings from ours instead of from its command line."""

    def __init__(self, settings: Settings, workers: int) -> None:
        self._settings = settings
        self._workers = workers
        super().__init__()

    def load_config(self) -> None:
        options = {
            "bind": self._settings.orchestrator_bind,
            "worker_class": ApiWorker,
            "workers": self._workers,
            # Who may say by which scheme, and for whom, a request came; nobody may say where it goes (SCRIPT_NAME).
            "forwarded_allow_ips": ",".join(map(str, self._settings.trusted_proxies)),
            "forwarder_headers": "",
            "header_map": "refuse",
            # A stranger's headers, whole or not: gunicorn's own 800 kB each are memory and time for all who ask.
            "limit_request_fields": MOST_HEADERS,
            "limit_request_field_size": MOST_HEADER_BYTES,
            "graceful_timeout": 3,  # every answer is due within 2 s; what is left are idle connections
            "keepalive": int(IDLE_SECONDS),
            "loglevel": "warning",
            "control_socket_disable": True,
            "sendfile": False,  # it would send a file before the head that ApiWorker keeps for it
        }
        for name, value in options.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Any:
        """Runs in the worker, after the fork: sockets must not be shared between processes."""
        app, nodes = build_api(self._settings, build_readiness(self._settings).problems)
        nodes.start()
        nodes.watch_capacity()
        report_life(self._settings, "api", serves_health=False)
        return app


def run_api(settings: Settings, workers: int) -> None:
    """Serve the API."""
    ApiWorker.trusted = settings.trusted_proxies
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    log.info("api_starting", bind=settings.orchestrator_bind, workers=workers)
    _Api(settings, workers).run()
