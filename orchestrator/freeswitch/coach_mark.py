"""A coach is a muted member, and marked: commands that tell a coach's mute from a client's, and how late ones do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from orchestrator.domain.conference import Participant
from orchestrator.freeswitch.commands import MuteMember, SwitchCommand

COACH_VARIABLE: Final = "presence_id"
"""Channel variable that every event of a conference's member repeats (Channel-Presence-ID): so each says whether it is
a coach who was muted, whom the mixer has to leave out, or somebody who shall be."""

COACH_MARK: Final = "orchestrator-coach"


@dataclass(frozen=True, slots=True)
class MarkCoach:
    """Mark a leg as a coach's: its mute is ours from now on, and says nothing of what a client wants; or unmark it."""

    channel_uuid: str
    coaching: bool

    def render(self) -> str:
        """Without a value the variable is unset."""
        return f"uuid_setvar {self.channel_uuid} {COACH_VARIABLE} {COACH_MARK if self.coaching else ''}".rstrip()


@dataclass(frozen=True, slots=True)
class ReadCoachMark:
    """Read the mark of a leg: COACH_MARK for a coach."""

    channel_uuid: str

    def render(self) -> str:
        """`_undef_` for others."""
        return f"uuid_getvar {self.channel_uuid} {COACH_VARIABLE}"


@dataclass(frozen=True, slots=True)
class MuteIfMember:
    """Mute or unmute a leg that may have joined without our having heard of it; nothing happens to one that has not."""

    channel_uuid: str
    conference_sid: str
    muted: bool

    def render(self) -> str:
        """The switch puts in the member's number: mod_commands.c, expand_function."""
        mute, member_id = "mute" if self.muted else "unmute", "${variable_conference_member_id}"
        return f"expand uuid:{self.channel_uuid} conference {self.conference_sid} {mute} {member_id}"


@dataclass(frozen=True, slots=True)
class UnmuteUnlessCoach:
    """Let everybody hear the member again; but if it is marked as a coach when this arrives, however late, it is
    muted."""

    channel_uuid: str
    conference_sid: str
    member_id: int

    def render(self) -> str:
        """The switch chooses the word: mod_commands.c, expand_function and cond_function."""
        word = f"${{cond('${{variable_{COACH_VARIABLE}}}' == '{COACH_MARK}' ? mute : unmute)}}"
        return f"expand uuid:{self.channel_uuid} conference {self.conference_sid} {word} {self.member_id}"


def muting_of(participant: Participant, member_id: int, muted: bool) -> SwitchCommand:
    """Return the command for what a client wants of somebody who is no coach, or was none when we looked."""
    if muted:
        return MuteMember(participant.conference_sid, member_id, True)
    return UnmuteUnlessCoach(participant.switch.channel_uuid, participant.conference_sid, member_id)
