"""One member of a conference (conference_member_t), and who hears whom."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from gevent.event import Event as Signal

from orchestrator.sandbox.channel import Channel
from orchestrator.sandbox.file_queue import FileQueue
from orchestrator.sandbox.readers import Readers
from orchestrator.sandbox.switch_strings import separate_string


@dataclass(slots=True, eq=False)
class Member:
    """conference_member_t. `stopped` is MFLAG_RUNNING cleared: kicked, hung up by the conference, or transferred.

    `quiet` is a phone that says nothing. `readers` are commands that keep it from leaving. Mute, deaf and hold are
    three flags that do not touch each other; `talking` is what mute and hold clear.
    """

    member_id: int
    channel: Channel
    can_speak: bool = True
    can_hear: bool = True
    hold: bool = False
    talking: bool = False
    volume_in: int = 0
    volume_out: int = 0
    energy: int = 100
    moderator: bool = False
    ghost: bool = False
    endconf: bool = False
    mandatory_endconf: bool = False
    kicked: bool = False
    quiet: bool = False
    talk_is_awaited: bool = False
    arrived: float = field(default_factory=time.monotonic)
    joined_at: int = field(default_factory=lambda: int(time.time()))
    last_talking_at: int | None = None
    files: FileQueue = field(default_factory=FileQueue)
    readers: Readers = field(default_factory=Readers)
    stopped: Signal = field(default_factory=Signal)

    @property
    def is_heard(self) -> bool:
        """Whether the member is neither muted nor on hold."""
        return self.can_speak and not self.hold

    def set_flags(self, text: str) -> None:
        """conference_utils_set_mflags: words between `|`; unknown ones are ignored."""
        words = {word.lower() for word in separate_string(text.replace(",", "|"), "|", 10)}
        self.can_speak = "mute" not in words
        self.can_hear = "deaf" not in words
        self.moderator = "moderator" in words
        self.ghost = "ghost" in words
        self.endconf = "endconf" in words
        self.mandatory_endconf = "mandatory_member_endconf" in words


def may_hear(listener: Member, speaker: Member) -> bool:
    """Whether the flags let `listener` hear `speaker` (conference_thread_run of mod_conference.c).

    The speaker is neither muted nor on hold (its frames are not taken in, conference_loop_input), the listener is not
    deaf, and nobody hears himself. Hold does not keep the listener from hearing: only a file that plays to it alone
    (`hold <file>`, or `play … nomux`) does, as long as it lasts (conference_member_add_file_data). Whispers are beside
    all this. Compared with recordings of three phones on the real one, flag by flag.
    """
    if listener is speaker or not listener.can_hear or not speaker.can_speak or speaker.hold:
        return False
    playing = listener.files.head
    return playing is None or not playing.alone


def hears(listener: Member, speaker: Member) -> bool:
    """Whether `listener` hears something of `speaker` now: only who talks is mixed in (MFLAG_TALKING)."""
    return speaker.talking and may_hear(listener, speaker)
