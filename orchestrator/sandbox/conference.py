"""A conference and its members (mod_conference: mod_conference.c, conference_member.c, conference_event.c).

Nothing is mixed. The order of events is the real one's: a member notices within one frame that it is to leave, and the
conference's own thread notices within one more that it is to end.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import gevent
from gevent.event import Event as Signal

from orchestrator.sandbox.causes import NORMAL_CLEARING
from orchestrator.sandbox.channel import Channel
from orchestrator.sandbox.events import CONFERENCE_MAINTENANCE, CUSTOM
from orchestrator.sandbox.switch_strings import separate_string

if TYPE_CHECKING:
    from orchestrator.sandbox.node import Node

FRAME_SECONDS = 0.02
# How long after it has joined, or was unmuted, conference_loop.c notices that a phone talks.
TALK_DETECTION_SECONDS = 0.05
NO_MEMBER = 0


@dataclass(slots=True, eq=False)
class Member:
    """conference_member_t. `stopped` is MFLAG_RUNNING cleared: kicked, hung up by the conference, or transferred."""

    member_id: int
    channel: Channel
    can_speak: bool = True
    can_hear: bool = True
    hold: bool = False
    talking: bool = False
    moderator: bool = False
    ghost: bool = False
    endconf: bool = False
    mandatory_endconf: bool = False
    joined_at: int = field(default_factory=lambda: int(time.time()))
    last_talking_at: int | None = None
    relationships: dict[int, tuple[bool, bool]] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    stopped: Signal = field(default_factory=Signal)

    def set_flags(self, text: str) -> None:
        """conference_utils_set_mflags: words between `|`; unknown ones are ignored."""
        words = {word.lower() for word in separate_string(text.replace(",", "|"), "|", 10)}
        self.can_speak = "mute" not in words
        self.can_hear = "deaf" not in words
        self.moderator = "moderator" in words
        self.ghost = "ghost" in words
        self.endconf = "endconf" in words
        self.mandatory_endconf = "mandatory_member_endconf" in words


@dataclass(slots=True, eq=False)
class Conference:
    """conference_obj_t. Members are listed newest first, as the real one lists them."""

    node: Node
    name: str
    profile_name: str
    conference_uuid: str = field(default_factory=lambda: str(uuid.uuid4()))
    members: list[Member] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    started_at: int = field(default_factory=lambda: int(time.time()))
    locked: bool = False
    enforce_min: bool = False
    floor_holder: int = NO_MEMBER
    ending: Signal = field(default_factory=Signal)
    empty: Signal = field(default_factory=Signal)

    @property
    def count(self) -> int:
        """How many are in it, ghosts not counted."""
        return sum(not member.ghost for member in self.members)

    @property
    def ghost_count(self) -> int:
        """How many are in it and not counted."""
        return sum(member.ghost for member in self.members)

    def member(self, member_id: int) -> Member | None:
        """conference_member_get."""
        return next((member for member in self.members if member.member_id == member_id), None)

    # --- what its events say -------------------------------------------------------------------------------------

    def fire(self, action: str, member: Member | None = None, extra: dict[str, str] | None = None) -> None:
        """One conference::maintenance event (conference_event_add_data, conference_member_add_event_data)."""
        headers = {
            "Conference-Name": self.name,
            "Conference-Domain": "sandbox",
            "Conference-Size": str(self.count),
            "Conference-Ghosts": str(self.ghost_count),
            "Conference-Profile-Name": self.profile_name,
            "Conference-Unique-ID": self.conference_uuid,
            **self.variables,
        }
        if member is not None:
            headers |= self._member_headers(member)
        self.node.fire(CUSTOM, headers | {"Action": action} | (extra or {}), CONFERENCE_MAINTENANCE)

    def _member_headers(self, member: Member) -> dict[str, str]:
        return (
            {"Floor": _truth(member.member_id == self.floor_holder)}
            | member.channel.basic_headers()
            | {
                "Video": "false",
                "Hear": _truth(member.can_hear),
                "See": "true",
                "Speak": _truth(member.can_speak),
                "Talking": _truth(member.talking),
                "Mute-Detect": "false",
                "Hold": _truth(member.hold),
                "Member-ID": str(member.member_id),
                "Member-Type": "moderator" if member.moderator else "member",
                "Member-Ghost": _truth(member.ghost),
                "Energy-Level": "100",
                "Current-Energy": "0",
            }
        )

    # --- its thread ----------------------------------------------------------------------------------------------

    def create(self) -> None:
        """conference_new: announced before anybody is in it."""
        self.fire("conference-create")
        self.node.spawn(self._run)

    def _run(self) -> None:
        """conference_thread_run: wait for the end, put everybody out, and say so when the last has left."""
        self.ending.wait()
        gevent.sleep(FRAME_SECONDS)
        for member in self.members:
            member.channel.hang_up(NORMAL_CLEARING)
            member.stopped.set()
        self.node.forget_conference(self)
        if self.members:
            self.empty.wait()
            gevent.sleep(FRAME_SECONDS / 2)
        self.fire("conference-destroy")

    # --- members come and go -------------------------------------------------------------------------------------

    def add(self, member: Member) -> None:
        """conference_member_add."""
        self.members.insert(0, member)
        self.empty.clear()
        self.enforce_min = True
        member.channel.variables |= {
            "conference_name": self.name,
            "app_session_uuid": self.conference_uuid,
            "conference_member_id": str(member.member_id),
            "conference_moderator": _truth(member.moderator),
            "conference_ghost": _truth(member.ghost),
            "conference_uuid": self.conference_uuid,
        }
        self.fire("add-member", member)
        self.node.spawn_later(FRAME_SECONDS, self._give_floor)
        self.expect_talk(member)

    def remove(self, member: Member) -> None:
        """conference_member_del: the floor first, then del-member. A member with `endconf` ends the conference."""
        mandatory_before = any(other.mandatory_endconf for other in self.members)
        self.members.remove(member)
        if member.member_id == self.floor_holder:
            self.floor_holder = NO_MEMBER
            self.fire("floor-change", extra={"Old-ID": "none", "New-ID": "none"})
            self.node.spawn_later(FRAME_SECONDS, self._give_floor)
        self.fire("del-member", member)
        last_mandatory_left = mandatory_before and not any(other.mandatory_endconf for other in self.members)
        if not self.members or member.endconf or last_mandatory_left:
            self.ending.set()
        if not self.members:
            self.empty.set()

    def seconds_to_notice(self, member: Member) -> float:
        """Each member's thread looks up once a frame; who came first was seen to be the first to leave."""
        rank = len(self.members) - self.members.index(member)
        return FRAME_SECONDS * rank / len(self.members)

    def expect_talk(self, member: Member) -> None:
        """The scripted phones talk without a pause; the conference notices after a while, unless they are muted."""
        self.node.spawn_later(TALK_DETECTION_SECONDS, self._notice_talk, member)

    def _notice_talk(self, member: Member) -> None:
        if member not in self.members or member.talking or member.hold or not member.can_speak:
            return
        member.talking = True
        member.last_talking_at = int(time.time())
        self.fire("start-talking", member)

    def _give_floor(self) -> None:
        """The conference thread gives a free floor away, to a muted member too."""
        if self.floor_holder != NO_MEMBER or self.ending.is_set():
            return
        speaker = next((member for member in reversed(self.members) if not member.hold), None)
        if speaker is None:
            return
        self.floor_holder = speaker.member_id
        self.fire("floor-change", speaker, {"Old-ID": "none", "New-ID": str(speaker.member_id)})


def _truth(value: bool) -> str:
    return "true" if value else "false"
