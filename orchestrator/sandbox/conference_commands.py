"""The subcommands of `conference`, one small function each, with the real ones' replies and events.

conference_api_sub_* of conference_api.c. To add one: write a function, and give it a row in the table for its kind.
"""

from __future__ import annotations

from collections.abc import Callable

from orchestrator.sandbox.conference import Conference, Member
from orchestrator.sandbox.conference_files import PLAY_USAGE, play, stop, stop_member_files
from orchestrator.sandbox.conference_files import start_member_file as start_file

# --- for members: called once for each, `data` is the word after the target ------------------------------------------


def _mute(conference: Conference, member: Member, data: str) -> str:
    member.can_speak = member.talking = False
    conference.fire("mute-member", member)
    return f"+OK mute {member.member_id}\n"


def _unmute(conference: Conference, member: Member, data: str) -> str:
    member.can_speak = True
    conference.fire("unmute-member", member)
    conference.expect_talk(member)
    return f"+OK unmute {member.member_id}\n"


def _tmute(conference: Conference, member: Member, data: str) -> str:
    return (_mute if member.can_speak else _unmute)(conference, member, data)


def _deaf(conference: Conference, member: Member, data: str) -> str:
    member.can_hear = False
    conference.fire("deaf-member", member)
    return f"+OK deaf {member.member_id}\n"


def _undeaf(conference: Conference, member: Member, data: str) -> str:
    member.can_hear = True
    conference.fire("undeaf-member", member)
    return f"+OK undeaf {member.member_id}\n"


def _hold(conference: Conference, member: Member, data: str) -> str:
    """A file that cannot be opened is not complained about: the member is on hold without music."""
    member.talking = False
    member.hold = True
    if data:
        start_file(conference, member, data)
    conference.fire("hold-member", member)
    return f"+OK hold {member.member_id}\n"


def _unhold(conference: Conference, member: Member, data: str) -> str:
    member.hold = False
    stop_member_files(conference, member)
    conference.fire("unhold-member", member)
    conference.expect_talk(member)
    return f"+OK unhold {member.member_id}\n"


def _kick(conference: Conference, member: Member, data: str) -> str:
    """Out of the conference; the call ends because its applications do."""
    member.stopped.set()
    conference.fire("kick-member", member)
    return f"+OK kicked {member.member_id}\n"


def _hup(conference: Conference, member: Member, data: str) -> str:
    member.stopped.set()
    conference.fire("hup-member", member)
    return f"+OK hup {member.member_id}\n"


def _dtmf(conference: Conference, member: Member, data: str) -> str:
    if not data:
        return "-ERR Invalid input!\n"
    conference.fire("dtmf-member", member, {"Digits": data})
    return f"+OK sent {data} to {member.member_id}\n"


def _get_uuid(conference: Conference, member: Member, data: str) -> str:
    return member.channel.channel_uuid


# --- for the conference: None asks for the usage line -----------------------------------------------------------------


def _lock(conference: Conference, words: list[str]) -> str:
    conference.locked = True
    conference.fire("lock")
    return f"+OK {conference.name} locked\n"


def _unlock(conference: Conference, words: list[str]) -> str:
    conference.locked = False
    conference.fire("unlock")
    return f"+OK {conference.name} unlocked\n"


def _relate(conference: Conference, words: list[str]) -> str | None:
    """`relate <ids> <ids> nospeak|nohear|clear`; with one word or none it lists."""
    ones, others, action = (*words, "", "", "")[:3]
    if not action:
        return _list_relationships(conference, words)
    pairs = [(one, other) for one in _ids(ones) for other in _ids(others)]
    if action.lower() == "clear":
        return "".join(_clear_relationship(conference, one, other) for one, other in pairs)
    if "nospeak" in action or "nohear" in action:
        return "".join(_set_relationship(conference, one, other, action) for one, other in pairs)
    return None


def _list_relationships(conference: Conference, words: list[str]) -> str:
    if not any(member.relationships for member in conference.members):
        return "+OK No relationships\n"
    wanted = [conference.member(member_id) for member_id in _ids(words[0])] if words else []
    return "".join(
        f"{member.member_id} -> {other} {'SPEAK' if speak else 'NOSPEAK'} {'HEAR' if hear else 'NOHEAR'} NOSENDVIDEO \n"
        for member in wanted
        if member is not None
        for other, (speak, hear) in member.relationships.items()
    )


def _set_relationship(conference: Conference, one: int, other: int, action: str) -> str:
    member = conference.member(one)
    if member is None or conference.member(other) is None:
        return f"-ERR relationship {one}->{other} not found.\n"
    member.relationships[other] = ("nospeak" not in action, "nohear" not in action)
    return f"+OK {one}->{other} {action} set\n"


def _clear_relationship(conference: Conference, one: int, other: int) -> str:
    member = conference.member(one)
    if member is None:
        return f"-ERR relationship {one}->{other} not found.\n"
    member.relationships.pop(other, None)
    return f"+OK relationship {one}->{other} cleared.\n"


def _transfer(conference: Conference, words: list[str]) -> str | None:
    """`transfer <name>[@profile] <id>…`: the call leaves this conference for another, on the same channel."""
    if not words[1:]:
        return None
    name, _, profile_name = words[0].partition("@")
    replies = ""
    for word in words[1:]:
        member = conference.member(_number(word))
        if member is None:
            replies += f"-ERR No Member {word} in conference {conference.name}.\n"
            continue
        names = {"Old-Conference-Name": conference.name, "New-Conference-Name": words[0]}
        conference.fire("transfer", member, names)
        session = conference.node.sessions[member.channel.channel_uuid]
        session.transfer(f"conference:{name}@{profile_name or 'default'}", "inline")
        replies += f"+OK Member '{member.member_id}' sent to conference {words[0]}.\n"
    return replies


def _ids(words: str) -> list[int]:
    return [_number(word) for word in words.split(",")]


def _number(word: str) -> int:
    return int(word) if word.isdigit() else 0


_TARGET = "<[member_id|all]|last|non_moderator>"
_TARGET_IN = "<[member_id|all|last|non_moderator]>"

FOR_MEMBERS: dict[str, tuple[Callable[[Conference, Member, str], str], str]] = {
    "deaf": (_deaf, _TARGET),
    "dtmf": (_dtmf, f"{_TARGET_IN} <digits>"),
    "get-uuid": (_get_uuid, "<member_id|last>"),
    "hold": (_hold, f"{_TARGET} [file]"),
    "hup": (_hup, _TARGET_IN),
    "kick": (_kick, f"{_TARGET_IN} [<optional sound file>]"),
    "mute": (_mute, f"{_TARGET} [<quiet>]"),
    "tmute": (_tmute, f"{_TARGET} [<quiet>]"),
    "undeaf": (_undeaf, _TARGET),
    "unhold": (_unhold, _TARGET),
    "unmute": (_unmute, f"{_TARGET} [<quiet>]"),
}

FOR_CONFERENCE: dict[str, tuple[Callable[[Conference, list[str]], str | None], str]] = {
    "lock": (_lock, ""),
    "play": (play, PLAY_USAGE),
    "relate": (
        _relate,
        "<member_id>[,<member_id>] <other_member_id>[,<other_member_id>] [nospeak|nohear|clear]",
    ),
    "stop": (stop, "<[current|all|async|last]> [<member_id>]"),
    "transfer": (_transfer, "<conference_name> <member id> [...<member id>]"),
    "unlock": (_unlock, ""),
}
