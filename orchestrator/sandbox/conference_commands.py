"""The subcommands of `conference`, with the real ones' replies and events (conference_api_sub_* of conference_api.c).

A row for each in one of two tables; None asks for the usage line, which recorded.json has. Those that the real one has
and these tables lack are refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from orchestrator.sandbox import conference_record
from orchestrator.sandbox.conference import Conference
from orchestrator.sandbox.conference_files import play, play_status, start_member_file, stop
from orchestrator.sandbox.member import Member
from orchestrator.sandbox.not_simulated import NotSimulated
from orchestrator.sandbox.switch_strings import atoi

# --- for members: called once for each, `data` is the word after the target ------------------------------------------


@dataclass(frozen=True, slots=True)
class _Flag:
    """A row for a command that sets or clears one flag of a member."""

    verb: str
    flag: str
    value: bool

    def __call__(self, conference: Conference, member: Member, data: str) -> str:
        setattr(member, self.flag, self.value)
        talk = conference.talk
        if not member.is_heard:
            talk.silence(member)
        conference.fire(f"{self.verb}-member", member)
        if member.is_heard:
            talk.expect(member)
        return f"+OK {self.verb} {member.member_id}\n"


@dataclass(frozen=True, slots=True)
class _Level:
    """A row for a command that shows or sets a number of a member; `up` and `down` are steps."""

    level: str
    reply: str
    event: str
    header: str
    lowest: int
    highest: int
    step: int

    def __call__(self, conference: Conference, member: Member, data: str) -> str:
        if data:
            former = int(getattr(member, self.level))
            value = {"up": former + self.step, "down": former - self.step}.get(data.lower(), atoi(data))
            setattr(member, self.level, max(self.lowest, min(self.highest, value)))
        value = getattr(member, self.level)
        if data:
            conference.fire(self.event, member, {self.header: str(value)})
        return self.reply.format(member.member_id, value)


_MUTE, _UNMUTE = _Flag("mute", "can_speak", False), _Flag("unmute", "can_speak", True)
_HOLD, _UNHOLD = _Flag("hold", "hold", True), _Flag("unhold", "hold", False)


def _tmute(conference: Conference, member: Member, data: str) -> str:
    return (_MUTE if member.can_speak else _UNMUTE)(conference, member, data)


def _hold(conference: Conference, member: Member, data: str) -> str:
    """A file that cannot be opened is not complained about: the member is on hold without music.

    No play-file-member event comes for it, and a play-file-member-done one does. It queues behind what plays already.
    """
    if data:
        start_member_file(conference, member, data, nomux=True)
    return _HOLD(conference, member, data)


def _unhold(conference: Conference, member: Member, data: str) -> str:
    """Everything that plays to the member ends, not only the music; the done events come a frame later."""
    member.files.stop()
    return _UNHOLD(conference, member, data)


def _kick(conference: Conference, member: Member, data: str) -> str:
    """Out of the conference; the call ends because its applications do."""
    if data:
        raise NotSimulated("conference kick with a sound")
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


# --- for the conference -----------------------------------------------------------------------------------------------


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


def _getvar(conference: Conference, words: list[str]) -> str | None:
    return conference.variables.get(words[0], "") if words else None


def _setvar(conference: Conference, words: list[str]) -> str | None:
    """The variable is a header of every later event of the conference, under its bare name."""
    if len(words) != 2:
        return None
    conference.variables[words[0]] = words[1]
    return "+OK\n"


FOR_MEMBERS: dict[str, Callable[[Conference, Member, str], str]] = {
    "deaf": _Flag("deaf", "can_hear", False),
    "dtmf": _dtmf,
    "energy": _Level("energy", "Energy {} = {}\n", "energy-level-member", "Energy-Level", 0, 1800, 200),
    "get-uuid": _get_uuid,
    "hold": _hold,
    "hup": _hup,
    "kick": _kick,
    "mute": _MUTE,
    "tmute": _tmute,
    "undeaf": _Flag("undeaf", "can_hear", True),
    "unhold": _unhold,
    "unmute": _UNMUTE,
    "volume_in": _Level("volume_in", "+OK Volume IN {} = {}\n", "volume-in-member", "Volume-Level", -4, 4, 1),
    "volume_out": _Level("volume_out", "+OK Volume OUT {} = {}\n", "volume-out-member", "Volume-Level", -4, 4, 1),
}

FOR_CONFERENCE: dict[str, Callable[[Conference, list[str]], str | None]] = {
    "chkrecord": conference_record.check,
    "getvar": _getvar,
    "lock": _lock,
    "norecord": conference_record.norecord,
    "pause": conference_record.pause,
    "play": play,
    "play_status": play_status,
    "record": conference_record.record,
    "recording": conference_record.recording,
    "resume": conference_record.resume,
    "setvar": _setvar,
    "stop": stop,
    "transfer": _transfer,
    "unlock": _unlock,
}
