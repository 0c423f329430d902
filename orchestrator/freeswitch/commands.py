"""One frozen value for every FreeSWITCH command we send; `render` is the only place that spells it.

Nothing from outside is part of a command as it came: names are SIDs, numbers are ints, and a dial string is
built by `dial_string`. Syntax: FreeSWITCH 1.10, mod_conference `conference_api.c` and mod_commands.c.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, Protocol


class SwitchCommand(Protocol):
    """Anything with a `render`."""

    def render(self) -> str:
        """The command as the event socket takes it, without `api` or `bgapi`."""
        ...


@dataclass(frozen=True, slots=True)
class MuteMember:
    """Let nobody hear a member, or let everybody hear it again."""

    conference_sid: str
    member_id: int
    muted: bool

    def render(self) -> str:
        return f"conference {self.conference_sid} {'mute' if self.muted else 'unmute'} {self.member_id}"


@dataclass(frozen=True, slots=True)
class DeafenMember:
    """Let a member hear nothing of the conference, or everything again; what is played to it alone it hears anyway."""

    conference_sid: str
    member_id: int
    deaf: bool

    def render(self) -> str:
        return f"conference {self.conference_sid} {'deaf' if self.deaf else 'undeaf'} {self.member_id}"


@dataclass(frozen=True, slots=True)
class HoldMember:
    """Let nobody hear a member, whether it is muted or not, or let it be heard again; it goes on hearing unless it is
    deafened."""

    conference_sid: str
    member_id: int
    hold: bool

    def render(self) -> str:
        return f"conference {self.conference_sid} {'hold' if self.hold else 'unhold'} {self.member_id}"


@dataclass(frozen=True, slots=True)
class PlayToMember:
    """Play a file to one member, deaf or not, after what is being played to it. `file` is ours: see `files.py`."""

    conference_sid: str
    member_id: int
    file: str

    def render(self) -> str:
        return f"conference {self.conference_sid} play {self.file} {self.member_id}"


@dataclass(frozen=True, slots=True)
class PlayToAll:
    """Play a file to everybody who hears the conference, after what is being played; or `beside` it, as a beep."""

    conference_sid: str
    file: str
    beside: bool = False

    def render(self) -> str:
        return f"conference {self.conference_sid} play {self.file}{' async' if self.beside else ''}"


@dataclass(frozen=True, slots=True)
class StopMember:
    """End whatever is played to the member."""

    conference_sid: str
    member_id: int

    def render(self) -> str:
        return f"conference {self.conference_sid} stop all {self.member_id}"


@dataclass(frozen=True, slots=True)
class FetchFile:
    """Have the node fetch `url`, one of ours, into its cache; answers with the file's path. Played as a URL, a file
    that is still to be fetched would keep the member from leaving (mod_http_cache.c, conference_member.c)."""

    url: str

    def render(self) -> str:
        return f"http_get {self.url}"


@dataclass(frozen=True, slots=True)
class HangUpMembers:
    """End every member's call; FreeSWITCH then destroys the conference."""

    conference_sid: str

    def render(self) -> str:
        return f"conference {self.conference_sid} hup all"


@dataclass(frozen=True, slots=True)
class KillChannel:
    """End a leg, ringing or answered."""

    channel_uuid: str

    def render(self) -> str:
        return f"uuid_kill {self.channel_uuid}"


@dataclass(frozen=True, slots=True)
class ChannelExists:
    """Ask whether there is a channel: `true` or `false`."""

    channel_uuid: str

    def render(self) -> str:
        return f"uuid_exists {self.channel_uuid}"


JOIN_FLAGS: Final = "conference_member_flags"
"""Channel variable: how the leg joins; read in the moment it does (mod_conference.c, conference_function)."""


def join_flags(muted: bool, deaf: bool) -> str:
    """Return the variable's value; a member without flags is heard and hears."""
    return "|".join(flag for flag, is_set in (("mute", muted), ("deaf", deaf)) if is_set)


@dataclass(frozen=True, slots=True)
class SetJoinFlags:
    """Change how a leg that is no member yet will join."""

    channel_uuid: str
    muted: bool
    deaf: bool

    def render(self) -> str:
        return f"uuid_setvar {self.channel_uuid} {JOIN_FLAGS} {join_flags(self.muted, self.deaf)}".rstrip()


