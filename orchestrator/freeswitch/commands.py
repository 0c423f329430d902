"""One frozen value for every FreeSWITCH command we send; `render` is the only place that spells it.

Nothing from outside is part of a command as it came: names are SIDs, numbers are ints, and a dial string is
built by `dial_string`. Syntax: FreeSWITCH 1.10, mod_conference `conference_api.c` and mod_commands.c.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class SwitchCommand(Protocol):
    """Anything with a `render`."""

    def render(self) -> str:
        """The command as the event socket takes it, without `api` or `bgapi`."""
        ...


@dataclass(frozen=True, slots=True)
class MuteMember:
    """Nobody hears the member, or everybody does again."""

    conference_sid: str
    member_id: int
    muted: bool

    def render(self) -> str:
        return f"conference {self.conference_sid} {'mute' if self.muted else 'unmute'} {self.member_id}"


@dataclass(frozen=True, slots=True)
class HangUpMembers:
    """Every member's call ends; FreeSWITCH then destroys the conference."""

    conference_sid: str

    def render(self) -> str:
        return f"conference {self.conference_sid} hup all"


@dataclass(frozen=True, slots=True)
class KillChannel:
    """A leg ends, ringing or answered."""

    channel_uuid: str

    def render(self) -> str:
        return f"uuid_kill {self.channel_uuid}"


@dataclass(frozen=True, slots=True)
class ChannelExists:
    """Answers `true` or `false`."""

    channel_uuid: str

    def render(self) -> str:
        return f"uuid_exists {self.channel_uuid}"


EXIT_HOOK = "api_hangup_hook"
"""Channel variable: an API command that FreeSWITCH runs when the leg has hung up (switch_core_state_machine.c)."""

ON_ANSWER = "execute_on_answer"
"""Channel variable: an application that FreeSWITCH runs when the leg is answered (switch_channel.c)."""


def exit_hook(conference_sid: str) -> str:
    """What a leg with EndConferenceOnExit makes the switch do when it has hung up."""
    return HangUpMembers(conference_sid).render()


def set_exit_hook_on_answer(conference_sid: str) -> str:
    """The application that arms the hook: a leg that rings, or plays early media, and never answers ends nothing."""
    return f"set {EXIT_HOOK}={exit_hook(conference_sid)}"


@dataclass(frozen=True, slots=True)
class SetExitHook:
    """Change EndConferenceOnExit of a live leg.

    FreeSWITCH's own member flag `endconf` cannot change after the join. The leg's hangup hook can, and the switch runs
    it by itself, whoever hung up and whether we are there or not. Until the answer only what arms it changes.
    """

    channel_uuid: str
    conference_sid: str
    end_on_exit: bool
    answered: bool

    def render(self) -> str:
        if self.answered:
            name, value = EXIT_HOOK, exit_hook(self.conference_sid)
        else:
            name, value = ON_ANSWER, set_exit_hook_on_answer(self.conference_sid)
        return f"uuid_setvar {self.channel_uuid} {name} {value if self.end_on_exit else ''}".rstrip()


@dataclass(frozen=True, slots=True)
class ListChannels:
    """Every channel of the node, as JSON."""

    def render(self) -> str:
        return "show channels as json"


@dataclass(frozen=True, slots=True)
class ListConferences:
    """Every conference of the node with its members, as JSON."""

    def render(self) -> str:
        return "conference json_list"


@dataclass(frozen=True, slots=True)
class CoreUuid:
    """The identity of the running FreeSWITCH process: a new one after every restart."""

    def render(self) -> str:
        return "global_getvar core_uuid"
