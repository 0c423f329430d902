"""What `orchestrator api`, `listen`, `work` and `detect` run. Each returns when SIGTERM or SIGINT tells it to stop."""

from __future__ import annotations

import resource
import signal
from typing import Any

import gevent
import structlog
from gunicorn.app.base import BaseApplication

from orchestrator import followers, tracing, wiring, wiring_worker
from orchestrator.api.server import IDLE_SECONDS, MOST_HEADER_BYTES, MOST_HEADERS, ApiWorker
from orchestrator.health_server import serve
from orchestrator.jobs.worker import work_for_ever
from orchestrator.media.syscalls import make_undumpable
from orchestrator.probes import build_processes, build_readiness
from orchestrator.reporter import Reporter
from orchestrator.settings import Settings

log = structlog.get_logger("processes")


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
        }
        for name, value in options.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Any:
        """Runs in the worker, after the fork: sockets must not be shared between processes."""
        app, nodes = wiring.build_api(self._settings, build_readiness(self._settings).problems)
        Reporter(build_processes(self._settings), "api").start()
        tracing.start("api", self._settings.otel_exporter_otlp_endpoint)
        nodes.start()
        nodes.watch_capacity()
        return app


def run_api(settings: Settings, workers: int) -> None:
    """Serve the API."""
    ApiWorker.trusted = settings.trusted_proxies
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    log.info("api_starting", bind=settings.orchestrator_bind, workers=workers)
    _Api(settings, workers).run()


def _report(settings: Settings, kind: str) -> Reporter:
    """Have the others, and whoever asks, know that this process lives."""
    tracing.start(kind, settings.otel_exporter_otlp_endpoint)
    reporter = Reporter(build_processes(settings), kind)
    reporter.start()
    if settings.health_bind:
        serve(settings.health_bind, build_readiness(settings))
    return reporter


def run_listener(settings: Settings) -> None:
    """Follow this process's share of the nodes."""
    reporter = _report(settings, "listen")
    share = followers.build_share(settings)
    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, share.stop)
    log.info("listener_starting", nodes=[address.name for address in settings.freeswitch_nodes])
    share.run()
    reporter.stop()
    log.info("listener_stopped")


def run_detector(settings: Settings) -> None:
    """Find out who picks up, on every node."""
    reporter = _report(settings, "detect")
    detectors = followers.build_detectors(settings)
    for detector in detectors:
        for number in (signal.SIGTERM, signal.SIGINT):
            gevent.signal_handler(number, detector.stop)
    log.info("detector_starting", nodes=[address.name for address in settings.freeswitch_nodes])
    gevent.joinall([gevent.spawn(detector.run) for detector in detectors], raise_error=True)
    reporter.stop()
    log.info("detector_stopped")


def run_worker(settings: Settings) -> None:
    """Deliver callbacks and play. The worker handles signals itself: attempts under way are finished first.

    Its passwords and tokens are no business of the programs that it starts over strangers' bytes."""
    make_undumpable()
    parts = wiring_worker.build_worker(settings)
    reporter = _report(settings, "work")
    for nodes in parts.nodes:
        nodes.start()
    loop = gevent.Greenlet(work_for_ever, parts.queues, parts.stop, gevent.sleep)
    for run in parts.beside:
        # Without leases or sweeps this process would look well and lose its promises: let it be started again.
        gevent.spawn(run, gevent.sleep).link_exception(
            lambda ended: loop.kill(ended.exception or SystemExit(1), block=False)
        )
    loop.start()
    loop.get()
    for nodes in parts.nodes:
        nodes.stop()
    reporter.stop()
    log.info("worker_stopped")
