"""The API commands about one channel: `uuid_…` and `sched_…` (mod_commands.c), with the real ones' replies."""

from __future__ import annotations

import time
from collections.abc import Callable

from orchestrator.sandbox.causes import NORMAL_CLEARING, cause_named
from orchestrator.sandbox.channel import Channel
from orchestrator.sandbox.leg_record import uuid_record
from orchestrator.sandbox.node import Node
from orchestrator.sandbox.not_simulated import NotSimulated
from orchestrator.sandbox.switch_strings import separate_string

NO_SUCH_CHANNEL = "-ERR No such channel!\n"
OK = "+OK\n"
_SETVAR_MULTI_USAGE = "-USAGE: <uuid> <var>=<value>;<var>=<value>...\n"


def _uuid_exists(node: Node, argument: str) -> str:
    return "true" if find_channel(node, argument) else "false"


def _uuid_kill(node: Node, argument: str) -> str:
    if not argument:
        return "-USAGE: <uuid> [cause]\n"
    channel_uuid, _, cause = argument.partition(" ")
    channel = find_channel(node, channel_uuid)
    if channel is None:
        return NO_SUCH_CHANNEL
    channel.hang_up(cause_named(cause) if cause else NORMAL_CLEARING)
    return OK


def _uuid_getvar(node: Node, argument: str) -> str:
    match separate_string(argument, " ", 4):
        case [channel_uuid, name, *_]:
            channel = find_channel(node, channel_uuid)
            return NO_SUCH_CHANNEL if channel is None else channel.variables.get(name, "_undef_")
        case _:
            return "-USAGE: <uuid> <var>\n"


def _uuid_setvar(node: Node, argument: str) -> str:
    """The value is everything behind the name; without one the variable is unset."""
    channel_uuid, _, rest = argument.strip(" ").partition(" ")
    name, _, value = rest.lstrip(" ").partition(" ")
    if not name:
        return "-USAGE: <uuid> <var> [value]\n"
    channel = find_channel(node, channel_uuid)
    if channel is None:
        return NO_SUCH_CHANNEL
    _set_variable(channel, name, "".join(separate_string(value, "\0")))
    return OK


def _uuid_setvar_multi(node: Node, argument: str) -> str:
    """`name=value` as often as wanted; what has no name is passed over, and without any there is no answer at all."""
    channel_uuid, _, rest = argument.partition(" ")
    if not rest:
        return ""
    channel = find_channel(node, channel_uuid)
    if channel is None:
        return NO_SUCH_CHANNEL + _SETVAR_MULTI_USAGE
    pairs = [pair.partition("=") for pair in separate_string(rest, ";", 64)]
    named = [(name, value) for name, _, value in pairs if name]
    for name, value in named:
        _set_variable(channel, name, value)
    return "-ERR No variable specified\n" * (len(pairs) - len(named)) + (OK if named else _SETVAR_MULTI_USAGE)


def _uuid_transfer(node: Node, argument: str) -> str:
    """Of the two legs of a call it is the one named: no leg here is bridged to another."""
    words = separate_string(argument, " ", 5)
    if len(words) < 2:
        return "-USAGE: <uuid> [-bleg|-both] <dest-exten> [<dialplan>] [<context>]\n"
    if find_channel(node, words[0]) is None:
        return NO_SUCH_CHANNEL
    if words[1].startswith("-"):
        raise NotSimulated(f"uuid_transfer {words[1]}")
    node.sessions[words[0]].transfer(words[1], (*words, "XML")[2])
    return OK


def _sched_hangup(node: Node, argument: str) -> str:
    words = separate_string(argument, " ", 4)
    if not words:
        return "-USAGE: [+]<time> <uuid> [<cause>]\n"
    when, channel_uuid, cause = (*words, "", "")[:3]
    channel = find_channel(node, channel_uuid)
    if channel is None:
        return NO_SUCH_CHANNEL
    cause_name = cause_named(cause) if cause else "ALLOTTED_TIMEOUT"
    seconds = number_in(when[1:])
    if seconds == 0:
        channel.hang_up(cause_name)
        return OK
    runtime = int(time.time()) + seconds if when.startswith("+") else number_in(when)
    node.scheduler.add(runtime, channel_uuid, lambda: _hang_up_if_there(node, channel_uuid, cause_name))
    return OK


def _sched_del(node: Node, argument: str) -> str:
    deleted = node.scheduler.delete(int(argument)) if argument.isdigit() else node.scheduler.delete_group(argument)
    return f"+OK Deleted: {deleted}\n"


def _hang_up_if_there(node: Node, channel_uuid: str, cause: str) -> None:
    """sch_hangup_callback: the channel may have gone meanwhile."""
    channel = find_channel(node, channel_uuid)
    if channel is not None:
        channel.hang_up(cause)


def find_channel(node: Node, channel_uuid: str) -> Channel | None:
    """Find a channel that has not been hung up."""
    session = node.session_there(channel_uuid)
    return None if session is None else session.channel


def _set_variable(channel: Channel, name: str, value: str) -> None:
    """switch_channel_set_variable: an empty value removes the variable."""
    channel.variables.pop(name, None)
    if value:
        channel.variables[name] = value


def number_in(text: str) -> int:
    """Read a number; 0 if it is none."""
    return int(text) if text.isdigit() else 0


COMMANDS: dict[str, Callable[[Node, str], str]] = {
    "sched_del": _sched_del,
    "sched_hangup": _sched_hangup,
    "uuid_exists": _uuid_exists,
    "uuid_getvar": _uuid_getvar,
    "uuid_kill": _uuid_kill,
    "uuid_setvar": _uuid_setvar,
    "uuid_setvar_multi": _uuid_setvar_multi,
    "uuid_transfer": _uuid_transfer,
    "uuid_record": uuid_record,
}
