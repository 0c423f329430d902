"""A conference (mod_conference: mod_conference.c, conference_member.c, conference_event.c).

Nothing is mixed. The order of events is the real one's: a member notices within one frame that it is to leave, and the
conference's own thread notices within one more that it is to end.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import gevent
from gevent.event import Event as Signal

from orchestrator.sandbox.causes import NORMAL_CLEARING
from orchestrator.sandbox.clock import FRAME_SECONDS
from orchestrator.sandbox.events import CONFERENCE_MAINTENANCE, CUSTOM
from orchestrator.sandbox.file_queue import FileQueue, Playing
from orchestrator.sandbox.http_cache import HttpCache
from orchestrator.sandbox.member import Member, may_hear
from orchestrator.sandbox.readers import Readers
from orchestrator.sandbox.recording import SILENCE, Recording, Tones
from orchestrator.sandbox.talk import Talk

# A member's own thread is a frame behind the conference's, more or less: 320 to 340 ms for a file of 300.
_MEMBER_FILE_LAG_SECONDS = 1.5 * FRAME_SECONDS
# Of two that end in the same frame the async one is closed first.
_ASYNC_FILE_LAG_SECONDS = 0.9 * FRAME_SECONDS
_DOMAIN = "cluecon.com"
PROFILES = frozenset({"orchestrator"})
"""freeswitch-conf/autoload_configs/conference.conf.xml"""
NO_PROFILE = "none"


class Leg(Protocol):
    """What a conference needs of a member's session."""

    def says(self) -> Tones:
        """Return the tones that are said into it now."""

    def transfer(self, extension: str, dialplan: str) -> None:
        """Send the call elsewhere."""


class ConferenceHost(Protocol):
    """What a conference needs of its node."""

    http_cache: HttpCache

    @property
    def sessions(self) -> Mapping[str, Leg]:
        """Return the sessions by channel UUID."""

    def fire(self, name: str, headers: dict[str, str], subclass: str | None = None) -> None:
        """Fire an event."""

    def spawn(self, function: Callable[..., None], *arguments: object) -> object:
        """Start a greenlet."""

    def spawn_later(
        self, seconds: float, function: Callable[..., None], *arguments: object
    ) -> gevent.Greenlet[..., object]:
        """Start a greenlet later."""

    def forget_conference(self, conference: Conference) -> None:
        """Forget a conference by its name."""


