"""A coach's voice beside the mix: a pair of legs through mod_loopback, and how it is told from calls.

The coach is a muted member, so the mixer has nothing that could leak. One leg of the pair taps what the coach says. The
other mixes it into what the coached person's leg sends (switch_ivr_async.c, switch_ivr_eavesdrop_session); or it is the
deaf member of a conference of its own, only for the switch to tell when the coach talks.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from typing import Final, NamedTuple

from orchestrator.errors import CoachingImpossible
from orchestrator.freeswitch.commands import JOIN_FLAGS, ModuleExists, join_flags
from orchestrator.freeswitch.dial_string import PROFILE
from orchestrator.freeswitch.nodes import Node
from orchestrator.sids import channel_uuid_of

MODULE: Final = "mod_loopback"

SPEECH: Final = "speech"
"""In place of a coached CallSid: nobody hears it."""

SPEECH_ROOM: Final = "speech-"
"""Before the ConferenceSid: the name of the conference in which a conference's coaches are listened for."""

MARK: Final = "orchestrator_whisper="
_NAME: Final = f"loopback/m:^:set:{MARK}"
_NAMED: Final = re.compile(rf"{re.escape(_NAME)}([0-9a-f-]{{36}})-(CA[0-9a-f]{{32}})\^.*", re.ASCII)
_NAMESPACE: Final = uuid.UUID("5f0c6f8e-52a1-4e0f-9c5c-0f7c4f6a2b11")


def is_whisper(channel_name: str) -> bool:
    """Whether a channel is a leg of a pair, by its name, as `show channels` (`name`) and events (Channel-Name) give it.
    It is no call: in no list, count, callback or audit of stray legs."""
    return channel_name.startswith(_NAME)


class Pair(NamedTuple):
    """Which pair a leg is of, and whose voice it carries."""

    channel_uuid: str
    coach: str


def pair_of(channel_name: str) -> Pair | None:
    """Return the pair of a leg, by the name of either; None for other channels. The second leg's row in `show channels`
    is the one to trust: the first one's may be deleted in place of that of an earlier pair with the same UUID, which
    ended a moment ago."""
    match = _NAMED.fullmatch(channel_name)
    return None if match is None else Pair(match[1], match[2])


@dataclass(frozen=True, slots=True)
class Whisper:
    """A pair of legs. The same coach at the same ear (a CallSid, or SPEECH) always has the same channel UUID."""

    conference_sid: str
    coach: str
    ear: str

    @property
    def channel_uuid(self) -> str:
        """Return the UUID of the leg that ends both when it is killed."""
        return str(uuid.uuid5(_NAMESPACE, f"{self.coach} {self.ear}"))


@dataclass(frozen=True, slots=True)
class StartWhisper:
    """Make a pair; the answer ends with its UUID. It ends by itself when the call of either goes.

    While there is one with the same UUID, or one that is just ending, it is made under another one, which the answer
    says (switch_core_session.c: "Duplicate UUID!"); but whom it whispers to is in a variable named after the UUID that
    was asked for, so it finds nobody, and ends at once.
    """

    whisper: Whisper

    def render(self) -> str:
        """`originate {variables}the coach's voice ear inline`."""
        channel = self.whisper.channel_uuid
        # The second leg inherits the first one's variables, and would feed what the coached person hears back.
        voice = "^".join(
            (
                f"{_NAME}{channel}-{self.whisper.coach}",
                "set:eavesdrop_bridge_aleg=true",
                "set:eavesdrop_bridge_bleg=false",
                "set:eavesdrop_whisper_bleg=false",
                "answer",
                f"eavesdrop:{channel_uuid_of(self.whisper.coach)}/default/inline",
            )
        )
        variables, ear = self._ear()
        # Tones that the coach dials are no commands.
        return f"originate {{origination_uuid={channel},eavesdrop_enable_dtmf=false,{variables}}}{voice} {ear} inline"

    def _ear(self) -> tuple[str, str]:
        if self.whisper.ear == SPEECH:
            options, application = f"{JOIN_FLAGS}={join_flags(muted=False, deaf=True)}", "conference"
            target = f"{SPEECH_ROOM}{self.whisper.conference_sid}@{PROFILE}"
        else:
            options, application = "eavesdrop_bridge_bleg=true,eavesdrop_whisper_bleg=true", "eavesdrop"
            target = channel_uuid_of(self.whisper.ear)
        return f"whisper_to_{self.whisper.channel_uuid}={target},{options}", application + ":${whisper_to_${uuid}}"


@dataclass(frozen=True, slots=True)
class ListWhispers:
    """List the legs of all pairs of the node, as JSON."""

    def render(self) -> str:
        """By a part of their names."""
        return f"show channels like {MARK} as json"


def can_whisper(node: Node) -> bool:
    """Whether the node has what a pair needs. Raises NodeUnavailable."""
    return node.send(ModuleExists(MODULE)).strip() == "true"


def require_whispers(node: Node, needed: bool = True) -> None:
    """Refuse coaching on a node that lacks what a pair needs. Raises CoachingImpossible, NodeUnavailable."""
    if needed and not can_whisper(node):
        raise CoachingImpossible(f"Coaching: the switch {node.address.name} has not loaded {MODULE}")
