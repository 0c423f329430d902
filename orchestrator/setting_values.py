"""Values of settings that take more than a pattern to read. Each raises ValueError with what has to be written."""

from __future__ import annotations

import re
import shlex
from urllib.parse import urlsplit

from orchestrator.freeswitch.addresses import NodeAddress
from orchestrator.store.redis_urls import CLUSTER, SENTINEL, parse_cluster_url, parse_sentinel_url

_NODE = re.compile(r"(?P<name>[A-Za-z0-9_-]{1,32})=(?P<host>[^=,\s]+):(?P<port>\d{1,5})", re.ASCII)

_HOST = re.compile(r"(\*\.)?[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*|[0-9a-f:]*:[0-9a-f:.]*", re.ASCII)


def parse_node(text: str) -> NodeAddress:
    """Read `name=host:port`."""
    match = _NODE.fullmatch(text)
    if match is None or int(match["port"]) > 65535:
        raise ValueError(f"'{text}' is not name=host:port")
    return NodeAddress(match["name"], match["host"], int(match["port"]))


def parse_nodes(value: str) -> tuple[NodeAddress, ...]:
    """Read `name=host:port`, separated by commas."""
    nodes = []
    for text in filter(None, (part.strip() for part in value.split(","))):
        nodes.append(parse_node(text))
    if len({node.name for node in nodes}) < len(nodes):
        raise ValueError("two nodes have the same name")
    return tuple(nodes)


def check_redis_url(value: str) -> str:
    """Check a URL that redis-py takes, or one of Sentinels, or of a cluster."""
    for scheme, parse in ((SENTINEL, parse_sentinel_url), (CLUSTER, parse_cluster_url)):
        if value.startswith(f"{scheme}:"):
            parse(value)
            return value
    try:
        parts = urlsplit(value)
        usable = parts.scheme in ("redis", "rediss", "unix") and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ValueError(
            "is not redis://host:port/number, rediss://…, unix://…, redis+sentinel://… or redis+cluster://…"
        )
    return value


def check_media_url(value: str) -> str:
    """Check a base URL; it becomes part of a command."""
    try:
        parts = urlsplit(value)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if value and not (usable and re.fullmatch(r"[A-Za-z0-9._~:/\[\]-]+", value, re.ASCII)):
        raise ValueError("is not http://host:port or https://host:port, with a path if need be")
    return value


def check_command(value: str) -> str:
    """Check a command with the placeholders of TTS_COMMAND."""
    try:
        words = [word.format(language="", gender="", voice="") for word in shlex.split(value)]
    except (ValueError, LookupError, AttributeError):
        words = []
    if not words or not words[0]:
        raise ValueError("is not a command with no other placeholders than {voice}, {language} and {gender}")
    return value


def parse_hosts(value: str) -> tuple[str, ...]:
    """Read hosts, `*.` before those of a domain, separated by commas."""
    hosts = tuple(part.strip().lower().removesuffix(".") for part in value.split(",") if part.strip())
    wrong = [host for host in hosts if _HOST.fullmatch(host) is None]
    if wrong:
        raise ValueError(f"'{wrong[0]}' is not a host such as pbx.example.com, *.example.com or 10.1.2.3")
    return hosts


def parse_routes(value: str) -> frozenset[str]:
    """Read which of number, sip and client are named, separated by commas."""
    routes = frozenset(part.strip().lower() for part in value.split(",") if part.strip())
    if routes - {"number", "sip", "client"}:
        raise ValueError("takes number, sip and client, separated by commas")
    return routes


def parse_delays(value: str) -> tuple[float, ...]:
    """Read seconds, separated by commas."""
    try:
        delays = tuple(float(text) for text in value.split(","))
    except ValueError:
        delays = ()
    if not delays or not all(0 < delay <= 86_400 for delay in delays):
        raise ValueError("needs numbers of seconds above 0, separated by commas")
    return delays
