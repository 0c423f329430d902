"""The API commands (mod_commands.c), one small function each, with the real ones' replies to the letter."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Final

import gevent

from orchestrator.sandbox import control, loopback
from orchestrator.sandbox.causes import cause_named
from orchestrator.sandbox.channel_api import COMMANDS as CHANNEL_COMMANDS
from orchestrator.sandbox.channel_api import OK, find_channel, number_in
from orchestrator.sandbox.conference_api import conference
from orchestrator.sandbox.node import Node
from orchestrator.sandbox.not_simulated import NotSimulated
from orchestrator.sandbox.originate import GATEWAYS, originate
from orchestrator.sandbox.recorded import API_COMMANDS, GLOBALS, PLACES
from orchestrator.sandbox.show import show
from orchestrator.sandbox.sounds import SOUND_PREFIX
from orchestrator.sandbox.switch_strings import separate_string

HEARTBEAT_SECONDS = 20
_HOSTNAME = "sandbox"
VERSION = "1.10.12-release+sandbox~64bit"
MODULES = frozenset(
    {
        *("mod_commands", "mod_conference", "mod_dptools", "mod_event_socket", "mod_http_cache", loopback.MODULE),
        *("mod_sndfile", "mod_sofia", "mod_tone_stream"),
    }
)


def up_time(milliseconds: int) -> str:
    """`0 years, 0 days, …` as switch_core_measure_time and its printers have it."""
    seconds, ms = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    years, days = divmod(days, 365)
    amounts = {"year": years, "day": days, "hour": hours, "minute": minutes, "second": seconds}
    amounts |= {"millisecond": ms, "microsecond": 0}
    return ", ".join(f"{amount} {unit}{'' if amount == 1 else 's'}" for unit, amount in amounts.items())


def _status(node: Node, argument: str) -> str:
    count = len(node.sessions)
    return (
        f"UP {up_time(int((time.time() - node.started_at) * 1000))}\n"
        f"FreeSWITCH (Version {VERSION}) is ready\n"
        f"{node.sessions_since_startup} session(s) since startup\n"
        f"{count} session(s) - peak {node.sessions_peak}, last 5min {node.sessions_peak} \n"
        f"0 session(s) per Sec out of max {node.throttle.per_second}, peak 0, last 5min 0 \n"
        f"{node.throttle.most} session(s) max\n"
        "min idle cpu 0.00/100.00\n"
        "Current Stack Size/Max 240K/8192K\n"
    )


def beat(node: Node) -> None:
    """Fire HEARTBEAT every 20 s, for ever (send_heartbeat of switch_core.c)."""
    while True:
        uptime_ms = int((time.time() - node.started_at) * 1000)
        node.fire(
            "HEARTBEAT",
            {
                "Event-Info": "System Ready",
                "Up-Time": up_time(uptime_ms),
                "FreeSWITCH-Version": VERSION,
                "Uptime-msec": str(uptime_ms),
                "Session-Count": str(len(node.sessions)),
                "Max-Sessions": str(node.throttle.most),
                "Session-Per-Sec": str(node.throttle.per_second),
                "Session-Since-Startup": str(node.sessions_since_startup),
                "Session-Peak-Max": str(node.sessions_peak),
                "Heartbeat-Interval": str(HEARTBEAT_SECONDS),
                "Idle-CPU": "100.000000",
            },
        )
        gevent.sleep(HEARTBEAT_SECONDS)


def _fsctl(node: Node, argument: str) -> str:
    """Two of its many: limits that an operator changes on the running switch. 0, or no number, asks only."""
    name, _, text = argument.strip().partition(" ")
    number = number_in(text.strip())
    if name == "max_sessions":
        node.throttle.most = number or node.throttle.most
        return f"+OK max sessions: {node.throttle.most}\n"
    if name == "sps":
        node.throttle.per_second = number or node.throttle.per_second
        return f"+OK sessions per second: {node.throttle.per_second}\n"
    return node.refuse(f"fsctl {argument}")


def _version(node: Node, argument: str) -> str:
    if "short" in argument:
        return VERSION.partition("-")[0] + "\n"
    return f"FreeSWITCH Version {VERSION} (sandbox 64bit)\n"


def _global_getvar(node: Node, argument: str) -> str:
    """One that there is not is empty."""
    if not argument:
        raise NotSimulated("global_getvar of all")
    return _global(node, argument)


def _global(node: Node, name: str) -> str:
    known = {"core_uuid": node.core_uuid, "hostname": _HOSTNAME, "sounds_dir": SOUND_PREFIX}
    if name in GLOBALS and name not in known:
        raise NotSimulated(f"global_getvar {name}")
    return known.get(name, "")


_LOCATED: Final = {
    "configuration configuration name acl.conf": (
        '<configuration name="acl.conf">\n  <network-lists>\n    <list name="rtp-networks" default="deny">\n'
        '      <node type="allow" cidr="255.255.255.255/32"/>\n    </list>\n  </network-lists>\n</configuration>\n'
    ),
    "dialplan context name orchestrator": '<context name="orchestrator">\n</context>\n',
    "configuration configuration name conference.conf": (
        '<configuration name="conference.conf">\n  <profiles>\n    <profile name="orchestrator"/>\n  </profiles>\n'
        "</configuration>\n"
    ),
}


def _xml_locate(node: Node, argument: str) -> str:
    """What a node of freeswitch-conf is asked for, in short; RTP may go nowhere else, as there is none."""
    words = separate_string(argument, " ", 4)
    place = " ".join(words)
    if len(words) not in (1, 4):
        return "-ERR bad args\n"
    if place in _LOCATED:
        return _LOCATED[place]
    if place == "root" or place in PLACES or (words[0] in PLACES and words[2] != "name"):
        raise NotSimulated(f"xml_locate {place}")
    return "can't find anything\n"


def _sofia(node: Node, argument: str) -> str:
    """`sofia status gateway|profile <name>` (cmd_status of mod_sofia.c), in short; the gateway is up."""
    match argument.split():
        case ["status", "gateway", name]:
            return f"Name    \t{name}\nStatus  \tUP\n" if name in GATEWAYS else "Invalid Gateway!\n"
        case ["status", "profile", "internal" | "external" as name]:
            return f"Name             \t{name}\n"
        case ["status", "profile", _]:
            return "Invalid Profile!\n"
    return node.refuse(f"sofia {argument}")


def _hostname(node: Node, argument: str) -> str:
    return _HOSTNAME


def _module_exists(node: Node, argument: str) -> str:
    return "true" if argument in node.modules else "false"


def _file_exists(node: Node, argument: str) -> str:
    """It is on the machine of the sandbox itself."""
    return "true" if argument and Path(argument).exists() else "false"


def _unload(node: Node, argument: str) -> str:
    """unload_function, of the one module without which the sandbox does otherwise."""
    if not argument:
        return "-USAGE: [-f] <mod_name>\n"
    if argument.startswith("-") and " " in argument:
        raise NotSimulated("unload with an option")
    if argument not in node.modules:
        return "-ERR [No such module!]\n"
    if argument != loopback.MODULE:
        raise NotSimulated(f"unload {argument}")
    if loopback.is_in_use(node):
        return "-ERR [Module in use.]\n"
    node.modules.discard(argument)
    return OK


def _uptime(node: Node, argument: str) -> str:
    seconds = time.time() - node.started_at
    return f"{int(seconds * 1000) if argument == 'ms' else int(seconds)}\n"


def _echo(node: Node, argument: str) -> str:
    return argument


def _create_uuid(node: Node, argument: str) -> str:
    return str(uuid.uuid4())


def _hupall(node: Node, argument: str) -> str:
    """`hupall [<cause> [<name> <value>]…]`: the calls that have all of these variables."""
    named, *words = separate_string(argument, " ", 11) or ["NONE"]
    cause = cause_named(named)
    cause = "MANAGER_REQUEST" if cause == "NONE" else cause
    wanted = list(zip(words[::2], words[1::2], strict=False))
    channels = [session.channel for session in node.sessions.values()]
    for channel in [each for each in channels if all(each.value_of(name) == value for name, value in wanted)]:
        channel.hang_up(cause)
    if not wanted:
        return f"+OK hangup all channels with cause {cause}\n"
    more = "..." if len(wanted) > 1 else ""
    return f"+OK hangup all channels matching [{words[0]}]=[{words[1]}]{more} with cause: {cause}\n"


EXPANSION: Final = re.compile(
    r"\$\{cond\('(?P<left>[^']*)' == '(?P<right>[^']*)' \? (?P<yes>\w+) : (?P<no>\w+)\)\}"
    r"|(?<!\$)\$\{(?P<name>[\w-]+)\}",
    re.ASCII,
)


def _expand(node: Node, argument: str) -> str:
    """Expand what the real one can in part: what a channel's events say, global variables, and the choice between two
    words by an equality. A name that there is not becomes nothing; the command's own is not expanded."""
    channel_uuid, line = "", argument
    if argument.lower().startswith("uuid:"):
        channel_uuid, _, line = argument[len("uuid:") :].partition(" ")
    if not line:
        return "-ERR No input\n"
    name, _, rest = line.partition(" ")
    command = COMMANDS.get(name.lower())
    if command is None and name.lower() in API_COMMANDS:
        raise NotSimulated(name)
    if command is None:
        return "INVALID COMMAND!\n-ERR Cannot execute command\n"
    channel = find_channel(node, channel_uuid)
    return command(node, _expanded(node, {} if channel is None else channel.full_headers(), rest).strip())


def _expanded(node: Node, headers: dict[str, str], text: str) -> str:
    """switch_event_expand_headers."""

    def value(found: re.Match[str]) -> str:
        if found["name"] is not None:
            return headers.get(found["name"]) or _global(node, found["name"])
        left, right = (_expanded(node, headers, found[side]) for side in ("left", "right"))
        return found["yes"] if left == right else found["no"]

    if "${" in EXPANSION.sub("", text) or "\\" in text:
        raise NotSimulated(f"expand {text}")
    return EXPANSION.sub(value, text)


COMMANDS: dict[str, Callable[[Node, str], str]] = CHANNEL_COMMANDS | {
    "conference": conference,
    "create_uuid": _create_uuid,
    "echo": _echo,
    "expand": _expand,
    "file_exists": _file_exists,
    "fsctl": _fsctl,
    "global_getvar": _global_getvar,
    "hostname": _hostname,
    "http_get": lambda node, argument: node.http_cache.http_get(argument),
    "hupall": _hupall,
    "module_exists": _module_exists,
    "originate": originate,
    "sandbox": control.command,
    "show": show,
    "sofia": _sofia,
    "status": _status,
    "unload": _unload,
    "uptime": _uptime,
    "version": _version,
    "xml_locate": _xml_locate,
}
