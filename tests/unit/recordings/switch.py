"""A switch for recorders: channels that are up, and files that grow."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import gevent

from orchestrator.freeswitch.client import CommandRefused, NodeUnavailable
from orchestrator.freeswitch.commands import ChannelExists, KillChannel, SwitchCommand
from orchestrator.freeswitch.recordings import LEG_GONE, JoinRecorder, StartPart, StopWriting
from orchestrator.recordings.wav import header

FRAME_BYTES = 320


@dataclass
class FakeSwitch:
    """`up`: UUIDs of channels; `files`: those that are written, path -> UUID. It writes while `write`
    runs, but for files that are `stuck`. Who is `going` is gone once somebody has asked."""

    up: set[str] = field(default_factory=set)
    files: dict[str, str] = field(default_factory=dict)
    told: list[SwitchCommand] = field(default_factory=list)
    going: set[str] = field(default_factory=set)
    is_away: bool = False
    is_full: bool = False
    stuck: set[str] = field(default_factory=set)

    def send(self, command: SwitchCommand, seconds: float = 1.0) -> str:
        if self.is_away:
            raise NodeUnavailable("Node fs1 is away")
        self.told.append(command)
        match command:
            case ChannelExists(channel_uuid):
                was_up = channel_uuid in self.up
                self.up -= self.going
                return str(was_up).lower()
            case JoinRecorder(channel_uuid, _):
                self.up.add(channel_uuid)
            case KillChannel(channel_uuid):
                if channel_uuid not in self.up:
                    raise CommandRefused("-ERR No such channel!")
                self.up.discard(channel_uuid)
                self.files = {path: leg for path, leg in self.files.items() if leg != channel_uuid}
            case StartPart(channel_uuid, path, stereo):
                if channel_uuid not in self.up:
                    raise CommandRefused(f"-ERR {LEG_GONE}!")
                self._open(channel_uuid, path, 2 if stereo else 1)
            case StopWriting(_, path):
                if self.files.pop(path, None) is None:
                    raise CommandRefused("-ERR Cannot stop record session!")
        return "+OK"

    def _open(self, channel_uuid: str, path: str, channels: int) -> None:
        try:
            Path(path).write_bytes(b"" if self.is_full else header(0, channels))
        except OSError as error:
            raise CommandRefused("-ERR Cannot record session!") from error
        if self.is_full:
            raise CommandRefused("-ERR Cannot record session!")
        self.files[path] = channel_uuid

    def write(self) -> None:
        """For ever: a frame of each file every now and then."""
        while True:
            gevent.sleep(0.005)
            for path in () if self.is_full else tuple(self.files):
                if path not in self.stuck and Path(path).exists():
                    with Path(path).open("ab") as file:
                        file.write(b"\x10\x10" * (FRAME_BYTES // 2))

    def of(self, kind: type) -> list[SwitchCommand]:
        """What it was told of one kind."""
        return [command for command in self.told if isinstance(command, kind)]
