"""Builds all that the API and the console can do, and the connections that they do it by."""

from __future__ import annotations

from orchestrator.dialling.call_rate import CallRate
from orchestrator.dialling.destinations import LOOKUP_SECONDS, Destinations
from orchestrator.dialling.queued_call import Seal
from orchestrator.dialling.sessions import Sessions
from orchestrator.freeswitch.dial_string import Routes
from orchestrator.freeswitch.nodes import Nodes
from orchestrator.jobs.wakeups import CALLBACKS, DIALLING, PLAYBACK, RECORDINGS
from orchestrator.outgoing.resolver import Resolver
from orchestrator.outgoing.sip_targets import SipTargets
from orchestrator.recordings.service import Recordings
from orchestrator.services.all_services import Services
from orchestrator.services.calls import CallService
from orchestrator.services.conferences import ConferenceService
from orchestrator.services.credentials import Credentials
from orchestrator.services.participants import ParticipantService
from orchestrator.services.placement import Placement
from orchestrator.services.updates import UpdateService
from orchestrator.settings import Settings
from orchestrator.store.accounts import AccountStore
from orchestrator.store.calls import CallStore
from orchestrator.store.commits import CommitStore
from orchestrator.store.conferences import ConferenceStore
from orchestrator.store.connection import connect, is_guarded
from orchestrator.store.dials import DialStore
from orchestrator.store.nodes import NodeStore
from orchestrator.store.playback import PlaybackStore
from orchestrator.store.quotas import QuotaStore
from orchestrator.store.replicas import Replicas
from orchestrator.wiring.callback_log import build_callback_log
from orchestrator.wiring.committing import build_recorder, committer_maker, give_up, place
from orchestrator.wiring.queues import start_waker
from orchestrator.wiring.stores import build_registry


def build_services(settings: Settings, nodes: Nodes) -> Services:
    """Build all that the API and the console can do."""
    client = connect(settings.redis_url)
    kept = settings.call_retention_seconds
    store = ConferenceStore(client, kept, Replicas(is_guarded(settings.redis_url)))
    sounds = start_waker(settings, PLAYBACK)
    callbacks = start_waker(settings, CALLBACKS)
    recorder = build_recorder(settings, client, callbacks, start_waker(settings, RECORDINGS))
    make_committer = committer_maker(settings, client, recorder, callbacks, sounds, give_up)
    call_rate = CallRate(DialStore(client), Seal(settings.freeswitch_password), start_waker(settings, DIALLING))
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
            call_rate,
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


def _build_destinations(settings: Settings) -> Destinations:
    routes = Routes(settings.outbound_route, settings.sip_route, settings.client_route, settings.nat_routes)
    resolver = Resolver(lookup_seconds=LOOKUP_SECONDS)
    targets = SipTargets(resolver.resolve, resolver.services, settings.allowed_private_networks, settings.sip_hosts)
    return Destinations(routes, targets)
