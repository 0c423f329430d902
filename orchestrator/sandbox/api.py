"""The API commands (mod_commands.c), one small function each, with the real ones' replies to the letter."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Final

import gevent

from orchestrator.sandbox import control
from orchestrator.sandbox.causes import cause_named
from orchestrator.sandbox.channel_api import COMMANDS as CHANNEL_COMMANDS
from orchestrator.sandbox.channel_api import OK, find_channel, number_in
from orchestrator.sandbox.conference_api import conference
from orchestrator.sandbox.node import Node
from orchestrator.sandbox.originate import GATEWAYS, originate
from orchestrator.sandbox.show import show
from orchestrator.sandbox.sounds import SOUND_PREFIX

HEARTBEAT_SECONDS = 20
VERSION = "1.10.12-release+sandbox~64bit"
MODULES = frozenset(
    {
        *("mod_commands", "mod_conference", "mod_dptools", "mod_event_socket", "mod_http_cache", "mod_loopback"),
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
    return {"core_uuid": node.core_uuid, "hostname": "sandbox", "sounds_dir": SOUND_PREFIX}.get(argument, "")


_LOCATED: Final = {
    "dialplan context name orchestrator": '<context name="orchestrator">\n</context>\n',
    "configuration configuration name conference.conf": (
        '<configuration name="conference.conf">\n  <profiles>\n    <profile name="orchestrator"/>\n  </profiles>\n'
        "</configuration>\n"
    ),
}


def _xml_locate(node: Node, argument: str) -> str:
    """What a node of freeswitch-conf is asked for, in short. There are no lists: no RTP."""
    return _LOCATED.get(argument, "can't find anything\n")


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
    return "sandbox"


def _module_exists(node: Node, argument: str) -> str:
    return "true" if argument in node.modules else "false"


def _file_exists(node: Node, argument: str) -> str:
    """It is on the machine of the sandbox itself."""
    return "true" if argument and Path(argument).exists() else "false"


def _unload(node: Node, argument: str) -> str:
    """unload_function, of a module that is there."""
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
    cause = cause_named(argument) if argument else "MANAGER_REQUEST"
    for session in tuple(node.sessions.values()):
        session.channel.hang_up(cause)
    return f"+OK hangup all channels with cause {cause}\n"


EXPANSION: Final = re.compile(r"\$\{variable_(\w+)\}", re.ASCII)
CONDITION: Final = re.compile(r"\$\{cond\('([^']*)' == '([^']*)' \? (\w+) : (\w+)\)\}", re.ASCII)


def _expand(node: Node, argument: str) -> str:
    """Expand what the real one can in part: a channel's variables, and the choice between two words by an equality."""
    target, line = "", argument
    if argument.startswith("uuid:"):
        target, _, line = argument.removeprefix("uuid:").partition(" ")
    channel = find_channel(node, target)
    variables = {} if channel is None else channel.variables
    line = EXPANSION.sub(lambda match: variables.get(match[1], ""), line)
    line = CONDITION.sub(lambda match: match[3] if match[1] == match[2] else match[4], line)
    name, _, rest = line.partition(" ")
    command = COMMANDS.get(name)
    return "INVALID COMMAND!\n-ERR Cannot execute command\n" if command is None else command(node, rest.strip(" "))


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
