"""Has the switch do what follows from a change, for whoever commits it; and, after a snapshot, what it has lost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, TypeVar

import structlog

from orchestrator.domain.conference import Conference, Participant
from orchestrator.freeswitch.client import CommandRefused, NodeUnavailable
from orchestrator.freeswitch.coach_mark import COACH_MARK, ReadCoachMark
from orchestrator.freeswitch.commands import ChannelExists, KillChannel, SwitchCommand
from orchestrator.freeswitch.snapshot import Snapshot
from orchestrator.listener.coaching import Coaching, Send, whispers_of
from orchestrator.listener.effects import Rendered, repeat
from orchestrator.store.commits import CommitStore
from orchestrator.store.outbox import Lane

Answer = TypeVar("Answer")

log = structlog.get_logger("listener")


class Surely(Protocol):
    """Asks Redis until it answers."""

    def __call__(self, ask: Callable[[], Answer], /) -> Answer:
        """What `ask` returns."""
        ...


class Executor:
    """For one node. What it could not do is found by the next audit; `complain` says so when the rest is done."""

    def __init__(
        self, store: CommitStore, send: Send, wake_sounds: Callable[[Sequence[object]], None], surely: Surely
    ) -> None:
        self._store = store
        self._send = send
        self._wake_sounds = wake_sounds
        self._surely = surely
        self._away: NodeUnavailable | None = None
        self.coaching = Coaching(store, send)

    def send_all(self, commands: Iterable[SwitchCommand]) -> None:
        """One after the other, whatever becomes of each."""
        for command in commands:
            try:
                self._send(command)
            except CommandRefused as error:
                log.info("command_refused", command=repr(command)[:200], error=str(error).strip()[:200])
            except NodeUnavailable as error:
                self._away = error
                log.info("command_not_sent", command=repr(command)[:200], error=error.message)

    def carry_out(self, conference_sid: str, rendered: Rendered) -> None:
        """Commands first, then who whispers to whom, by the state that there is by then."""
        self.send_all(rendered.commands)
        self._wake_sounds([Lane(conference_sid, call_sid) for call_sid in dict.fromkeys(rendered.sounds)])
        if rendered.is_about_coaching:
            try:
                self._surely(lambda: self.coaching.settle(conference_sid, rendered.mixing, rendered.former or ()))
            except NodeUnavailable as error:
                self._away = error
                log.info("coaching_not_settled", conference_sid=conference_sid, error=error.message)

    def complain(self) -> None:
        """Raises NodeUnavailable if the switch was away meanwhile."""
        away, self._away = self._away, None
        if away is not None:
            raise away

    def repeat(self, unended: Iterable[tuple[Conference, list[Participant]]], snapshot: Snapshot) -> None:
        """What the switch has not done yet, or has lost. Pairs that nobody wants end; of those that a conference wants
        one is missing, or not shown yet: who settles it asks. Raises NodeUnavailable."""
        wanted_of_all: set[str] = set()
        people: set[str] = set()
        for conference, group in unended:
            people.update(person.call_sid for person in group)
            wanted = {pair.channel_uuid for pair in whispers_of(conference, group)}
            wanted_of_all |= wanted
            rendered = repeat(conference, group, snapshot.members, self._store)
            if wanted - snapshot.whispers.keys():
                rendered += Rendered(former=())
            self.carry_out(conference.conference_sid, rendered)
        self.send_all(
            KillChannel(channel_uuid)
            for channel_uuid, coach in snapshot.whispers.items()
            if channel_uuid not in wanted_of_all and (coach in people or snapshot.conference_sid is None)
        )
        self.complain()

    # ------------------------------------------------------------ what a snapshot asks

    def is_alive(self, channel_uuid: str) -> bool:
        """Whether the node has such a channel. Raises NodeUnavailable."""
        return self._send(ChannelExists(channel_uuid)).strip() == "true"

    def is_coach(self, channel_uuid: str) -> bool:
        """Whether the channel's mute is ours. Raises NodeUnavailable."""
        try:
            return self._send(ReadCoachMark(channel_uuid)).strip() == COACH_MARK
        except CommandRefused:  # gone this moment
            return False