@dataclass(slots=True, eq=False)
class Conference:
    """conference_obj_t. Members are listed newest first, as the real one lists them."""

    node: ConferenceHost
    name: str
    profile_name: str
    conference_uuid: str = field(default_factory=lambda: str(uuid.uuid4()))
    members: list[Member] = field(default_factory=list)
    count: int = 0
    ghost_count: int = 0
    variables: dict[str, str] = field(default_factory=dict)
    files: FileQueue = field(default_factory=FileQueue)
    async_files: FileQueue = field(default_factory=FileQueue)
    recordings: list[Recording] = field(default_factory=list)
    listed_recordings: list[Recording] = field(default_factory=list)
    readers: Readers = field(default_factory=Readers)
    started_at: int = field(default_factory=lambda: int(time.time()))
    locked: bool = False
    enforce_min: bool = False
    ending: Signal = field(default_factory=Signal)
    empty: Signal = field(default_factory=Signal)
    talk: Talk = field(init=False)
    _by_id: dict[int, Member] = field(default_factory=dict)
    _mandatory_count: int = 0

    def __post_init__(self) -> None:
        """Its own threads."""
        self.talk = Talk(self, self.node.spawn_later)

    @property
    def floor_holder(self) -> int:
        """Return the member whose picture would be shown, or 0."""
        return self.talk.floor_holder

    def member(self, member_id: int) -> Member | None:
        """conference_member_get: one that was kicked, or is hung up, is not found though it is still there."""
        member = self._by_id.get(member_id)
        if member is None or member.kicked or member.channel.hung_up.is_set():
            return None
        return member

    def tones(self) -> Tones:
        """Return the tones that a recording of the conference has now."""
        return SILENCE.union(*(self._says(member) for member in self.members if member.can_speak and not member.hold))

    def heard_by(self, listener: Member) -> Tones:
        """Return the tones that this member hears of the others now."""
        return SILENCE.union(*(self._says(member) for member in self.members if may_hear(listener, member)))

    def _says(self, member: Member) -> Tones:
        session = self.node.sessions.get(member.channel.channel_uuid)
        return SILENCE if session is None else session.says()

    # --- what its events say -------------------------------------------------------------------------------------

    def fire(self, action: str, member: Member | None = None, extra: dict[str, str] | None = None) -> None:
        """One conference::maintenance event (conference_event_add_data, conference_member_add_event_data)."""
        self.send(self.headers(member) | {"Action": action} | (extra or {}))

    def send(self, headers: dict[str, str]) -> None:
        """One conference::maintenance event with just these headers."""
        self.node.fire(CUSTOM, headers, CONFERENCE_MAINTENANCE)

    def headers(self, member: Member | None = None) -> dict[str, str]:
        """Return what the conference's events say of it, and of a member."""
        headers = {
            "Conference-Name": self.name,
            "Conference-Domain": _DOMAIN,
            "Conference-Size": str(self.count),
            "Conference-Ghosts": str(self.ghost_count),
            "Conference-Profile-Name": self.profile_name,
            "Conference-Unique-ID": self.conference_uuid,
            **self.variables,
        }
        return headers if member is None else headers | self._member_headers(member)

    def _member_headers(self, member: Member) -> dict[str, str]:
        return (
            {"Floor": truth(member.member_id == self.floor_holder)}
            | member.channel.basic_headers()
            | {
                "Video": "false",
                "Hear": truth(member.can_hear),
                "See": "true",
                "Speak": truth(member.can_speak),
                "Talking": truth(member.talking),
                "Mute-Detect": "false",
                "Hold": truth(member.hold),
                "Member-ID": str(member.member_id),
                "Member-Type": "moderator" if member.moderator else "member",
                "Member-Ghost": truth(member.ghost),
                "Energy-Level": str(member.energy),
                "Current-Energy": "0",
            }
        )

    def announce_done(self, playing: Playing, member: Member | None = None) -> None:
        """conference_file_close. Of a member that is leaving nothing is said any more, not even its id."""
        headers = self.headers() | playing.headers() | playing.sound.parameters
        headers["Action"] = "play-file-done" if member is None else "play-file-member-done"
        if member is not None and self.member(member.member_id) is member:
            headers |= self.headers(member)
        headers["File"] = playing.sound.file
        if playing.is_async:
            headers["Async"] = "true"
        self.send(headers)

    # --- its thread ----------------------------------------------------------------------------------------------

    def create(self) -> None:
        """conference_new: announced before anybody is in it."""
        self.files.attach(self.node.spawn_later, self.announce_done)
        self.async_files.attach(self.node.spawn_later, self.announce_done, _ASYNC_FILE_LAG_SECONDS)
        self.fire("conference-create")
        self.node.spawn(self._run)

    def _run(self) -> None:
        """conference_thread_run: wait for the end, put everybody out, and say so when the last has left.

        Files are closed before the others' del-member; a command that is at work keeps it from being destroyed.
        """
        self.ending.wait()
        gevent.sleep(FRAME_SECONDS)
        for member in self.members:
            member.channel.hang_up(NORMAL_CLEARING)
            member.stopped.set()
        self.node.forget_conference(self)
        self.files.close()
        self.async_files.close()
        if self.members:
            self.empty.wait()
            gevent.sleep(FRAME_SECONDS / 2)
        self.readers.wait()
        self.fire("conference-destroy")

    # --- members come and go -------------------------------------------------------------------------------------

    def add(self, member: Member) -> None:
        """conference_member_add."""
        self.members.insert(0, member)
        self._by_id[member.member_id] = member
        self._count(member, 1)
        self.empty.clear()
        self.enforce_min = True
        member.files.attach(
            self.node.spawn_later, lambda playing: self.announce_done(playing, member), _MEMBER_FILE_LAG_SECONDS
        )
        member.channel.variables |= {
            "conference_name": self.name,
            "app_session_uuid": self.conference_uuid,
            "conference_member_id": str(member.member_id),
            "conference_moderator": truth(member.moderator),
            "conference_ghost": truth(member.ghost),
            "conference_uuid": self.conference_uuid,
            "conference_call_key": f"conference_{self.name}_{_DOMAIN}_{member.channel.profile.caller_number}",
        }
        self.fire("add-member", member)
        self.talk.joined(member)

    def remove(self, member: Member) -> None:
        """conference_member_del: its files, the floor, del-member. A member with `endconf` ends the conference."""
        self.members.remove(member)
        del self._by_id[member.member_id]
        del member.channel.variables["conference_call_key"]
        member.files.close()
        self.talk.left(member)
        self._count(member, -1)
        self.fire("del-member", member)
        last_mandatory_left = member.mandatory_endconf and not self._mandatory_count
        if not self.members or member.endconf or last_mandatory_left:
            self.ending.set()
        if not self.members:
            self.empty.set()

    def _count(self, member: Member, one: int) -> None:
        if member.ghost:
            self.ghost_count += one
        else:
            self.count += one
        if member.mandatory_endconf:
            self._mandatory_count += one

    def seconds_to_notice(self, member: Member) -> float:
        """Each member's thread looks up once a frame; who came first was seen to be the first to leave."""
        rank = len(self.members) - self.members.index(member)
        return FRAME_SECONDS * rank / len(self.members)


def truth(value: bool) -> str:
    """`true` or `false`, as events have it."""
    return "true" if value else "false"
