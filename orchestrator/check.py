"""`orchestrator check`: one line for each part, exit status 1 if anything is wrong."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import time
from collections.abc import Iterator
from typing import Final, Literal

from orchestrator.errors import ApiError
from orchestrator.freeswitch.client import CommandRefused
from orchestrator.freeswitch.commands import (
    CoreUuid,
    FetchFile,
    FileExists,
    FindConferences,
    FindContext,
    FindLists,
    ModuleExists,
    SipStatus,
)
from orchestrator.freeswitch.dial_string import PROFILE
from orchestrator.freeswitch.nodes import Node
from orchestrator.freeswitch.whisper import MODULE, can_whisper
from orchestrator.health import problem_of
from orchestrator.playback.output import FETCH_SECONDS
from orchestrator.probes import build_queue_probe, misspelt, needed, regions_of
from orchestrator.recordings.check import directory_here, directory_of
from orchestrator.settings import Settings
from orchestrator.sip_ping import trunks_of
from orchestrator.store.connection import reason_of
from orchestrator.store.memory import CREATE_SHARE
from orchestrator.wiring import stores
from orchestrator.wiring.nodes import build_nodes

_RTP_NETWORKS: Final = re.compile(r'name="rtp-networks".*?cidr="([^"]*)"', re.DOTALL)
_SOFIA_ROUTE: Final = re.compile(r"sofia/(?:gateway/(?P<gateway>[^/{]+)|(?P<profile>[^/{]+))/")
_DOWN: Final = re.compile(r"^Status\s+DOWN", re.MULTILINE)
MODULES: Final = ("mod_conference", "mod_dptools", "mod_http_cache", "mod_sndfile", "mod_sofia", "mod_tone_stream")
"""Without one of them calls or sounds fail; mod_loopback, which only coaching needs, has a line of its own."""

LATE_SECONDS: Final = 60.0
"""Workers that live look at a lane within a second of its time."""

WORDS: Final = {True: "ok", False: "WRONG", None: "mind"}
"""None: to be looked at, and nothing that this deployment lacks."""

Line = tuple[bool | None, str]
NOBODY: Final = "255.255.255.255/32"
"""What freeswitch-conf/vars.xml puts in place of no network."""


def check(settings: Settings) -> int:
    """Print what was found; returns the exit status."""
    failed = False
    here = (_speech(settings), directory_here(settings.recordings_dir))
    before = (*needed(settings), *_settings(settings), *misspelt(os.environ), *here, *redis_of(settings))
    lines = (*before, *trunks_of(stores.build_accounts(settings)), *regions_of(settings), *_nodes(settings))
    for is_fine, text in lines:
        print(f"{WORDS[is_fine]:<5}  {text}")
        failed = failed or is_fine is False
    return 1 if failed else 0


def _settings(settings: Settings) -> Iterator[tuple[bool, str]]:
    yield True, f"OUTBOUND_ROUTE {settings.outbound_route or 'is not set: phone numbers cannot be dialled'}"
    yield True, f"SIP_ROUTE {settings.sip_route}"
    yield True, f"CLIENT_ROUTE {settings.client_route or 'is not set: client: addresses cannot be dialled'}"


def redis_of(settings: Settings) -> Iterator[Line]:
    """Check Redis, what it is told to do with what it has, and what is in it of work."""
    try:
        accounts = stores.build_accounts(settings).list_accounts()
        yield (
            bool(accounts),
            f"Redis answers; {len(accounts)} account(s)"
            + ("" if accounts else ": make one with `orchestrator account create`"),
        )
        yield _memory(settings)
        yield _keeping(settings)
        yield from _work(settings)
    except ApiError as error:
        yield False, f"Redis: {reason_of(error)}"
    problem = build_queue_probe(settings)()
    yield problem is None, "RQ's Redis " + ("answers" if problem is None else f"is not reachable: {problem}")


def _memory(settings: Settings) -> tuple[bool, str]:
    memory = stores.build_memory(settings)
    policy = memory.policy()
    if not policy:
        return True, "Redis has no maxmemory: what it does when memory is used up is up to the system"
    if policy != "noeviction":
        return False, f"Redis has maxmemory-policy {policy}: it would drop calls and callbacks; set noeviction"
    share = memory.used_share()
    return (
        share <= CREATE_SHARE,
        f"Redis uses {share:.0%} of its maxmemory; creates are refused over {CREATE_SHARE:.0%}",
    )


def _keeping(settings: Settings) -> tuple[bool, str]:
    """Check that Redis writes an append-only file: without it a restart loses what was acknowledged since its last
    snapshot."""
    if stores.build_memory(settings).appends():
        return True, "Redis writes an append-only file"
    return False, "Redis has appendonly no: calls and callbacks are lost when it restarts; set appendonly yes"


def _work(settings: Settings) -> Iterator[Line]:
    """Say which processes live, and what waits for them."""
    kinds = stores.build_processes(settings).count_kinds()
    workers, apis = kinds.get("work", 0), kinds.get("api", 0)
    yield bool(workers), f"{workers} worker(s)" + ("" if workers else ": callbacks and music wait (orchestrator work)")
    yield True, f"{apis} API process(es)"
    backlog = stores.build_backlog(settings)
    for kind, lanes, late_seconds in backlog.lanes():
        yield (
            late_seconds <= LATE_SECONDS,
            f"{lanes} lane(s) of {kind} wait"
            + (f", the oldest {late_seconds:.0f} s beyond its time" if late_seconds > LATE_SECONDS else ""),
        )
    for account_sid in backlog.accounts():
        dead = backlog.count_dead(account_sid)
        if dead:
            yield None, f"account {account_sid} has {dead} dead letter(s): `orchestrator callbacks list --state dead`"
        for host in backlog.paused_receivers(account_sid):
            yield None, f"account {account_sid}: receiver {host} fails and is paused (`orchestrator receivers list`)"


def _nodes(settings: Settings) -> Iterator[Line]:
    nodes = build_nodes(settings)
    nodes.start()
    for name in nodes.names():
        try:
            core_uuid = nodes.get(name).send(CoreUuid()).strip()
            yield True, f"node {name} answers, core {core_uuid}"
        except (ApiError, CommandRefused) as error:
            yield False, f"node {name}: {nodes.get(name).problem or error}"
            continue
        yield from modules_of(nodes.get(name))
        yield from music_of(settings, nodes.get(name))
        yield _media(settings, nodes.get(name))
        yield _rtp(nodes.get(name))
        yield _conference(nodes.get(name))
        yield from routes_of(settings, nodes.get(name))
        yield _whispers(nodes.get(name))
        yield directory_of(settings.recordings_dir, name, nodes.get(name).send)
        yield listener_of(settings, name)
        yield _detector(settings, name)
    nodes.stop()


def _rtp(node: Node) -> tuple[bool, str]:
    """Check for the context that every call of ours asks: without it nothing is refused; with it, a carrier's calls may
    be."""
    name = node.address.name
    if not node.send(FindContext("orchestrator")).startswith("<context"):
        return False, (
            f"node {name} has no dialplan context 'orchestrator': RTP goes wherever a far end says "
            "(freeswitch-conf/dialplan/media.xml)"
        )
    found = _RTP_NETWORKS.search(node.send(FindLists()))
    if found is None or found[1] == NOBODY:
        return True, (
            f"node {name} sends RTP to the host that a call's SIP comes from and nowhere else: a carrier's other media "
            "gateways belong into FREESWITCH_RTP_NETWORKS, or its calls end as they are answered"
        )
    return True, f"node {name} sends RTP to the host that a call's SIP comes from, and to {found[1]}"


def _conference(node: Node) -> tuple[bool, str]:
    """Check for the conference profile: without it every call ends as it is answered."""
    if f'<profile name="{PROFILE}"' in node.send(FindConferences()):
        return True, f"node {node.address.name} has the conference profile {PROFILE}"
    return False, (
        f"node {node.address.name} has no conference profile {PROFILE}: nobody can join "
        "(freeswitch-conf/autoload_configs/conference.conf.xml)"
    )


def routes_of(settings: Settings, node: Node) -> Iterator[tuple[bool, str]]:
    """Check the gateway, or the SIP profile, that each route names."""
    for name, route in (
        ("OUTBOUND_ROUTE", settings.outbound_route),
        ("SIP_ROUTE", settings.sip_route),
        ("CLIENT_ROUTE", settings.client_route),
    ):
        found = _SOFIA_ROUTE.match(route)
        if found is None:
            continue
        kind: Literal["gateway", "profile"] = "gateway" if found["gateway"] else "profile"
        which = found["gateway"] or found["profile"]
        answer = node.send(SipStatus(kind, which))
        if "Invalid " in answer:
            yield False, f"node {node.address.name} has no {kind} {which}, which {name} names"
        elif _DOWN.search(answer):
            yield False, f"node {node.address.name}: gateway {which} of {name} is down"
        else:
            yield True, f"node {node.address.name} has the {kind} {which} of {name}"


def modules_of(node: Node) -> Iterator[tuple[bool, str]]:
    """Check the node's modules: a line for each that is missing."""
    for module in MODULES:
        if node.send(ModuleExists(module)).strip() != "true":
            yield False, f"node {node.address.name} has not loaded {module} (freeswitch-conf, modules.conf.xml)"


