"""`conference list`, `count` and `json_list` (conference_list, conference_jlist of mod_conference.c)."""

from __future__ import annotations

import json
import time
from operator import itemgetter
from typing import Any

from orchestrator.sandbox.conference import Conference
from orchestrator.sandbox.member import Member
from orchestrator.sandbox.node import Node
from orchestrator.sandbox.recording import Recording

Conferences = tuple[Conference, ...]
# The first word where the command named one conference.
OF_ONE = "of one"


def count(node: Node, conferences: Conferences, words: list[str]) -> str:
    """Return how many conferences there are, or, for one, how many are in it."""
    return str(conferences[0].count) if _of_one(words) else str(len(conferences))


def json_list(node: Node, conferences: Conferences, words: list[str]) -> str:
    """An array, `[]` if there is none. cJSON indents with tabs unless told `compact`; JSON readers do not care."""
    listed = [_conference(conference) for conference in conferences]
    return json.dumps(listed, ensure_ascii=False, separators=(",", ":" if "compact" in words else ":\t"))


def list_members(node: Node, conferences: Conferences, words: list[str]) -> str:
    """One line for each member, behind one for each conference unless one was named."""
    options = words[1:] if _of_one(words) else words
    if options[:1] in (["pretty"], ["delim"]):
        return node.refuse(f"conference list {options[0]}")
    if _of_one(words):
        return str(conferences[0].count) if options == ["count"] else _member_lines(conferences[0])
    if not conferences:
        return "+OK No active conferences.\n"
    lines = ""
    for conference in conferences:
        lines += _summary_line(conference)
        lines += "" if options == ["summary"] else _member_lines(conference)
    return lines


def _of_one(words: list[str]) -> bool:
    return words[:1] == [OF_ONE]


def _summary_line(conference: Conference) -> str:
    flags = ["locked"] if conference.locked else []
    flags += ["running", "answered"]
    flags += ["enforce_min"] if conference.enforce_min else []
    flags += ["dynamic", "exit_sound", "enter_sound"]
    flags += ["recording"] if conference.recordings else []
    flags += ["json_status"]
    members = f"{conference.count} member{'' if conference.count == 1 else 's'}"
    locked = " locked" if conference.locked else ""
    return f"+OK Conference {conference.name} ({members} rate: 8000{locked} flags: {'|'.join(flags)})\n"


def _member_lines(conference: Conference) -> str:
    return "".join(_member_line(conference, member) for member in conference.members)


def _member_line(conference: Conference, member: Member) -> str:
    flags = {
        "hear": member.can_hear and not member.hold,
        "speak": member.can_speak and not member.hold,
        "talking": member.talking and not member.hold,
        "hold": member.hold,
        "floor": member.member_id == conference.floor_holder,
        "moderator": member.moderator,
        "ghost": member.ghost,
    }
    profile = member.channel.profile
    parts = (
        str(member.member_id),
        member.channel.name,
        member.channel.channel_uuid,
        profile.caller_name,
        profile.caller_number,
        "|".join(flag for flag, is_set in flags.items() if is_set),
        f"{member.volume_in};{member.volume_out};{member.energy}",
    )
    return ";".join(parts) + "\n"


def _conference(conference: Conference) -> dict[str, Any]:
    return {
        "conference_name": conference.name,
        "member_count": conference.count,
        "ghost_count": conference.ghost_count,
        "rate": 8000,
        "run_time": int(time.time()) - conference.started_at,
        "conference_uuid": conference.conference_uuid,
        "canvas_count": 0,
        "max_bw_in": 0,
        "force_bw_in": 0,
        "video_floor_packets": 0,
        "locked": conference.locked,
        "destruct": conference.ending.is_set(),
        "wait_mod": False,
        "audio_always": False,
        "running": True,
        "answered": True,
        "enforce_min": conference.enforce_min,
        "bridge_to": False,
        "dynamic": True,
        "exit_sound": True,
        "enter_sound": True,
        "recording": bool(conference.recordings),
        "video_bridge": False,
        "video_floor_only": False,
        "video_rfc4579": False,
        "variables": conference.variables,
        "members": _nodes(conference),
    }


def _nodes(conference: Conference) -> list[dict[str, Any]]:
    """Members and recordings, newest first."""
    nodes = [(recording.arrived, _recording(recording)) for recording in conference.recordings if recording.is_open]
    nodes += [(member.arrived, _member(conference, member)) for member in conference.members]
    return [node for _, node in sorted(nodes, key=itemgetter(0), reverse=True)]


def _recording(recording: Recording) -> dict[str, Any]:
    paused = {"status": "paused"} if recording.paused else {}
    return {"type": "recording_node"} | paused | {"record_path": recording.path, "join_time": recording.arrived_at}


def _member(conference: Conference, member: Member) -> dict[str, Any]:
    profile = member.channel.profile
    now = int(time.time())
    return {
        "type": "caller",
        "id": member.member_id,
        "flags": {
            "can_hear": member.can_hear and not member.hold,
            "can_see": not member.hold,
            "can_speak": member.can_speak and not member.hold,
            "hold": member.hold,
            "mute_detect": False,
            "talking": member.talking,
            "has_video": False,
            "video_bridge": False,
            "has_floor": member.member_id == conference.floor_holder,
            "is_moderator": member.moderator,
            "end_conference": member.endconf,
            "mandatory_member_end_conference": member.mandatory_endconf,
            "pass_digits": False,
        },
        "uuid": member.channel.channel_uuid,
        "caller_id_name": profile.caller_name,
        "caller_id_number": profile.caller_number,
        "join_time": now - member.joined_at,
        "last_talking": now - member.last_talking_at if member.last_talking_at else 0,
        "energy": member.energy,
        "volume_in": member.volume_in,
        "volume_out": member.volume_out,
        "output-volume": member.volume_out,
        "input-volume": member.volume_in,
    }
