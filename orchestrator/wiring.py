"""Builds Redis, nodes, stores and queues once, for every process. Nothing else knows how the parts are put together."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from flask import Flask
from redis import BlockingConnectionPool, Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from rq import Queue

from orchestrator.api.app import create_app
from orchestrator.callbacks.breaker import Breaker
from orchestrator.callbacks.deliver import Sender
from orchestrator.callbacks.drain import LANES_AT_ONCE as DRAINED_AT_ONCE
from orchestrator.callbacks.drain import Drainer
from orchestrator.callbacks.retry import Schedule
from orchestrator.dialects import DIALECTS
from orchestrator.dialling.destinations import LOOKUP_SECONDS, Destinations
from orchestrator.errors import Unavailable
from orchestrator.freeswitch.dial_string import Routes
from orchestrator.freeswitch.nodes import Nodes
from orchestrator.jobs.wakeups import CALLBACKS, PLAYBACK, RECORDINGS, BackgroundWaker, Topic, Wakeups, make_queue, use
from orchestrator.lanes.engine import Engine
from orchestrator.lanes.sweep import Sweep
from orchestrator.listener.coaching import Send
from orchestrator.listener.committer import Committer, Wake
from orchestrator.media.fetch import Fetcher
from orchestrator.media.load import ProgramLoader
from orchestrator.media.render import Renderer
from orchestrator.media.speech import Speech
from orchestrator.outgoing.pool import OutgoingPool
from orchestrator.outgoing.resolver import Resolver
from orchestrator.outgoing.sip_targets import SipTargets
from orchestrator.playback.announcement_ends import AnnouncementEnds
from orchestrator.playback.output import Output
from orchestrator.playback.parts import Parts
from orchestrator.playback.work import LANES_AT_ONCE as PLAYED_AT_ONCE
from orchestrator.playback.work import Playback
from orchestrator.recordings.parts import build_watch
from orchestrator.recordings.recorder import Recorder
from orchestrator.recordings.service import Recordings
from orchestrator.recordings.storage import Place
from orchestrator.recordings.worker import LOOKS_AT_ONCE
from orchestrator.services import Services
from orchestrator.services.callback_log import CallbackLog
from orchestrator.services.calls import CallService
from orchestrator.services.conferences import ConferenceService
from orchestrator.services.credentials import Credentials
from orchestrator.services.participants import ParticipantService
from orchestrator.services.updates import UpdateService
from orchestrator.settings import Settings
from orchestrator.store.account_removal import AccountRemoval
from orchestrator.store.accounts import AccountStore
from orchestrator.store.callbacks import CallbackStore
from orchestrator.store.calls import CallStore
from orchestrator.store.commits import CommitStore
from orchestrator.store.conferences import ConferenceStore
from orchestrator.store.connection import DEADLINE_SECONDS, connect
from orchestrator.store.history import History
from orchestrator.store.lanes import LaneStore
from orchestrator.store.leases import Lease
from orchestrator.store.media import MediaStore
from orchestrator.store.nodes import NodeStore
from orchestrator.store.outbox import OutboxStore
from orchestrator.store.playback import PlaybackStore
from orchestrator.store.quotas import QuotaStore
from orchestrator.store.receivers import ReceiverStore
from orchestrator.store.recordings import RecordingStore


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
    make_committer = committer_maker(settings, client, recorder, callbacks, sounds, _give_up)
    accounts, quotas, sound_store = AccountStore(client), QuotaStore(client, kept), PlaybackStore(client)
    return Services(
        ConferenceService(store, nodes, sound_store, sounds),
        ParticipantService(store, nodes, _build_destinations(settings), quotas, accounts),
        UpdateService(store, nodes, NodeStore(client), sound_store, make_committer, sounds),
        CallService(CallStore(client), store, nodes),
        build_callback_log(settings),
        Credentials(accounts),
        Recordings(recorder, CommitStore(client), nodes, _place(settings).open(), settings.public_url),
    )


def build_recorder(settings: Settings, client: Redis, wake_callbacks: Wake, wake_looks: Wake) -> Recorder:
    """For every process that has to do with recordings."""
    serialize = partial(DIALECTS.serialize_recording_callback, base=settings.public_url)
    stores = (RecordingStore(client), AccountStore(client))
    return Recorder(*stores, serialize, wake_callbacks, wake_looks, settings.recordings_dir)


def _place(settings: Settings) -> Place:
    kept = Path(settings.recordings_dir) / "kept"
    return Place(kept, settings.recordings_bucket, settings.recordings_endpoint, settings.recordings_key)


def _build_destinations(settings: Settings) -> Destinations:
    routes = Routes(settings.outbound_route, settings.sip_route, settings.client_route, settings.nat_routes)
    resolver = Resolver(lookup_seconds=LOOKUP_SECONDS)
    targets = SipTargets(resolver.resolve, resolver.services, settings.allowed_private_networks, settings.sip_hosts)
    return Destinations(routes, targets)


def _give_up(seconds: float) -> None:
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
        CommitStore(client, settings.call_retention_seconds),
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
    return CallbackLog(CallbackStore(client), ReceiverStore(client))


@dataclass(frozen=True, slots=True)
class WorkerParts:
    """The queues that a worker process takes jobs from, the engines that they run on, what runs beside the jobs, and
    what it is connected to."""

    queues: tuple[Queue, ...]
    engines: tuple[Engine, ...]
    beside: tuple[Callable[[Callable[[float], object]], None], ...]
    nodes: tuple[Nodes, ...]

    def stop(self) -> None:
        """Finish what is under way."""
        for engine in self.engines:
            engine.stop()


def build_worker(settings: Settings) -> WorkerParts:
    """The worker process: it delivers callbacks, and decides what is played, which comes first."""
    client = connect(settings.redis_url, max_connections=256)
    wakeups = {topic: Wakeups(build_queue(settings, topic), topic) for topic in (PLAYBACK, CALLBACKS, RECORDINGS)}
    outbox, stored = OutboxStore(client), PlaybackStore(client)
    nodes, fetching = build_nodes(settings), build_nodes(settings)
    recorder = build_recorder(settings, client, wakeups[CALLBACKS].wake, wakeups[RECORDINGS].wake)
    wakes = (wakeups[CALLBACKS].wake, wakeups[PLAYBACK].wake)
    make_committer = committer_maker(settings, client, recorder, *wakes, _give_up)
    commits, media = CommitStore(client), MediaStore(client, settings.media_megabytes << 20)
    output = Output(commits, media, nodes, fetching, settings.media_url, settings.stock_music)
    report_end = AnnouncementEnds(commits, nodes, make_committer).report
    loader = _build_loader(settings, client, media)
    playback = Playback(Parts(stored, output, loader, DIALECTS.serialize_fetch, report_end))
    drainer = _build_drainer(settings, client, outbox)
    watch = build_watch(recorder, commits, nodes, _place(settings), settings.recordings_keep_days)
    looked_at = LaneStore(client, RECORDINGS.name)
    engines = {
        PLAYBACK: Engine(stored, wakeups[PLAYBACK], playback.work, PLAYED_AT_ONCE),
        CALLBACKS: Engine(outbox, wakeups[CALLBACKS], drainer.work, DRAINED_AT_ONCE),
        RECORDINGS: Engine(looked_at, wakeups[RECORDINGS], watch.work, LOOKS_AT_ONCE),
    }
    stores: dict[Topic, LaneStore] = {PLAYBACK: stored, CALLBACKS: outbox, RECORDINGS: looked_at}
    beside: list[Callable[[Callable[[float], object]], None]] = []
    for topic, engine in engines.items():
        use(topic, wakeups[topic], engine.run_all)
        # Leases are renewed on a connection of their own: with all others in use they would run out.
        leases = LaneStore(connect(settings.redis_url, max_connections=2), topic.name)
        beside += [partial(engine.keep_leases, leases), Sweep(stores[topic], wakeups[topic]).run]
    # Jobs that end together wait for a connection instead of failing; RQ sets the deadline of its own blocking reads.
    pool = BlockingConnectionPool.from_url(settings.rq_url, max_connections=100, timeout=30)
    queues = tuple(make_queue(topic, Redis(connection_pool=pool)) for topic in engines)
    return WorkerParts(queues, tuple(engines.values()), tuple(beside), (nodes, fetching))


def _build_drainer(settings: Settings, client: Redis, outbox: OutboxStore) -> Drainer:
    return Drainer(
        outbox,
        CallbackStore(client),
        AccountStore(client),
        Breaker(ReceiverStore(client)),
        Sender(_build_pool(settings), DIALECTS.sign, time.monotonic),
        Schedule(settings.callback_retry_seconds, settings.callback_give_up_seconds),
    )


def _build_loader(settings: Settings, client: Redis, media: MediaStore) -> ProgramLoader:
    renderer = Renderer(media, Speech(settings.tts_command))
    return ProgramLoader(Fetcher(_build_pool(settings), DIALECTS.sign, AccountStore(client), media, renderer), renderer)


def _build_pool(settings: Settings) -> OutgoingPool:
    """Callbacks and documents have a pool each: one's slow servers do not take the other's places."""
    return OutgoingPool(Resolver().resolve, settings.allowed_private_networks, num_pools=1000, maxsize=256, block=False)


def build_queue(settings: Settings, topic: Topic) -> Queue:
    """RQ's queue of a topic, for those who wake lanes. RQ keeps bytes, so it has a connection of its own; its waits
    end, too."""
    connection = Redis.from_url(
        settings.rq_url,
        socket_connect_timeout=DEADLINE_SECONDS,
        socket_timeout=DEADLINE_SECONDS,
        retry=Retry(NoBackoff(), 1),
    )
    return make_queue(topic, connection)


def build_nodes(settings: Settings) -> Nodes:
    """Connections to every node, still to be started."""
    return Nodes(settings.freeswitch_nodes, settings.freeswitch_password)
