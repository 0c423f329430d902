"""Who listens in a lane, and how the switch is had to play to them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from gevent.lock import Semaphore

from orchestrator.domain.conference import Conference, Participant
from orchestrator.domain.hearing import Sound, background_of
from orchestrator.freeswitch.client import CommandRefused, NodeUnavailable
from orchestrator.freeswitch.commands import FetchFile, PlayToAll, PlayToMember, StopMember
from orchestrator.freeswitch.files import silence, tagged
from orchestrator.freeswitch.nodes import Nodes
from orchestrator.media.program import Clip
from orchestrator.media.serve import media_path
from orchestrator.store.commits import CommitStore
from orchestrator.store.media import MediaStore
from orchestrator.store.outbox import Lane
from orchestrator.store.sounds import CONFERENCE_LANE

FETCH_SECONDS: Final = 7.5
"""Longer than the node's own timeouts (freeswitch-conf, http_cache.conf.xml), whose refusal says more; shorter than a
lane's lease."""

PLAY_SECONDS: Final = 5.0
WAIT_SECONDS: Final = 2.0

Keep = Callable[[], object]
"""Keeps the lane's lease. Raises LeaseLost."""


class ClipGone(Exception):
    """The clip had to make room for others: its document has to be loaded again."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Whoever listens now. `participant` None: the whole conference."""

    conference: Conference
    participant: Participant | None

    @property
    def background(self) -> Sound | None:
        """What is to be heard in place of the conference."""
        return None if self.participant is None else background_of(self.conference, self.participant)


class Stages:
    """Finds who listens, and plays to them. `fetching` has a connection of its own to each node: what has to be fetched
    first must not keep anybody else's sound waiting."""

    def __init__(
        self,
        store: CommitStore,
        media: MediaStore,
        nodes: Nodes,
        fetching: Nodes,
        media_url: str,
        stock_music: str,
    ) -> None:
        self._store = store
        self._media = media
        self._nodes = nodes
        self._fetching = fetching
        self._media_url = media_url
        self._stock_music = stock_music
        self._turns: dict[str, Semaphore] = {}

    def find(self, lane: Lane) -> Stage | None:
        """None if nobody is there to hear it. Raises Unavailable."""
        is_conference = lane.name == CONFERENCE_LANE
        pairs = () if is_conference else [(lane.conference_sid, lane.name)]
        conferences, participants = self._store.load(pairs, [lane.conference_sid])
        versioned = conferences.get(lane.conference_sid)
        if versioned is None or versioned.conference.is_ending:
            return None
        if is_conference:
            return Stage(versioned.conference, None) if versioned.conference.present_count else None
        participant = participants.get(lane.name)
        if participant is None or not participant.is_live or participant.switch.member_id is None:
            return None
        return Stage(versioned.conference, participant)

    def play(self, stage: Stage, lane: Lane, clip: Clip, play_id: str, keep: Keep) -> None:
        """Have a clip played after what is played now. `keep` is called before whatever may take long. Raises
        CommandRefused, NodeUnavailable, ClipGone, LeaseLost."""
        file = silence(clip.duration_ms) if clip.media_id is None else self._fetch(stage, clip.media_id, keep)
        keep()
        self._play(stage, tagged(file, lane.name, play_id))

    def prepare(self, stage: Stage, clip: Clip, keep: Keep) -> None:
        """Have the node fetch what is heard next. Raises CommandRefused."""
        if clip.media_id is not None:
            with contextlib.suppress(ClipGone):
                self._fetch(stage, clip.media_id, keep)

    def play_stock(self, stage: Stage, lane: Lane, play_id: str) -> None:
        """The stock music, until it is stopped. Raises as `play`."""
        self._play(stage, tagged(self._stock_music, lane.name, play_id))

    def stop(self, stage: Stage) -> None:
        """End what is played to a participant. Raises as `play`."""
        participant = stage.participant
        if participant is not None and participant.switch.member_id is not None:
            stop = StopMember(stage.conference.conference_sid, participant.switch.member_id)
            self._nodes.get(stage.conference.node).send(stop, PLAY_SECONDS)

    def _fetch(self, stage: Stage, media_id: str, keep: Keep) -> str:
        """The path on the node. The switch is only ever sent to us."""
        if not self._media.touch(media_id):
            raise ClipGone(media_id)
        command = FetchFile(f"{self._media_url}{media_path(media_id)}")
        turn = self._turns.setdefault(stage.conference.node, Semaphore(1))
        while not turn.acquire(timeout=WAIT_SECONDS):  # a node fetches one after the other; the time is for the fetch
            keep()
        try:
            keep()
            path = self._fetching.get(stage.conference.node).send(command, FETCH_SECONDS).strip()
        except NodeUnavailable as error:  # of the fetches' own connection: too many of them are slow
            raise CommandRefused(f"http_get: {error.message}") from error
        finally:
            turn.release()
        if not path.startswith("/") or any(character in path for character in " ${}'"):
            raise CommandRefused(f"http_get: {path[:200]}")
        return path

    def _play(self, stage: Stage, file: str) -> None:
        sid, participant = stage.conference.conference_sid, stage.participant
        node = self._nodes.get(stage.conference.node)
        if participant is None or participant.switch.member_id is None:
            node.send(PlayToAll(sid, file), PLAY_SECONDS)
        else:
            node.send(PlayToMember(sid, participant.switch.member_id, file), PLAY_SECONDS)
