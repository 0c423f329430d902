"""A coach's voice in one ear alone: a pair of legs through mod_loopback, and how it is told from calls.

The coach is a muted member, so the mixer has nothing that could leak. One leg of the pair taps what the coach says, the
other mixes it into what the coached person's leg sends (switch_ivr_async.c, switch_ivr_eavesdrop_session).
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Final

from orchestrator.sids import channel_uuid_of

_NAMESPACE: Final = uuid.UUID("5f0c6f8e-52a1-4e0f-9c5c-0f7c4f6a2b11")
_NAME: Final = "loopback/m:^:set:orchestrator_whisper="


def is_whisper(channel_name: str) -> bool:
    """Whether a channel is a leg of a pair, by its name, as `show channels` (`name`) and events (Channel-Name) give it.
    It is no call: in no list, count, callback or audit of stray legs."""
    return channel_name.startswith(_NAME)


@dataclass(frozen=True, slots=True)
class Whisper:
    """A pair, by the CallSids of the two: whoever asks for it gets the same channel UUID."""

    conference_sid: str
    coach: str
    coached: str

    @property
    def channel_uuid(self) -> str:
        """Of the leg that ends both when it is killed."""
        return str(uuid.uuid5(_NAMESPACE, f"{self.coach} {self.coached}"))


@dataclass(frozen=True, slots=True)
class StartWhisper:
    """Make a pair. It ends by itself when the call of either goes.

    A second one with the same UUID would be made under another one (switch_core_session.c: "Duplicate UUID!"); but whom
    it whispers to is in a variable named after the UUID that was asked for, so it finds nobody, and ends at once.
    """

    whisper: Whisper

    def render(self) -> str:
        """`originate {variables}the coach's voice eavesdrop:the coached inline`."""
        whisper, channel = self.whisper, self.whisper.channel_uuid
        target = f"whisper_to_{channel}={channel_uuid_of(whisper.coached)}"
        options = "eavesdrop_enable_dtmf=false,eavesdrop_bridge_bleg=true,eavesdrop_whisper_bleg=true"
        # The second leg inherits the first one's variables, and would feed what the coached person hears back.
        voice = "^".join(
            (
                f"{_NAME}{whisper.conference_sid}-{whisper.coach}",
                "set:eavesdrop_bridge_aleg=true",
                "set:eavesdrop_bridge_bleg=false",
                "set:eavesdrop_whisper_bleg=false",
                "answer",
                f"eavesdrop:{channel_uuid_of(whisper.coach)}/default/inline",
            )
        )
        variables = f"origination_uuid={channel},{target},{options}"
        return f"originate {{{variables}}}{voice} eavesdrop:${{whisper_to_${{uuid}}}} inline"