def music_of(settings: Settings, node: Node) -> Iterator[tuple[bool, str]]:
    """Check STOCK_MUSIC, where it is a file of the node's or one of its streams."""
    music, name = settings.stock_music, node.address.name
    if music.startswith("/"):
        found = node.send(FileExists(music)).strip() == "true"
        yield (
            found,
            f"node {name} has the file {music} of STOCK_MUSIC"
            if found
            else (f"node {name} has no file {music}, which STOCK_MUSIC names: silence on hold"),
        )
    elif music.startswith("local_stream://") and node.send(ModuleExists("mod_local_stream")).strip() != "true":
        yield False, f"node {name} has not loaded mod_local_stream, which STOCK_MUSIC needs"


def _whispers(node: Node) -> tuple[bool, str]:
    if can_whisper(node):
        return True, f"node {node.address.name} can let a coach be heard by one person alone"
    return False, f"node {node.address.name} has not loaded {MODULE}: coaching is refused"


def _media(settings: Settings, node: Node) -> tuple[bool, str]:
    """The node fetches what the API answers; a query, so that it does not show us what it has kept."""
    try:
        node.send(FetchFile(f"{settings.media_url}/healthz?{time.time_ns()}"), FETCH_SECONDS)
    except (ApiError, CommandRefused):
        return False, (
            f"node {node.address.name} cannot fetch audio from {settings.media_url}: is mod_http_cache loaded, "
            "does the API run, and is that how the node reaches it (ORCHESTRATOR_MEDIA_URL)?"
        )
    return True, f"node {node.address.name} can fetch audio from {settings.media_url}"


