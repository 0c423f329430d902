"""The API commands (mod_commands.c), one small function each, with the real ones' replies to the letter."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from orchestrator.sandbox.causes import NORMAL_CLEARING, cause_named
from orchestrator.sandbox.channel import Channel
from orchestrator.sandbox.conference_api import conference
from orchestrator.sandbox.http_cache import COMMANDS as HTTP_CACHE_COMMANDS
from orchestrator.sandbox.leg_record import uuid_record
from orchestrator.sandbox.originate import originate
from orchestrator.sandbox.show import show
from orchestrator.sandbox.switch_strings import separate_string

if TYPE_CHECKING:
    from orchestrator.sandbox.node import Node

VERSION = "1.10.12-release+sandbox~64bit"
MODULES = frozenset(
    {
        *("mod_commands", "mod_conference", "mod_dptools", "mod_event_socket", "mod_http_cache", "mod_loopback"),
        *("mod_sndfile", "mod_sofia", "mod_tone_stream"),
    }
)
NO_SUCH_CHANNEL = "-ERR No such channel!\n"
OK = "+OK\n"


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


def _fsctl(node: Node, argument: str) -> str:
    """Two of its many: limits that an operator changes on the running switch. 0, or no number, asks only."""
    name, _, text = argument.strip().partition(" ")
    number = _number(text.strip())
    if name == "max_sessions":
        node.throttle.most = number or node.throttle.most
        return f"+OK max sessions: {node.throttle.most}\n"
    if name == "sps":
        node.throttle.per_second = number or node.throttle.per_second
        return f"+OK sessions per second: {node.throttle.per_second}\n"
    return "-USAGE: the sandbox knows max_sessions and sps\n"


def _version(node: Node, argument: str) -> str:
    if "short" in argument:
        return VERSION.partition("-")[0] + "\n"
    return f"FreeSWITCH Version {VERSION} (sandbox 64bit)\n"


def _global_getvar(node: Node, argument: str) -> str:
    return {"core_uuid": node.core_uuid, "hostname": "sandbox"}.get(argument, "")


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
    """Every gateway is up, and the two profiles are."""
    match argument.split():
        case ["status", "gateway", name]:
            return f"Name    \t{name}\nStatus  \tUP\n"
        case ["status", "profile", "internal" | "external" as name]:
            return f"Name             \t{name}\n"
        case ["status", "profile", *_]:
            return "Invalid Profile!\n"
    return "-USAGE: the sandbox knows status gateway and status profile\n"


def _hostname(node: Node, argument: str) -> str:
    return "sandbox"


def _module_exists(node: Node, argument: str) -> str:
    return "true" if argument in node.modules else "false"


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


def _uuid_exists(node: Node, argument: str) -> str:
    return "true" if _channel(node, argument) else "false"


def _uuid_kill(node: Node, argument: str) -> str:
    if not argument:
        return "-USAGE: <uuid> [cause]\n"
    channel_uuid, _, cause = argument.partition(" ")
    channel = _channel(node, channel_uuid)
    if channel is None:
        return NO_SUCH_CHANNEL
    channel.hang_up(cause_named(cause) if cause else NORMAL_CLEARING)
    return OK


def _uuid_getvar(node: Node, argument: str) -> str:
    match separate_string(argument, " ", 4):
        case [channel_uuid, name, *_]:
            channel = _channel(node, channel_uuid)
            return NO_SUCH_CHANNEL if channel is None else channel.variables.get(name, "_undef_")
        case _:
            return "-USAGE: <uuid> <var>\n"


def _uuid_setvar(node: Node, argument: str) -> str:
    """The value is everything behind the name; without one the variable is unset."""
    channel_uuid, _, rest = argument.strip(" ").partition(" ")
    name, _, value = rest.lstrip(" ").partition(" ")
    if not name:
        return "-USAGE: <uuid> <var> [value]\n"
    channel = _channel(node, channel_uuid)
    if channel is None:
        return NO_SUCH_CHANNEL
    _set_variable(channel, name, "".join(separate_string(value, "\0")))
    return OK


def _uuid_setvar_multi(node: Node, argument: str) -> str:
    usage = "-USAGE: <uuid> <var>=<value>;<var>=<value>...\n"
    channel_uuid, space, assignments = argument.partition(" ")
    if not space:
        return "" if argument else usage
    channel = _channel(node, channel_uuid)
    if channel is None:
        return NO_SUCH_CHANNEL + usage
    for assignment in separate_string(assignments, ";", 64):
        name, _, value = assignment.partition("=")
        if not name:
            return "-ERR No variable specified\n"
        _set_variable(channel, name, value)
    return OK


def _uuid_transfer(node: Node, argument: str) -> str:
    """Of the two legs of a call it is the one named."""
    words = separate_string(argument, " ", 5)
    if len(words) < 2:
        return "-USAGE: <uuid> [-bleg|-both] <dest-exten> [<dialplan>] [<context>]\n"
    if _channel(node, words[0]) is None:
        return NO_SUCH_CHANNEL
    node.sessions[words[0]].transfer(words[1], (*words, "XML")[2])
    return OK


def _sched_hangup(node: Node, argument: str) -> str:
    words = separate_string(argument, " ", 4)
    if not words:
        return "-USAGE: [+]<time> <uuid> [<cause>]\n"
    when, channel_uuid, cause = (*words, "", "")[:3]
    channel = _channel(node, channel_uuid)
    if channel is None:
        return NO_SUCH_CHANNEL
    cause_name = cause_named(cause) if cause else "ALLOTTED_TIMEOUT"
    seconds = _number(when[1:])
    if seconds == 0:
        channel.hang_up(cause_name)
        return OK
    runtime = int(time.time()) + seconds if when.startswith("+") else _number(when)
    node.scheduler.add(runtime, channel_uuid, lambda: _hang_up_if_there(node, channel_uuid, cause_name))
    return OK


def _sched_del(node: Node, argument: str) -> str:
    deleted = node.scheduler.delete(int(argument)) if argument.isdigit() else node.scheduler.delete_group(argument)
    return f"+OK Deleted: {deleted}\n"


def _hang_up_if_there(node: Node, channel_uuid: str, cause: str) -> None:
    """sch_hangup_callback: the channel may have gone meanwhile."""
    channel = _channel(node, channel_uuid)
    if channel is not None:
        channel.hang_up(cause)


def _channel(node: Node, channel_uuid: str) -> Channel | None:
    session = node.session_there(channel_uuid)
    return None if session is None else session.channel


def _set_variable(channel: Channel, name: str, value: str) -> None:
    """switch_channel_set_variable: an empty value removes the variable."""
    channel.variables.pop(name, None)
    if value:
        channel.variables[name] = value


def _number(text: str) -> int:
    return int(text) if text.isdigit() else 0


EXPANSION: Final = re.compile(r"\$\{variable_(\w+)\}", re.ASCII)
CONDITION: Final = re.compile(r"\$\{cond\('([^']*)' == '([^']*)' \? (\w+) : (\w+)\)\}", re.ASCII)


def _expand(node: Node, argument: str) -> str:
    """Of what the real one can: a channel's variables, and the choice between two words by an equality."""
    target, _, line = argument.partition(" ")
    channel = _channel(node, target.removeprefix("uuid:"))
    variables = {} if channel is None else channel.variables
    line = EXPANSION.sub(lambda match: variables.get(match[1], ""), line)
    line = CONDITION.sub(lambda match: match[3] if match[1] == match[2] else match[4], line)
    name, _, rest = line.partition(" ")
    command = COMMANDS.get(name)
    return "-ERR Cannot execute command\n" if command is None else command(node, rest.strip(" "))


COMMANDS: dict[str, Callable[[Node, str], str]] = HTTP_CACHE_COMMANDS | {
    "conference": conference,
    "create_uuid": _create_uuid,
    "echo": _echo,
    "expand": _expand,
    "fsctl": _fsctl,
    "global_getvar": _global_getvar,
    "hostname": _hostname,
    "hupall": _hupall,
    "module_exists": _module_exists,
    "originate": originate,
    "sched_del": _sched_del,
    "sched_hangup": _sched_hangup,
    "show": show,
    "sofia": _sofia,
    "status": _status,
    "unload": _unload,
    "uptime": _uptime,
    "uuid_exists": _uuid_exists,
    "uuid_getvar": _uuid_getvar,
    "uuid_kill": _uuid_kill,
    "uuid_record": uuid_record,
    "uuid_setvar": _uuid_setvar,
    "uuid_setvar_multi": _uuid_setvar_multi,
    "uuid_transfer": _uuid_transfer,
    "version": _version,
    "xml_locate": _xml_locate,
}
