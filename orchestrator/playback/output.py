"""Finds who listens in a lane, and has the switch play to them."""

from __future__ import annotations

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
from orchestrator.store.lanes import Lane
from orchestrator.store.media import MediaStore
from orchestrator.store.playback import CONFERENCE_LANE

FETCH_SECONDS: Final = 7.5
"""Longer than the node's own timeouts (freeswitch-conf, http_cache.conf.xml), whose refusal says more."""

PLAY_SECONDS: Final = 5.0
WAIT_SECONDS: Final = 60.0
"""A node fetches one file after the other: how long one waits for those before it."""


class ClipGone(Exception):
    """The clip is gone from the store, to make room for others: its document has to be loaded again."""


@dataclass(frozen=True, slots=True)
class Audience:
    """Who listens in a lane now. `participant` None: the whole conference."""

    conference: Conference
    participant: Participant | None

    @property
    def background(self) -> Sound | None:
        """Return the sound that is to be heard in place of the conference."""
        return None if self.participant is None else background_of(self.conference, self.participant)


class Output:
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
        self._fetch_locks: dict[str, Semaphore] = {}

    def find(self, lane: Lane) -> Audience | None:
        """Find who listens in a lane; None if nobody is there to hear it. Raises Unavailable."""
        is_conference = lane.name == CONFERENCE_LANE
        pairs = () if is_conference else [(lane.sid, lane.name)]
        conferences, participants = self._store.load(pairs, [lane.sid])
        versioned = conferences.get(lane.sid)
        if versioned is None or versioned.conference.is_ending:
            return None
        if is_conference:
            return Audience(versioned.conference, None) if versioned.conference.present_count else None
        participant = participants.get(lane.name)
        if participant is None or not participant.is_live or participant.switch.member_id is None:
            return None
        return Audience(versioned.conference, participant)

    def fetch(self, audience: Audience, clip: Clip) -> str:
        """Have the node fetch a clip; returns what it plays then. Raises CommandRefused, ClipGone."""
        if clip.media_id is None:
            return silence(clip.duration_ms)
        # The switch is only ever sent to us.
        if not self._media.touch(clip.media_id):
            raise ClipGone(clip.media_id)
        command = FetchFile(f"{self._media_url}{media_path(clip.media_id)}")
        lock = self._fetch_locks.setdefault(audience.conference.node, Semaphore(1))
        if not lock.acquire(timeout=WAIT_SECONDS):
            raise CommandRefused("http_get: too many files wait to be fetched")
        try:
            path = self._fetching.get(audience.conference.node).send(command, FETCH_SECONDS).strip()
        except NodeUnavailable as error:  # of the fetches' own connection: too many of them are slow
            raise CommandRefused(f"http_get: {error.message}") from error
        finally:
            lock.release()
        if not path.startswith("/") or any(character in path for character in " ${}'"):
            raise CommandRefused(f"http_get: {path[:200]}")
        return path

    def play(self, audience: Audience, lane: Lane, file: str, play_id: str) -> None:
        """Have what was fetched played after what is played now. Raises CommandRefused, NodeUnavailable."""
        sid, participant = audience.conference.conference_sid, audience.participant
        node, file = self._nodes.get(audience.conference.node), tagged(file, lane.name, play_id)
        if participant is None or participant.switch.member_id is None:
            node.send(PlayToAll(sid, file), PLAY_SECONDS)
        else:
            node.send(PlayToMember(sid, participant.switch.member_id, file), PLAY_SECONDS)

    def play_stock(self, audience: Audience, lane: Lane, play_id: str) -> None:
        """Have the stock music played until it is stopped. Raises as `play`."""
        self.play(audience, lane, self._stock_music, play_id)

    def stop(self, audience: Audience) -> None:
        """End what is played to a participant. Raises as `play`."""
        participant = audience.participant
        if participant is not None and participant.switch.member_id is not None:
            stop = StopMember(audience.conference.conference_sid, participant.switch.member_id)
            self._nodes.get(audience.conference.node).send(stop, PLAY_SECONDS)
