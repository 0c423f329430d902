"""The subcommands of `conference`, one small function each, with the real ones' replies and events.

conference_api_sub_* of conference_api.c. To add one: write a function, and give it a row in the table for its kind.
"""

from __future__ import annotations

from collections.abc import Callable

from orchestrator.sandbox import conference_record
from orchestrator.sandbox.conference import Conference
from orchestrator.sandbox.conference_files import (
    PLAY_STATUS_USAGE,
    PLAY_USAGE,
    STOP_USAGE,
    play,
    play_status,
    start_member_file,
    stop,
)
from orchestrator.sandbox.member import Member

# --- for members: called once for each, `data` is the word after the target ------------------------------------------


def _mute(conference: Conference, member: Member, data: str) -> str:
    member.can_speak = False
    conference.talk.silence(member)
    conference.fire("mute-member", member)
    return f"+OK mute {member.member_id}\n"


def _unmute(conference: Conference, member: Member, data: str) -> str:
    member.can_speak = True
    conference.fire("unmute-member", member)
    conference.talk.expect(member)
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
    """A file that cannot be opened is not complained about: the member is on hold without music.

    No play-file-member event comes for it, and a play-file-member-done one does. It queues behind what plays already.
    """
    member.hold = True
    conference.talk.silence(member)
    if data:
        start_member_file(conference, member, data, nomux=True)
    conference.fire("hold-member", member)
    return f"+OK hold {member.member_id}\n"


def _unhold(conference: Conference, member: Member, data: str) -> str:
    """Everything that plays to the member ends, not only the music; the done events come a frame later."""
    member.hold = False
    member.files.stop()
    conference.fire("unhold-member", member)
    conference.talk.expect(member)
    return f"+OK unhold {member.member_id}\n"


def _kick(conference: Conference, member: Member, data: str) -> str:
    """Out of the conference; the call ends because its applications do."""
    member.kicked = True
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
    "chkrecord": (conference_record.check, conference_record.CHECK_USAGE),
    "lock": (_lock, ""),
    "norecord": (conference_record.norecord, conference_record.NORECORD_USAGE),
    "pause": (conference_record.pause, conference_record.PAUSE_USAGE),
    "play": (play, PLAY_USAGE),
    "play_status": (play_status, PLAY_STATUS_USAGE),
    "record": (conference_record.record, conference_record.RECORD_USAGE),
    "recording": (conference_record.recording, conference_record.RECORDING_USAGE),
    "resume": (conference_record.resume, conference_record.PAUSE_USAGE),
    "stop": (stop, STOP_USAGE),
    "transfer": (_transfer, "<conference_name> <member id> [...<member id>]"),
    "unlock": (_unlock, ""),
}
