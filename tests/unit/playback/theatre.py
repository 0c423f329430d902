"""A conference in a real Redis, a switch that plays what it is told to, and a loader that a test holds in its hand."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Any

import gevent
import redis
from gevent.event import AsyncResult

from orchestrator import logs
from orchestrator.dialects.registry import DIALECTS
from orchestrator.domain.conference import Participant
from orchestrator.domain.events import AnnouncementEnded, AnnouncementFailed
from orchestrator.freeswitch.client import CommandRefused, NodeUnavailable
from orchestrator.freeswitch.commands import SwitchCommand
from orchestrator.freeswitch.nodes import Nodes
from orchestrator.jobs.wakeups import PLAYBACK, Wakeups, make_queue
from orchestrator.lanes.engine import Engine
from orchestrator.media.errors import MediaError
from orchestrator.media.program import Clip, Program, Source
from orchestrator.playback.output import Output
from orchestrator.playback.parts import Parts
from orchestrator.playback.state import State
from orchestrator.playback.work import Playback
from orchestrator.store import keys
from orchestrator.store.commits import CommitStore
from orchestrator.store.lanes import Lane
from orchestrator.store.media import MediaStore
from orchestrator.store.playback import PlaybackStore
from orchestrator.twiml.verbs import Pause, Play, Verb
from tests.unit.fake_esl import settled
from tests.unit.listener.test_committer import World
from tests.unit.outbox import port_of
from tests.unit.records import ACCOUNT

STOCK_MUSIC = "tone_stream://stock;loops=-1"
_TAGGED = re.compile(r"\{orchestrator_play=(?P<lane>[^.]+)\.(?P<play_id>[0-9a-f]{16})\}(?P<file>.*)")


class Switch:
    """Plays files to members one after the other, as FreeSWITCH does; what ends there is told by `ends`."""

    def __init__(self) -> None:
        self.queues: dict[str, list[tuple[str, str]]] = {}
        self.played: list[str] = []
        self.commands: list[str] = []
        self.refuse: Callable[[str], Exception | None] = lambda _: None
        self.ended: list[tuple[str, str]] = []

    def get(self, name: str) -> Switch:
        return self

    def send(self, command: SwitchCommand, seconds: float = 5) -> str:
        text = command.render()
        self.commands.append(text)
        error = self.refuse(text)
        if error is not None:
            raise error
        if text.startswith("http_get "):
            return f"/cache/{text.rpartition('/')[2]}"
        _, _, action, what, *_ = [*text.split(" "), ""]
        member = text.split(" ")[4] if len(text.split(" ")) > 4 else "all"
        if action == "stop":
            for play in self.queues.pop(member, []):
                self.ended.append(play)
        if action == "play":
            match = _TAGGED.fullmatch(what)
            assert match is not None, f"without a tag: {what}"
            self.queues.setdefault(member, []).append((match["play_id"], match["file"]))
            self.played.append(match["file"])
        return "+OK\n"

    def heard(self, member: str = "7") -> str | None:
        """The file at the head of the queue: what the member hears now."""
        queue = self.queues.get(member)
        return queue[0][1] if queue else None

    def end(self, member: str = "7") -> str:
        """What is heard comes to its end; returns its play."""
        return self.queues[member].pop(0)[0]


class Loader:
    """Each load waits until a test says what comes of it; so does each rendering of a <Play>."""

    def __init__(self) -> None:
        self.asked: list[Source] = []
        self.rendered: list[str] = []
        self.known: dict[str, Program | Clip | MediaError] = {}
        self.waiting: dict[str, AsyncResult[Any]] = {}
        self._names = count(1)

    def load_program(self, source: Source) -> Program:
        self.asked.append(source)
        found = self._find(source.url)
        assert isinstance(found, Program)
        return found

    def render(self, verb: Verb, base: str, account_sid: str) -> Clip:
        if isinstance(verb, Pause):
            return Clip(None, verb.seconds * 1000)
        assert isinstance(verb, Play)
        self.rendered.append(verb.url or "")
        found = self._find(verb.url or "")
        assert isinstance(found, Clip)
        return replace(found, loops=verb.loop)

    def _find(self, url: str) -> Program | Clip:
        found = self.known.get(url) or self._wait(url)
        if isinstance(found, MediaError):
            raise found
        return found

    def _wait(self, url: str) -> Any:
        return self.waiting.setdefault(url, AsyncResult()).get()

    def comes(self, url: str, what: Program | Clip | MediaError) -> None:
        self.waiting.setdefault(url, AsyncResult()).set(what)

    def program(self, *clips: Clip, then: Source | None = None) -> Program:
        """A document of these, which are rendered as soon as they are asked for."""
        verbs = [self.play(clip) for clip in clips]
        return Program(tuple(verbs), then=then)

    def play(self, clip: Clip | MediaError) -> Verb:
        """A verb of which this comes."""
        if isinstance(clip, Clip) and clip.media_id is None:
            return Pause(clip.duration_ms // 1000)
        url = f"audio-{next(self._names)}"
        self.known[url] = clip
        return Play(url, clip.loops if isinstance(clip, Clip) else 1)


class Theatre:
    """One participant, member 7, waiting alone; `start` has another one join, so that the conference starts."""

    def __init__(self, client: redis.Redis) -> None:
        self.client = client
        self.world = World(client)
        self.sounds = PlaybackStore(client)
        self.media = MediaStore(client, 1 << 20)
        self.switch = Switch()
        self.loader = Loader()
        self.ahead_ms = 0
        self.told: list[tuple[Lane, AnnouncementEnded | AnnouncementFailed]] = []
        self.told_for: list[str] = []
        """The requests in whose names."""
        self.one = self.world.create()
        self.world.join(self.one, 7)
        self.lane = Lane(self.one.conference_sid, self.one.call_sid)
        self.wakeups = Wakeups(make_queue(PLAYBACK, redis.Redis(port=port_of(client))), PLAYBACK)
        self.engine = self.new_engine()

    def new_engine(self) -> Engine:
        nodes: Nodes = self.switch  # type: ignore[assignment]  # the switch stands in for all nodes
        output = Output(CommitStore(self.client), self.media, nodes, nodes, "http://127.0.0.1:8080", STOCK_MUSIC)
        parts = Parts(
            self.sounds,
            output,
            self.loader,
            DIALECTS.serialize_fetch,
            self.report_end,
        )
        return Engine(self.sounds, self.wakeups, Playback(parts).work, 100)

    def report_end(self, lane: Lane, event: AnnouncementEnded | AnnouncementFailed) -> None:
        self.told.append((lane, event))
        self.told_for.append(logs.request_id())

    def clip(self, milliseconds: int = 5_000, loops: int = 1) -> Clip:
        return Clip(self.media.save(b"RIFF", ACCOUNT), milliseconds, loops)

    def start(self) -> Participant:
        """The conference starts; whoever waited is not played to any more."""
        two = self.world.create()
        self.world.join(two, 8)
        self.switch.queues.clear()
        self.look()
        return two

    def now_ms(self) -> int:
        """The player's clock: it is ahead of ours by the clips that have come to their end."""
        return int(time.time() * 1000) + self.ahead_ms

    def look(self, ended: str = "", lane: Lane | None = None) -> None:
        """What a job does; it has to be done soon."""
        with gevent.Timeout(5):
            self.engine.run(lane or self.lane, ended)

    def begin_look(self) -> gevent.Greenlet[..., Any]:
        return gevent.spawn(self.engine.run, self.lane)

    def wait_with(self, url: str) -> None:
        self.world.modify(self.one, wait_url=url)

    def hold(self, sound_url: str) -> None:
        from orchestrator.domain.hearing import Sound

        sid, call_sid = self.one.conference_sid, self.one.call_sid
        self.world.store.request_hold(ACCOUNT, sid, call_sid, True, Sound(sound_url, "GET"))

    def unhold(self) -> None:
        """The request; and what the switch does of itself: all files of the member end."""
        self.world.store.request_hold(ACCOUNT, self.one.conference_sid, self.one.call_sid, False, None)
        self.switch.queues.pop("7", None)

    def ends(self, member: str = "7", lane: Lane | None = None) -> None:
        """A file comes to its end, the switch says so, and the lane is looked at."""
        playing = State.parse(self.sounds.load(lane or self.lane).state).playing
        if playing is not None and playing.ends_ms is not None:
            self.ahead_ms += playing.ends_ms - self.now_ms()
        self.look(self.switch.end(member), lane)

    def file_of(self, clip: Clip) -> str:
        return f"/cache/{clip.media_id}.wav" if clip.media_id else f"silence_stream://{clip.duration_ms}"

    def hears(self, expected: str | Clip | None) -> None:
        """Poll until member 7 hears this and nothing else."""
        wanted = self.file_of(expected) if isinstance(expected, Clip) else expected
        settled(lambda: self.switch.heard() == wanted or None, f"{wanted} is heard", 5)

    def outcomes(self) -> list[tuple[str, str]]:
        return [(type(event).__name__, event.announce_url) for _, event in self.told]

    def due_in_ms(self, now_ms: int) -> int | None:
        score = self.client.zscore(keys.lanes_due("playback"), str(self.lane))
        return None if score is None else int(float(score)) - now_ms


REFUSED = CommandRefused("-ERR (play) File: x not found.")
AWAY = NodeUnavailable("Node fs1 is away")