@dataclass(frozen=True, slots=True)
class ModuleExists:
    """Ask whether a module is loaded: `true` or `false`."""

    name: str

    def render(self) -> str:
        return f"module_exists {self.name}"


@dataclass(frozen=True, slots=True)
class FileExists:
    """Ask whether the node has a file: `true` or `false` (mod_commands.c, file_exists_function)."""

    path: str

    def render(self) -> str:
        return f"file_exists {self.path}"


EXIT_HOOK = "api_hangup_hook"
"""Channel variable: an API command that FreeSWITCH runs when the leg has hung up (switch_core_state_machine.c)."""

ON_ANSWER = "execute_on_answer"
"""Channel variable: an application that FreeSWITCH runs when the leg is answered (switch_channel.c)."""


def exit_hook(conference_sid: str) -> str:
    """Return what a leg with EndConferenceOnExit makes the switch do when it has hung up."""
    return HangUpMembers(conference_sid).render()


def set_exit_hook_on_answer(conference_sid: str) -> str:
    """Return the application that arms the hook: a leg that rings, or plays early media, and never answers ends
    nothing."""
    return f"set {EXIT_HOOK}={exit_hook(conference_sid)}"


@dataclass(frozen=True, slots=True)
class SetExitHook:
    """Change EndConferenceOnExit of a live leg.

    FreeSWITCH's own member flag `endconf` cannot change after the join. The leg's hangup hook can, and the switch runs
    it by itself, whoever hung up and whether we are there or not. Until the answer only what arms it changes; what is
    not wanted is not armed either, whether we have heard of the answer or not.
    """

    channel_uuid: str
    conference_sid: str
    end_on_exit: bool
    answered: bool

    def render(self) -> str:
        if not self.end_on_exit:
            return f"uuid_setvar_multi {self.channel_uuid} {ON_ANSWER}=;{EXIT_HOOK}="
        if self.answered:
            return f"uuid_setvar {self.channel_uuid} {EXIT_HOOK} {exit_hook(self.conference_sid)}"
        return f"uuid_setvar {self.channel_uuid} {ON_ANSWER} {set_exit_hook_on_answer(self.conference_sid)}"


@dataclass(frozen=True, slots=True)
class ListChannels:
    """List every channel of the node, as JSON."""

    def render(self) -> str:
        return "show channels as json"


@dataclass(frozen=True, slots=True)
class ListConferences:
    """List every conference of the node with its members, as JSON."""

    def render(self) -> str:
        return "conference json_list"


@dataclass(frozen=True, slots=True)
class Status:
    """Ask how many sessions the node has and may have, among others (mod_commands.c, status_function)."""

    def render(self) -> str:
        return "status"


@dataclass(frozen=True, slots=True)
class FindContext:
    """Read a context of the node's dialplan as XML; a sentence where there is none."""

    name: str

    def render(self) -> str:
        return f"xml_locate dialplan context name {self.name}"


@dataclass(frozen=True, slots=True)
class FindLists:
    """Read the node's lists of networks as XML (acl.conf); a sentence where there are none."""

    def render(self) -> str:
        return "xml_locate configuration configuration name acl.conf"


@dataclass(frozen=True, slots=True)
class FindConferences:
    """Read the node's conference profiles as XML (conference.conf); a sentence where there are none."""

    def render(self) -> str:
        return "xml_locate configuration configuration name conference.conf"


@dataclass(frozen=True, slots=True)
class SipStatus:
    """Ask what mod_sofia says of a gateway or a profile (mod_sofia.c, cmd_status): `Invalid …!` if it has none."""

    kind: Literal["gateway", "profile"]
    name: str

    def render(self) -> str:
        return f"sofia status {self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class ListConference:
    """List one conference with its members, as JSON."""

    conference_sid: str

    def render(self) -> str:
        return f"conference {self.conference_sid} json_list"


@dataclass(frozen=True, slots=True)
class CoreUuid:
    """Ask for the identity of the running FreeSWITCH process: a new one after every restart."""

    def render(self) -> str:
        return "global_getvar core_uuid"
