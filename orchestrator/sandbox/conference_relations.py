"""`relate`: who may not hear whom (conference_api_sub_relate and its helpers), as it was seen on the real one.

A relation is stored on the first of the two. Setting one again replaces it, clearing one that is not there is no error.
A member takes its own along when it leaves; what others have about its id stays listed, and only `clear` removes it.
"""

from __future__ import annotations

from orchestrator.sandbox.clock import FRAME_SECONDS
from orchestrator.sandbox.conference import Conference
from orchestrator.sandbox.member import Member, Relation
from orchestrator.sandbox.switch_strings import separate_string
from orchestrator.sandbox.teletone import atoi

RELATE_USAGE = "<member_id>[,<member_id>] <other_member_id>[,<other_member_id>] [nospeak|nohear|clear]"
_ACTIONS = ("nospeak", "nohear", "sendvideo")
# What is behind the hundredth id is lost, without an error.
_MAX_IDS = 100
_UNSIGNED = 0xFFFFFFFF


def relate(conference: Conference, words: list[str]) -> str | None:
    """`relate <ids> <ids> nospeak|nohear|clear`, one line for each pair; with one word it lists.

    The action is looked for in the third word: `nospeak,nohear` is both, and capital letters are known only of `clear`.
    """
    if len(words) < 2:
        return _list(conference, words)
    if len(words) == 2:
        return None
    ones, others, action = words[:3]
    pairs = [(one, other) for one in _ids(ones) for other in _ids(others)]
    if action.lower() == "clear":
        return "".join(_clear(conference, one, other) for one, other in pairs)
    if any(known in action for known in _ACTIONS):
        return "".join(_set(conference, one, other, action) for one, other in pairs)
    return None


def _list(conference: Conference, words: list[str]) -> str:
    """Without a word nothing at all, if there are any; 0, and what is no number, is every member. The newest first."""
    if not any(member.relations for member in conference.members):
        return "+OK No relationships\n"
    return "".join(
        _lines(member)
        for member_id in (_ids(words[0]) if words else [])
        for member in conference.members
        if member_id in (0, member.member_id)
    )


def _lines(member: Member) -> str:
    return "".join(
        f"{member.member_id} -> {other}"
        f" {'SPEAK' if relation.can_speak else 'NOSPEAK'}"
        f" {'HEAR' if relation.can_hear else 'NOHEAR'}"
        f" {'SENDVIDEO' if relation.can_send_video else 'NOSENDVIDEO'} \n"
        for other, relation in reversed(member.relations.items())
    )


def _set(conference: Conference, one: int, other: int, action: str) -> str:
    """Both must be there. After `nospeak` the member starts talking once more, and keeps the floor meanwhile."""
    member = conference.member(one)
    if member is None or conference.member(other) is None:
        return f"-ERR relationship {one}->{other} not found.\n"
    member.relations[other] = Relation("nospeak" not in action, "nohear" not in action, "sendvideo" in action)
    if "nospeak" in action:
        member.talking = False
        conference.talk.expect(member, FRAME_SECONDS)
    return f"+OK {one}->{other} {action} set\n"


def _clear(conference: Conference, one: int, other: int) -> str:
    """Only the first must be there; 0 clears all that it has."""
    member = conference.member(one)
    if member is None:
        return f"-ERR relationship {one}->{other} not found.\n"
    if other:
        member.relations.pop(other, None)
    else:
        member.relations.clear()
    return f"+OK relationship {one}->{other} cleared.\n"


def _ids(words: str) -> list[int]:
    return [atoi(word) & _UNSIGNED for word in separate_string(words, ",", _MAX_IDS)]
