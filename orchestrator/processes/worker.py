"""`orchestrator work`: the engines of all lanes, and what they work with."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import gevent
import structlog
from redis import Redis
from rq import Queue

from orchestrator.callbacks.breaker import Breaker
from orchestrator.callbacks.deliver import Sender
from orchestrator.callbacks.drain import LANES_AT_ONCE as DRAINED_AT_ONCE
from orchestrator.callbacks.drain import Drainer
from orchestrator.callbacks.retry import Schedule
from orchestrator.dialects.registry import DIALECTS
from orchestrator.dialling.dialler import Dialler
from orchestrator.dialling.queue import ACCOUNTS_AT_ONCE, DialQueue
from orchestrator.dialling.queued_call import Seal
from orchestrator.dialling.sessions import Sessions
from orchestrator.domain.recording import Recording
from orchestrator.freeswitch.nodes import Nodes
from orchestrator.jobs.wakeups import CALLBACKS, DIALLING, PLAYBACK, RECORDINGS, TOPICS, Topic, Wakeups, make_queue, use
from orchestrator.jobs.worker import work_for_ever
from orchestrator.lanes.engine import Engine
from orchestrator.lanes.sweep import Sweep
from orchestrator.media.fetch import Fetcher
from orchestrator.media.load import ProgramLoader
from orchestrator.media.render import Renderer
from orchestrator.media.speech import Speech
from orchestrator.media.syscalls import make_undumpable
from orchestrator.outgoing.pool import OutgoingPool
from orchestrator.outgoing.resolver import Resolver
from orchestrator.playback.announcement_ends import AnnouncementEnds
from orchestrator.playback.output import Output
from orchestrator.playback.parts import Parts
from orchestrator.playback.work import LANES_AT_ONCE as PLAYED_AT_ONCE
from orchestrator.playback.work import Playback
from orchestrator.processes.report import report_life
from orchestrator.recordings.look import Looks, file_name
from orchestrator.recordings.process import Job
from orchestrator.recordings.recorder import Recorder
from orchestrator.recordings.worker import LOOKS_AT_ONCE, Processor, Watch
from orchestrator.settings import Settings
from orchestrator.store.accounts import AccountStore
from orchestrator.store.callbacks import CallbackStore
from orchestrator.store.commits import CommitStore
from orchestrator.store.connection import connect, make_pool
from orchestrator.store.dials import DialStore
from orchestrator.store.lanes import LaneStore
from orchestrator.store.media import MediaStore
from orchestrator.store.nodes import NodeStore
from orchestrator.store.outbox import OutboxStore
from orchestrator.store.playback import PlaybackStore
from orchestrator.store.quotas import QuotaStore
from orchestrator.store.receivers import ReceiverStore
from orchestrator.wiring.committing import build_recorder, committer_maker, give_up, place
from orchestrator.wiring.nodes import build_nodes
from orchestrator.wiring.queues import build_queue

log = structlog.get_logger("processes")


@dataclass(frozen=True, slots=True)
class WorkerParts:
    """What a worker process runs: the queues that it takes jobs from, the engines that they run on, what runs beside
    the jobs, and what it is connected to."""

    queues: tuple[Queue, ...]
    engines: tuple[Engine, ...]
    beside: tuple[Callable[[Callable[[float], object]], None], ...]
    nodes: tuple[Nodes, ...]

    def stop(self) -> None:
        """Finish what is under way."""
        for engine in self.engines:
            engine.stop()


def run_worker(settings: Settings) -> None:
    """Deliver callbacks and play. The worker handles signals itself: attempts under way are finished first.

    Its passwords and tokens are no business of the programs that it starts over strangers' bytes."""
    make_undumpable()
    parts = build_worker(settings)
    reporter = report_life(settings, "work")
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


