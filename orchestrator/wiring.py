"""Builds Redis, nodes, stores and queues once, for every process. Nothing else knows how the parts are put together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from flask import Flask
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from rq import Queue

from orchestrator.api.app import create_app
from orchestrator.dialects import DIALECTS
from orchestrator.dialling.destinations import LOOKUP_SECONDS, Destinations
from orchestrator.dialling.orders import Seal
from orchestrator.dialling.sessions import Sessions
from orchestrator.dialling.turns import Turns
from orchestrator.errors import Unavailable
from orchestrator.freeswitch.addresses import NodeAddress
from orchestrator.freeswitch.dial_string import Routes
from orchestrator.freeswitch.nodes import Nodes
from orchestrator.jobs.wakeups import (
    CALLBACKS,
    DIALLING,
    PLAYBACK,
    RECORDINGS,
    BackgroundWaker,
    Topic,
    Wakeups,
    make_queue,
)
from orchestrator.listener.coaching import Send
from orchestrator.listener.committer import Committer, Wake
from orchestrator.outgoing.resolver import Resolver
from orchestrator.outgoing.sip_targets import SipTargets
from orchestrator.recordings.recorder import Recorder
from orchestrator.recordings.service import Recordings
from orchestrator.recordings.storage import Place
from orchestrator.services import Services
from orchestrator.services.callback_log import CallbackLog
from orchestrator.services.calls import CallService
from orchestrator.services.conferences import ConferenceService
from orchestrator.services.credentials import Credentials
from orchestrator.services.participants import ParticipantService
from orchestrator.services.placement import Placement
from orchestrator.services.updates import UpdateService
from orchestrator.settings import Settings
from orchestrator.store.account_removal import AccountRemoval
from orchestrator.store.accounts import AccountStore
from orchestrator.store.callbacks import CallbackStore
from orchestrator.store.calls import CallStore
from orchestrator.store.commits import CommitStore
from orchestrator.store.conferences import ConferenceStore
from orchestrator.store.connection import DEADLINE_SECONDS, connect, is_guarded, make_pool
from orchestrator.store.dials import DialStore
from orchestrator.store.history import History
from orchestrator.store.leases import Lease
from orchestrator.store.media import MediaStore
from orchestrator.store.nodes import NodeStore
from orchestrator.store.playback import PlaybackStore
from orchestrator.store.quotas import QuotaStore
from orchestrator.store.receivers import ReceiverStore
from orchestrator.store.recordings import RecordingStore
from orchestrator.store.registry import NodeRegistry, NodeRow


def build_accounts(settings: Settings) -> AccountStore:
    """For the command line."""
    return AccountStore(connect(settings.redis_url))


def build_account_removal(settings: Settings) -> AccountRemoval:
    """For the command line and the console."""
    return AccountRemoval(connect(settings.redis_url))


def build_history(settings: Settings) -> History:
    """For the command line and the console."""
    return History(connect(settings.redis_url))


def build_api(settings: Settings, problems: Callable[[], Sequence[str]]) -> tuple[Flask, Nodes]:
    """The API process: its WSGI application, and the nodes that it keeps connections to. `problems`: for `/readyz`."""
    client = connect(settings.redis_url)
    nodes = build_nodes(settings)
    services = build_services(settings, nodes)
    media = MediaStore(client, settings.media_megabytes << 20)
    quotas = QuotaStore(client, settings.call_retention_seconds)
    return create_app(services, AccountStore(client), media, quotas, problems=problems), nodes


def build_services(settings: Settings, nodes: Nodes) -> Services:
    """All that the API and the console can do."""
    client = connect(settings.redis_url)
    kept = settings.call_retention_seconds
    store = ConferenceStore(client, kept)
    sounds = start_waker(settings, PLAYBACK)
    callbacks = start_waker(settings, CALLBACKS)
    recorder = build_recorder(settings, client, callbacks, start_waker(settings, RECORDINGS))
    make_committer = committer_maker(settings, client, recorder, callbacks, sounds, give_up)
    turns = Turns(DialStore(client), Seal(settings.freeswitch_password), start_waker(settings, DIALLING))
    accounts, quotas, sound_store = AccountStore(client), QuotaStore(client, kept), PlaybackStore(client)
    placement = Placement(nodes, build_registry(settings), NodeStore(client))
    return Services(
        ConferenceService(store, nodes, sound_store, make_committer, sounds),
        ParticipantService(
            store,
            nodes,
            _build_destinations(settings),
            quotas,
            Sessions(nodes, quotas),
            turns,
            accounts,
            make_committer,
            placement,
        ),
        UpdateService(store, nodes, NodeStore(client), sound_store, make_committer, sounds),
        CallService(CallStore(client), store, nodes, make_committer),
        build_callback_log(settings),
        Credentials(accounts),
        Recordings(recorder, CommitStore(client), nodes, place(settings).open(), settings.public_url),
    )


def build_recorder(settings: Settings, client: Redis, wake_callbacks: Wake, wake_looks: Wake) -> Recorder:
    """For every process that has to do with recordings."""
    serialize = partial(DIALECTS.serialize_recording_callback, base=settings.public_url)
    stores = (RecordingStore(client, settings.retention_seconds), AccountStore(client))
    return Recorder(*stores, serialize, wake_callbacks, wake_looks, settings.recordings_dir)


def place(settings: Settings) -> Place:
    """Where recordings that are finished are kept."""
    kept = Path(settings.recordings_dir) / "kept"
    return Place(kept, settings.recordings_bucket, settings.recordings_endpoint, settings.recordings_key)


def _build_destinations(settings: Settings) -> Destinations:
    routes = Routes(settings.outbound_route, settings.sip_route, settings.client_route, settings.nat_routes)
    resolver = Resolver(lookup_seconds=LOOKUP_SECONDS)
    targets = SipTargets(resolver.resolve, resolver.services, settings.allowed_private_networks, settings.sip_hosts)
    return Destinations(routes, targets)


def give_up(seconds: float) -> None:
    """A client waits: what Redis does not take now is refused."""
    raise Unavailable("The data store is not reachable")


def committer_maker(
    settings: Settings,
    client: Redis,
    recorder: Recorder,
    wake_callbacks: Wake,
    wake_sounds: Wake,
    wait: Callable[[float], object],
    lease: Lease | None = None,
) -> Callable[[Send], Committer]:
    """Makes committers for whoever writes facts: with the way to a node, and its lease if it is a listener's."""
    return lambda send: Committer(
        CommitStore(
            client,
            settings.call_retention_seconds,
            settings.retention_seconds,
            has_replica=is_guarded(settings.redis_url),
        ),
        recorder,
        DIALECTS.serialize_callback,
        wake_callbacks,
        wake_sounds,
        wait,
        send,
        lease,
    )


