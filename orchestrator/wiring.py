"""Builds Redis, nodes, stores and queues once, for every process. Nothing else knows how the parts are put together."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable

from flask import Flask
from redis import BlockingConnectionPool, Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from rq import Queue

from orchestrator.app import create_app
from orchestrator.applier import Applier
from orchestrator.callbacks.breaker import Breaker
from orchestrator.callbacks.deliver import Sender
from orchestrator.callbacks.drain import Drainer
from orchestrator.callbacks.retry import Schedule
from orchestrator.callbacks.sweep import Sweep
from orchestrator.callbacks.wakeups import BackgroundWaker, Wakeups, make_queue, use
from orchestrator.dialects.twilio.callbacks import serialize_callback
from orchestrator.dialects.twilio.signature import sign
from orchestrator.freeswitch.addresses import NodeAddress
from orchestrator.freeswitch.dial_string import Routes
from orchestrator.freeswitch.nodes import Nodes
from orchestrator.handlers import Handlers
from orchestrator.history import History
from orchestrator.listener import Listener
from orchestrator.outgoing.pool import OutgoingPool
from orchestrator.outgoing.resolver import Resolver
from orchestrator.settings import Settings
from orchestrator.store.accounts import AccountStore
from orchestrator.store.callbacks import CallbackStore
from orchestrator.store.commits import CommitStore
from orchestrator.store.conferences import ConferenceStore
from orchestrator.store.connection import DEADLINE_SECONDS, connect
from orchestrator.store.nodes import NodeStore
from orchestrator.store.outbox import OutboxStore
from orchestrator.store.receivers import ReceiverStore


def build_accounts(settings: Settings) -> AccountStore:
    """For the command line."""
    return AccountStore(connect(settings.redis_url))


def build_api(settings: Settings) -> tuple[Flask, Nodes]:
    """The API process: its WSGI application, and the nodes that it keeps connections to."""
    client = connect(settings.redis_url)
    nodes = Nodes(settings.freeswitch_nodes, settings.freeswitch_password)
    routes = Routes(settings.outbound_route, settings.sip_route, settings.client_route)
    handlers = Handlers(ConferenceStore(client), nodes, routes)
    return create_app(handlers, build_history(settings), AccountStore(client)), nodes


def build_history(settings: Settings) -> History:
    """For the API and the command line."""
    client = connect(settings.redis_url)
    return History(CallbackStore(client), ReceiverStore(client))


def build_listeners(settings: Settings) -> list[Listener]:
    """The listener process: one listener per node, each with its own socket and its own view of the store."""
    return [_build_listener(settings, address) for address in settings.freeswitch_nodes]


def _build_listener(settings: Settings, address: NodeAddress) -> Listener:
    client = connect(settings.redis_url)
    wakeups = Wakeups(build_queue(settings))
    waker = BackgroundWaker(wakeups)
    waker.start()

    def make_applier(wait: Callable[[float], None]) -> Applier:
        return Applier(CommitStore(client), serialize_callback, waker.wake, wait)

    name = f"{socket.gethostname()}:{os.getpid()}"
    return Listener(address, settings.freeswitch_password, make_applier, NodeStore(client), name)


def build_worker(settings: Settings) -> tuple[Queue, Drainer, Sweep]:
    """The worker process: the queue that it takes jobs from, what they run on, and the sweep that runs beside it."""
    client = connect(settings.redis_url, max_connections=256)
    outbox = OutboxStore(client)
    wakeups = Wakeups(build_queue(settings))
    pool = OutgoingPool(Resolver().resolve, settings.allowed_private_networks, num_pools=1000, maxsize=256, block=False)
    drainer = Drainer(
        outbox,
        CallbackStore(client),
        AccountStore(client),
        Breaker(ReceiverStore(client)),
        Sender(pool, sign, time.monotonic),
        Schedule(settings.callback_retry_seconds, settings.callback_give_up_seconds),
        wakeups.wake,
    )
    use(wakeups, drainer.drain_all)
    # Jobs that end together wait for a connection instead of failing; RQ sets the deadline of its own blocking reads.
    connections = BlockingConnectionPool.from_url(settings.rq_url, max_connections=100, timeout=30)
    return make_queue(Redis(connection_pool=connections)), drainer, Sweep(outbox, wakeups)


def build_lease_keeper(settings: Settings) -> OutboxStore:
    """The outbox on a connection of its own, for renewing leases."""
    return OutboxStore(connect(settings.redis_url, max_connections=2))


def build_queue(settings: Settings) -> Queue:
    """RQ's queue, for those who wake lanes. RQ keeps bytes, so it has a connection of its own; its waits end, too."""
    connection = Redis.from_url(
        settings.rq_url,
        socket_connect_timeout=DEADLINE_SECONDS,
        socket_timeout=DEADLINE_SECONDS,
        retry=Retry(NoBackoff(), 1),
    )
    return make_queue(connection)


def build_nodes(settings: Settings) -> Nodes:
    """For `orchestrator check`."""
    return Nodes(settings.freeswitch_nodes, settings.freeswitch_password)


def build_node_store(settings: Settings) -> NodeStore:
    """For `orchestrator check`."""
    return NodeStore(connect(settings.redis_url))


def build_queue_probe(settings: Settings) -> Callable[[], str | None]:
    """A test of RQ's Redis: None, or what is wrong."""

    def probe() -> str | None:
        try:
            build_queue(settings).connection.ping()
        except RedisError as error:
            return type(error).__name__
        return None

    return probe
