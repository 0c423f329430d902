"""Who talks, and who has the floor (conference_loop_input of conference_loop.c, conference_thread_run).

The scripted phones play a tone without a pause, so all that is needed is a timer when a member may begin to be heard;
no member is ever looked at without a reason. Seen on the real one: start-talking comes 40 ms after add-member (half a
second only for the first call of a node's life, whose events are delivered late), 20 to 60 ms after unmute and unhold.
Neither mute nor hold, which clear the flag, fires stop-talking: only a phone that falls silent does, 40 frames later.
Leaving does not either.
"""

from __future__ import annotations

import time
from typing import Protocol

from gevent.event import Event as Signal

from orchestrator.sandbox.clock import FRAME_SECONDS
from orchestrator.sandbox.file_queue import SpawnLater
from orchestrator.sandbox.member import Member

AFTER_JOINING_SECONDS = 2 * FRAME_SECONDS
AFTER_UNMUTING_SECONDS = 3 * FRAME_SECONDS
HANGOVER_SECONDS = 40 * FRAME_SECONDS
NO_MEMBER = 0


class Room(Protocol):
    """What Talk needs of its conference."""

    members: list[Member]
    ending: Signal

    def member(self, member_id: int) -> Member | None:
        """Find a member that is there."""

    def fire(self, action: str, member: Member | None = None, extra: dict[str, str] | None = None) -> None:
        """Fire a conference's event."""


class Talk:
    """The talkers of one conference, and its floor.

    The real one lets every talker have a free floor in turn, in the same frame, before the oldest keeps it; here it
    goes to the oldest at once, or there would be a thousand events whenever one of a thousand leaves.
    """

    __slots__ = ("_conference", "_floor_is_due", "_spawn_later", "floor_holder")

    def __init__(self, conference: Room, spawn_later: SpawnLater) -> None:
        """Nobody has the floor."""
        self._conference = conference
        self._spawn_later = spawn_later
        self._floor_is_due = False
        self.floor_holder = NO_MEMBER

    # --- what happens to a member --------------------------------------------------------------------------------

    def joined(self, member: Member) -> None:
        """conference_member_add."""
        if self.floor_holder == NO_MEMBER:
            self._pass_floor_soon()
        self.expect(member, AFTER_JOINING_SECONDS)

    def left(self, member: Member) -> None:
        """conference_member_del: the floor is free first, and given away a frame later."""
        if member.member_id != self.floor_holder:
            return
        self.floor_holder = NO_MEMBER
        self._conference.fire("floor-change", extra={"Old-ID": "none", "New-ID": "none"})
        self._pass_floor_soon()

    def silence(self, member: Member) -> None:
        """Mute, hold: not a talker any more, without an event, and the floor goes to somebody who is one."""
        member.talking = False
        if member.member_id == self.floor_holder:
            self._pass_floor_soon()

    def expect(self, member: Member, seconds: float = AFTER_UNMUTING_SECONDS) -> None:
        """The phone talks all the time: it is noticed after a while, if nothing keeps it from being heard then."""
        if not member.talk_is_awaited:
            member.talk_is_awaited = True
            self._spawn_later(seconds, self._notice, member)

    def falls_quiet(self, member: Member) -> None:
        """The phone says nothing from now on; noticed after 40 frames, unless it was muted or held meanwhile."""
        member.quiet = True
        self._spawn_later(HANGOVER_SECONDS, self._notice_quiet, member)

    def speaks_again(self, member: Member) -> None:
        """The phone goes on."""
        member.quiet = False
        self.expect(member, AFTER_JOINING_SECONDS)

    # --- what is noticed -----------------------------------------------------------------------------------------

    def _notice(self, member: Member) -> None:
        member.talk_is_awaited = False
        conference = self._conference
        if member.talking or member.quiet or member.hold or not member.can_speak:
            return
        if conference.member(member.member_id) is not member or member.stopped.is_set():
            return
        member.talking = True
        member.last_talking_at = int(time.time())
        conference.fire("start-talking", member)
        holder = conference.member(self.floor_holder)
        if holder is not None and holder is not member and not holder.talking:
            self._pass_floor_soon()

    def _notice_quiet(self, member: Member) -> None:
        if not member.talking or not member.quiet or self._conference.member(member.member_id) is not member:
            return
        self.silence(member)
        self._conference.fire("stop-talking", member)

    # --- the floor -----------------------------------------------------------------------------------------------

    def _pass_floor_soon(self) -> None:
        if not self._floor_is_due:
            self._floor_is_due = True
            self._spawn_later(FRAME_SECONDS, self._pass_floor)

    def _pass_floor(self) -> None:
        """Pass the floor to the oldest talker, unless its holder talks; one that nobody holds goes to the newest member
        otherwise."""
        self._floor_is_due = False
        conference = self._conference
        holder = conference.member(self.floor_holder)
        if conference.ending.is_set() or not conference.members or (holder is not None and holder.talking):
            return
        staying = [member for member in conference.members if not member.stopped.is_set()]
        speaker = next((member for member in reversed(staying) if member.talking), None)
        if speaker is None and self.floor_holder == NO_MEMBER and staying:
            speaker = staying[0]
        if speaker is None:
            return
        former = "none" if holder is None else str(holder.member_id)
        self.floor_holder = speaker.member_id
        conference.fire("floor-change", speaker, {"Old-ID": former, "New-ID": str(speaker.member_id)})
