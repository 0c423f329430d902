"""The `conference` command: find the conference, find the subcommand, find the members (conference_api.c)."""

from __future__ import annotations

from orchestrator.sandbox import conference_commands as commands
from orchestrator.sandbox.conference import Conference
from orchestrator.sandbox.conference_files import find_member
from orchestrator.sandbox.conference_list import OF_ONE, count, json_list, list_members
from orchestrator.sandbox.member import Member
from orchestrator.sandbox.node import Node
from orchestrator.sandbox.recorded import CONFERENCE_COMMANDS
from orchestrator.sandbox.switch_strings import separate_string

_MAX_WORDS = 25
# Those that need no conference (conference_api_main_real).
_WITHOUT_CONFERENCE = {"count": count, "json_list": json_list, "list": list_members}
_NOT_SIMULATED = ("xml_list", "help", "commands")


def conference(node: Node, argument: str) -> str:
    """conference_api_main_real."""
    words = separate_string(argument, " ", _MAX_WORDS)
    if not words:
        return "".join(f"<conf name> {name} {usage}\n" for name, usage in CONFERENCE_COMMANDS.items())
    found = node.find_conference(words[0])
    if found is not None:
        with found.readers:
            return _dispatch(node, found, words[1:])
    name = words[0].lower()
    if name in _NOT_SIMULATED or (*words, "")[1].lower() in ("dial", "bgdial"):
        return node.refuse(f"conference {name}")
    listing = _WITHOUT_CONFERENCE.get(name)
    if listing is not None:
        return listing(node, tuple(node.conferences.values()), words[1:])
    return f"-ERR Conference {words[0]} not found\n"


def _dispatch(node: Node, found: Conference, words: list[str]) -> str:
    """conference_api_dispatch: three kinds of subcommand, told apart by the table that they stand in."""
    if not words:
        return "Conference command, not specified.\nTry 'help'\n"
    name, arguments = words[0].lower(), words[1:]
    if name in _WITHOUT_CONFERENCE:
        return _WITHOUT_CONFERENCE[name](node, (found,), [OF_ONE, *arguments])
    if name in commands.FOR_MEMBERS:
        return _for_members(found, name, arguments)
    if name in commands.FOR_CONFERENCE:
        reply = commands.FOR_CONFERENCE[name](found, arguments)
        return _usage(name) if reply is None else reply
    if name in CONFERENCE_COMMANDS:
        return node.refuse(f"conference {name}")
    return f"-ERR Conference command '{words[0]}' not found.\n"


def _for_members(found: Conference, name: str, words: list[str]) -> str:
    """`<id>`, `<variable>=<value>`, `all`, `non_moderator` or `last` (the one with the highest id)."""
    function = commands.FOR_MEMBERS[name]
    target, data = (*words, "", "")[:2]
    if (target.isdigit() and int(target)) or "=" in target:
        member = find_member(found, target)
        if member is None:
            return "-ERR Non-Existant member\n" if "=" in target else f"-ERR Non-Existant ID {target}\n"
        return function(found, member, data)
    if target.lower() == "last" and found.members:
        return function(found, max(found.members, key=_by_id), data)
    if target.lower() == "all":
        return "".join(function(found, member, data) for member in tuple(found.members))
    if target.lower() == "non_moderator":
        return "".join(
            f"Skipping moderator (member id {member.member_id}).\n"
            if member.moderator
            else function(found, member, data)
            for member in tuple(found.members)
        )
    return _usage(name)


def _by_id(member: Member) -> int:
    return member.member_id


def _usage(name: str) -> str:
    return f"{name} {CONFERENCE_COMMANDS[name]}"