def start_waker(settings: Settings, topic: Topic) -> Wake:
    """Wakes lanes of a topic in the background."""
    waker = BackgroundWaker(Wakeups(build_queue(settings, topic), topic))
    waker.start()
    return waker.wake


def build_callback_log(settings: Settings) -> CallbackLog:
    """For the API and the command line."""
    client = connect(settings.redis_url)
    return CallbackLog(CallbackStore(client, settings.retention_seconds), ReceiverStore(client))


def build_queue(settings: Settings, topic: Topic) -> Queue:
    """RQ's queue of a topic, for those who wake lanes. RQ keeps bytes, so it has a connection of its own; its waits
    end, too."""
    pool = make_pool(
        settings.rq_url,
        timeout=DEADLINE_SECONDS,
        socket_connect_timeout=DEADLINE_SECONDS,
        socket_timeout=DEADLINE_SECONDS,
        retry=Retry(NoBackoff(), 1),
    )
    return make_queue(topic, Redis(connection_pool=pool))


def build_nodes(settings: Settings) -> Nodes:
    """Connections to every node, still to be started."""
    return Nodes(list_addresses(build_registry(settings)), settings.freeswitch_password)


def build_registry(settings: Settings) -> NodeRegistry:
    """Which nodes there are."""
    start = [NodeRow(node.name, node.host, node.port) for node in settings.freeswitch_nodes]
    return NodeRegistry(connect(settings.redis_url, max_connections=4), start)


def list_addresses(registry: NodeRegistry) -> Callable[[], list[NodeAddress]]:
    """Where the nodes are by now."""
    return lambda: [NodeAddress(row.name, row.host, row.port) for row in registry.list_nodes()]
