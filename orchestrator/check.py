"""`orchestrator check`: one line for each part, exit status 1 if anything is wrong."""

from __future__ import annotations

import re
import shlex
import shutil
import time
from collections.abc import Iterator
from typing import Final, Literal

from orchestrator.errors import ApiError
from orchestrator.freeswitch.client import CommandRefused
from orchestrator.freeswitch.commands import CoreUuid, FetchFile, FindConferences, FindContext, FindLists, SipStatus
from orchestrator.freeswitch.dial_string import PROFILE
from orchestrator.freeswitch.nodes import Node
from orchestrator.freeswitch.whisper import MODULE, can_whisper
from orchestrator.playback.output import FETCH_SECONDS
from orchestrator.probes import build_memory, build_node_store, build_queue_probe
from orchestrator.settings import Settings
from orchestrator.store.memory import CREATE_SHARE
from orchestrator.wiring import build_accounts, build_nodes

_RTP_NETWORKS: Final = re.compile(r'name="rtp-networks".*?cidr="([^"]*)"', re.DOTALL)
_SOFIA_ROUTE: Final = re.compile(r"sofia/(?:gateway/(?P<gateway>[^/{]+)|(?P<profile>[^/{]+))/")
_DOWN: Final = re.compile(r"^Status\s+DOWN", re.MULTILINE)
NOBODY: Final = "255.255.255.255/32"
"""What freeswitch-conf/vars.xml puts in place of no network."""


def check(settings: Settings) -> int:
    """Print what was found; returns the exit status."""
    failed = False
    for is_fine, text in (*_settings(settings), _speech(settings), *_redis(settings), *_nodes(settings)):
        print(f"{'ok' if is_fine else 'WRONG'}  {text}")
        failed = failed or not is_fine
    return 1 if failed else 0


def _settings(settings: Settings) -> Iterator[tuple[bool, str]]:
    yield (
        bool(settings.freeswitch_nodes),
        "FREESWITCH_NODES "
        + (", ".join(f"{node.name}={node.host}:{node.port}" for node in settings.freeswitch_nodes) or "is not set"),
    )
    yield (
        bool(settings.freeswitch_password),
        "FREESWITCH_PASSWORD " + ("is set" if settings.freeswitch_password else "is not set"),
    )
    yield True, f"OUTBOUND_ROUTE {settings.outbound_route or 'is not set: phone numbers cannot be dialled'}"
    yield True, f"SIP_ROUTE {settings.sip_route}"
    yield True, f"CLIENT_ROUTE {settings.client_route or 'is not set: client: addresses cannot be dialled'}"


def _redis(settings: Settings) -> Iterator[tuple[bool, str]]:
    try:
        accounts = build_accounts(settings).list_accounts()
        yield (
            bool(accounts),
            f"Redis answers; {len(accounts)} account(s)"
            + ("" if accounts else ": make one with `orchestrator account create`"),
        )
        yield _memory(settings)
    except ApiError as error:
        yield False, f"Redis: {error.message}"
    problem = build_queue_probe(settings)()
    yield problem is None, "RQ's Redis " + ("answers" if problem is None else f"is not reachable: {problem}")


def _memory(settings: Settings) -> tuple[bool, str]:
    memory = build_memory(settings)
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


def _nodes(settings: Settings) -> Iterator[tuple[bool, str]]:
    nodes = build_nodes(settings)
    nodes.start()
    for address in settings.freeswitch_nodes:
        try:
            core_uuid = nodes.get(address.name).send(CoreUuid()).strip()
            yield True, f"node {address.name} answers, core {core_uuid}"
        except (ApiError, CommandRefused) as error:
            yield False, f"node {address.name}: {error}"
            continue
        yield _media(settings, nodes.get(address.name))
        yield _rtp(nodes.get(address.name))
        yield _conference(nodes.get(address.name))
        yield from routes_of(settings, nodes.get(address.name))
        yield _whispers(nodes.get(address.name))
        yield _listener(settings, address.name)
        yield _detector(settings, address.name)
    nodes.stop()


def _rtp(node: Node) -> tuple[bool, str]:
    """Without the context that every call of ours asks, nothing is refused; with it, a carrier's calls may be."""
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
    """Without it every call ends as it is answered."""
    if f'<profile name="{PROFILE}"' in node.send(FindConferences()):
        return True, f"node {node.address.name} has the conference profile {PROFILE}"
    return False, (
        f"node {node.address.name} has no conference profile {PROFILE}: nobody can join "
        "(freeswitch-conf/autoload_configs/conference.conf.xml)"
    )


def routes_of(settings: Settings, node: Node) -> Iterator[tuple[bool, str]]:
    """The gateway, or the SIP profile, that each route names."""
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
    """Not wrong where it is missing: only what workers <Say> fails without it."""
    engine = shlex.split(settings.tts_command)[0]
    if shutil.which(engine) is None:
        return True, f"TTS_COMMAND {engine} is not on this machine: <Say> needs it where `orchestrator work` runs"
    return True, f"TTS_COMMAND {engine}"


def _detector(settings: Settings, node: str) -> tuple[bool, str]:
    """Not wrong where nobody wants it: it says which answer MachineDetection gets."""
    try:
        seen = build_node_store(settings).load_detector(node)
    except ApiError as error:
        return False, f"node {node}: {error.message}"
    if seen:
        return (
            True,
            f"node {node} has the detector {seen.get('detector', '?')}, which listens to {seen.get('calls', '?')}",
        )
    unknown = f"node {node} has no detector: MachineDetection is always answered with `unknown`"
    return not settings.detection_dir, unknown + ("; run `orchestrator detect`" if settings.detection_dir else "")


def _listener(settings: Settings, node: str) -> tuple[bool, str]:
    try:
        seen = build_node_store(settings).load_node(node)
    except ApiError as error:
        return False, f"node {node}: {error.message}"
    if not seen:
        return False, f"node {node} has no listener: run `orchestrator listen`"
    return True, f"node {node} is followed by {seen.get('listener', '?')}, {seen.get('dropped', '0')} events dropped"