def build_worker(settings: Settings) -> WorkerParts:
    """Build the worker process: it dials calls that wait, decides what is played, and delivers callbacks, in this
    order."""
    client = connect(settings.redis_url, max_connections=256)
    wakeups = {topic: Wakeups(build_queue(settings, topic), topic) for topic in TOPICS}
    dials, outbox, stored = DialStore(client), OutboxStore(client, settings.retention_seconds), PlaybackStore(client)
    nodes, fetching = build_nodes(settings), build_nodes(settings)
    recorder = build_recorder(settings, client, wakeups[CALLBACKS].wake, wakeups[RECORDINGS].wake)
    wakes = (wakeups[CALLBACKS].wake, wakeups[PLAYBACK].wake)
    make_committer = committer_maker(settings, client, recorder, *wakes, give_up)
    commits, media = CommitStore(client), MediaStore(client, settings.media_megabytes << 20)
    output = Output(commits, media, nodes, fetching, settings.media_url, settings.stock_music)
    report_end = AnnouncementEnds(commits, nodes, make_committer).report
    loader = _build_loader(settings, client, media)
    playback = Playback(Parts(stored, output, loader, DIALECTS.serialize_fetch, report_end))
    drainer = _build_drainer(settings, client, outbox)
    watch = _build_watch(settings, recorder, commits, nodes)
    looked_at = LaneStore(client, RECORDINGS.name)
    nodes.watch_capacity()
    sessions, seal = Sessions(nodes, QuotaStore(client)), Seal(settings.freeswitch_password)
    accounts = AccountStore(client)
    dialler = Dialler(dials, accounts, commits, NodeStore(client), nodes, sessions, seal, make_committer)
    dialled = DialQueue(dials, accounts, dialler)
    engines = {
        DIALLING: Engine(dials, wakeups[DIALLING], dialled.work, ACCOUNTS_AT_ONCE),
        PLAYBACK: Engine(stored, wakeups[PLAYBACK], playback.work, PLAYED_AT_ONCE),
        CALLBACKS: Engine(outbox, wakeups[CALLBACKS], drainer.work, DRAINED_AT_ONCE),
        RECORDINGS: Engine(looked_at, wakeups[RECORDINGS], watch.work, LOOKS_AT_ONCE),
    }
    stores: dict[Topic, LaneStore] = {DIALLING: dials, PLAYBACK: stored, CALLBACKS: outbox, RECORDINGS: looked_at}
    beside: list[Callable[[Callable[[float], object]], None]] = []
    for topic, engine in engines.items():
        use(topic, wakeups[topic], engine.run_all)
        # Leases are renewed on a connection of their own: with all others in use they would run out.
        leases = LaneStore(connect(settings.redis_url, max_connections=2), topic.name)
        beside += [partial(engine.keep_leases, leases), Sweep(stores[topic], wakeups[topic]).run]
    # Jobs that end together wait for a connection instead of failing; RQ sets the deadline of its own blocking reads.
    pool = make_pool(settings.rq_url, max_connections=100, timeout=30)
    queues = tuple(make_queue(topic, Redis(connection_pool=pool)) for topic in engines)
    return WorkerParts(queues, tuple(engines.values()), tuple(beside), (nodes, fetching))


def _build_drainer(settings: Settings, client: Redis, outbox: OutboxStore) -> Drainer:
    return Drainer(
        outbox,
        CallbackStore(client, settings.retention_seconds),
        AccountStore(client),
        Breaker(ReceiverStore(client)),
        Sender(_build_pool(settings), DIALECTS.sign, time.monotonic),
        Schedule(settings.callback_retry_seconds, settings.callback_give_up_seconds),
    )


def _build_watch(settings: Settings, recorder: Recorder, commits: CommitStore, nodes: Nodes) -> Watch:
    kept, keep_days = place(settings), settings.recordings_keep_days

    def make_job(recording: Recording, pieces: list[tuple[str, int, bool]]) -> Job:
        track = "" if recording.is_of_conference else recording.track
        shape = (recording.channels, track, recording.trims)
        bucket = (kept.bucket, kept.endpoint, kept.key)
        return Job(file_name(recording, ""), tuple(pieces), *shape, recorder.directory, *bucket)

    recorder.make_directory()
    return Watch(Looks(recorder, commits, nodes, kept.open(), Processor().process, make_job, keep_days))


def _build_loader(settings: Settings, client: Redis, media: MediaStore) -> ProgramLoader:
    renderer = Renderer(media, Speech(settings.tts_command))
    return ProgramLoader(Fetcher(_build_pool(settings), DIALECTS.sign, AccountStore(client), media, renderer), renderer)


def _build_pool(settings: Settings) -> OutgoingPool:
    """Callbacks and documents have a pool each: one's slow servers do not take the other's places."""
    return OutgoingPool(Resolver().resolve, settings.allowed_private_networks, num_pools=1000, maxsize=256, block=False)