def _speech(settings: Settings) -> tuple[bool, str]:
    """Check the speech engine. Not wrong where it is missing: only what workers <Say> fails without it."""
    engine = shlex.split(settings.tts_command)[0]
    if shutil.which(engine) is None:
        return True, f"TTS_COMMAND {engine} is not on this machine: <Say> needs it where `orchestrator work` runs"
    return True, f"TTS_COMMAND {engine}"


def _detector(settings: Settings, node: str) -> tuple[bool, str]:
    """Check who detects answerers. Not wrong where nobody wants it: the line says which answer MachineDetection
    gets."""
    try:
        seen = stores.build_node_store(settings).load_detector(node)
    except ApiError as error:
        return False, f"node {node}: {error.message}"
    if seen:
        return (
            True,
            f"node {node} has the detector {seen.get('detector', '?')}, which listens to {seen.get('calls', '?')}",
        )
    unknown = f"node {node} has no detector: MachineDetection is always answered with `unknown`"
    return not settings.detection_dir, unknown + ("; run `orchestrator detect`" if settings.detection_dir else "")


def listener_of(settings: Settings, node: str) -> tuple[bool, str]:
    """Check who follows the node, if somebody does: what `/readyz` asks, too."""
    try:
        seen = stores.build_node_store(settings).load_node(node)
    except ApiError as error:
        return False, f"node {node}: {error.message}"
    if not seen:
        return False, f"node {node} has no listener: run `orchestrator listen`"
    if seen.get("connected") != "1":
        return False, (
            f"node {node}: its listener {seen.get('listener', '?')} is not connected to it: {problem_of(seen)}"
        )
    return True, f"node {node} is followed by {seen.get('listener', '?')}, {seen.get('dropped', '0')} events dropped"
