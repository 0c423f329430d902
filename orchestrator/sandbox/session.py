"""The life of one channel: dial, run its applications, hang up (switch_core_state_machine.c, switch_core_session.c).

Each session is one greenlet, as it is one thread in FreeSWITCH; the far end is a second one beside it.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import gevent
import structlog
from gevent.event import Event as Signal

from orchestrator.sandbox import call_record
from orchestrator.sandbox.causes import NORMAL_CLEARING
from orchestrator.sandbox.channel import Channel, ChannelHost
from orchestrator.sandbox.conference import Conference
from orchestrator.sandbox.member import Member
from orchestrator.sandbox.not_simulated import NotSimulated
from orchestrator.sandbox.phones import (
    Answer,
    EarlyMedia,
    HangUp,
    Quiet,
    Redirect,
    Refuse,
    Ring,
    Script,
    Speak,
    Step,
    Wait,
    talk_in_turns,
)
from orchestrator.sandbox.recording import SILENCE, Recording, Tones
from orchestrator.sandbox.switch_strings import separate_string

log = structlog.get_logger(__name__)

# From INVITE to the first answer over loopback, seen on the real one.
_SIGNALLING_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Application:
    """One dialplan application with its data."""

    name: str
    data: str


class SessionHost(ChannelHost, Protocol):
    """What a session, and the applications that it runs, need of their node."""

    sessions: dict[str, Session]
    applications: Mapping[str, Callable[[Session, str], None]]

    def spawn(self, function: Callable[..., None], *arguments: object) -> gevent.Greenlet[..., object]:
        """Start a greenlet."""

    def forget_session(self, session: Session) -> None:
        """Forget a channel that has been destroyed."""

    def join_conference(self, name: str, profile_name: str) -> Conference:
        """Return the conference of that name, made if there is none."""

    def next_member_id(self) -> int:
        """Return a number that no member on the node has had."""


@dataclass(slots=True, eq=False)
class Session:
    """switch_core_session_t with its state machine."""

    node: SessionHost
    channel: Channel
    script: Script
    applications: list[Application] = field(default_factory=list)
    transferred: Signal = field(default_factory=Signal)
    tones: Tones = SILENCE
    recordings: dict[str, Recording] = field(default_factory=dict)
    member_id: int | None = None
    membership: tuple[Conference, Member] | None = None
    phone_is_quiet: bool = False
    partner: Session | None = None
    """The other leg of a loopback pair."""
    tapped: Session | None = None
    """Whom it eavesdrops on."""

    end_recordings: Callable[[Session], None] | None = None
    """Set by the first recording: closes all of them when the call ends."""

    _far_end: gevent.Greenlet[..., object] | None = None

    def start(self) -> None:
        """Announce the channel, so that nothing can be said of it before, and dial."""
        channel = self.channel
        channel.execute = self._execute
        self.node.fire("CHANNEL_OUTGOING", channel.full_headers())
        channel.set_state("CS_INIT")
        channel.next_state = "CS_ROUTING"
        channel.fire("CHANNEL_CREATE")
        channel.fire("CHANNEL_ORIGINATE")
        channel.set_state("CS_ROUTING")
        channel.set_state("CS_CONSUME_MEDIA")
        self.node.spawn(self._run)

    @property
    def is_quiet(self) -> bool:
        """Whether nothing is said into it now: a loopback leg says what its partner taps."""
        if self.partner is not None:
            return self.partner.tapped is None or self.partner.tapped.phone_is_quiet
        return self.phone_is_quiet

    # --- what others ask of it -----------------------------------------------------------------------------------

    def says(self) -> Tones:
        """Return the tones that are said into it now, if any."""
        return self.tones if self.channel.has_media and not self.is_quiet else SILENCE

    def hears(self) -> Tones:
        """Return what its conference says to it now."""
        if self.membership is None:
            return SILENCE
        conference, member = self.membership
        return conference.heard_by(member)

    def talk_in_turns(self, seconds: int) -> None:
        """The phone talks and is silent in turns, from now on."""
        self._stop_far_end()
        self._far_end = self.node.spawn(self._play_far_end, talk_in_turns(seconds))

    def set_quiet(self, quiet: bool) -> None:
        """The phone stops talking or goes on, in a conference or before it joins one."""
        self.phone_is_quiet = quiet
        for session in self.node.sessions.values():
            taps = session.partner.tapped if session.partner is not None else None
            if (session is self or taps is self) and session.membership is not None:
                conference, member = session.membership
                (conference.talk.falls_quiet if quiet else conference.talk.speaks_again)(member)

    def execute(self, applications: list[Application]) -> None:
        """switch_channel_set_caller_extension: `&app(data)` of originate."""
        self.applications = applications
        self.transferred.set()

    def transfer(self, extension: str, dialplan: str) -> None:
        """switch_ivr_session_transfer. Only the `inline` dialplan is known here: no XML is read."""
        self.channel.set_state("CS_ROUTING")
        if dialplan.lower() != "inline":
            log.error("sandbox_knows_only_inline_dialplan", extension=extension, dialplan=dialplan)
            self.channel.hang_up("NO_ROUTE_DESTINATION")
            return
        self.channel.profile.dialplan = "inline"
        self.execute(parse_inline(extension))

    # --- its thread ----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        channel = self.channel
        self._far_end = self.node.spawn(self._play_far_end, self.script)
        gevent.wait([self.transferred, channel.hung_up], count=1)
        while self.transferred.is_set() and not channel.hung_up.is_set():
            self.transferred.clear()
            self._execute_all()
        if not channel.hung_up.is_set():
            channel.hang_up(NORMAL_CLEARING)
        if self.partner is not None:
            self.partner.channel.hang_up(NORMAL_CLEARING)
        self._stop_far_end()
        self._finish()

    def _stop_far_end(self) -> None:
        if self._far_end is not None:
            self._far_end.kill(block=False)

    def _play_far_end(self, script: Script) -> None:
        gevent.sleep(_SIGNALLING_SECONDS)
        for step in script:
            self._play_step(step)

    def _play_step(self, step: Step) -> None:
        match step:
            case Wait(seconds=seconds):
                gevent.sleep(seconds)
            case Ring():
                self.channel.mark_ring_ready()
            case EarlyMedia():
                self.channel.mark_pre_answered()
            case Answer():
                self.channel.mark_answered()
            case Refuse():
                self.channel.refuse(step)
            case Redirect():
                self.channel.redirect(step)
            case Quiet():
                self.set_quiet(True)
            case Speak(hertz=hertz):
                self.tones = frozenset(hertz) or self.tones
                self.set_quiet(False)
            case HangUp():
                self.channel.far_end_hangs_up()

    def _execute_all(self) -> None:
        """CS_EXECUTE: one application after the other until one is hung up or transferred under it."""
        channel = self.channel
        channel.in_dialplan = True
        if "channel_cid_flipped" not in channel.variables:
            channel.variables["channel_cid_flipped"] = "yes"
            channel.variables["pre_transfer_caller_id_number"] = channel.profile.caller_number
            channel.profile.flip()
        channel.set_state("CS_EXECUTE")
        for application in self.applications:
            if channel.hung_up.is_set() or self.transferred.is_set():
                return
            self._execute(application.name, application.data)

    def _execute(self, name: str, data: str) -> None:
        """Run an application; what the sandbox does not simulate ends the call, as what there is not does."""
        try:
            self._run_application(name, data)
        except NotSimulated as refused:
            log.error("sandbox_does_not_simulate", what=str(refused))
            self.channel.hang_up("DESTINATION_OUT_OF_ORDER")

    def _run_application(self, name: str, data: str) -> None:
        """switch_core_session_exec: the data is expanded first; CHANNEL_EXECUTE before, _COMPLETE after."""
        channel = self.channel
        run = self.node.applications.get(name)
        if run is None:
            raise NotSimulated(name)
        data = channel.expand(data)
        channel.current_application = (name, data)
        channel.variables |= {"current_application": name} | ({"current_application_data": data} if data else {})
        described = {
            "Application": name,
            "Application-Data": data,
            "Application-UUID": str(uuid.uuid4()),
        }
        channel.fire("CHANNEL_EXECUTE", described)
        run(self, data)
        channel.fire("CHANNEL_EXECUTE_COMPLETE", described)

    def _finish(self) -> None:
        """switch_core_session_hangup_state, then _reporting_state: the hook runs before CHANNEL_HANGUP_COMPLETE."""
        channel = self.channel
        if self.end_recordings is not None:
            self.end_recordings(self)
        channel.set_state("CS_HANGUP")
        channel.close_dialog()
        channel.set_call_state("HANGUP")
        hook = channel.variables.get("api_hangup_hook")
        if hook:
            command, _, argument = hook.partition(" ")
            self.node.api(command, channel.expand(argument))
        call_record.write(channel)
        channel.set_state("CS_REPORTING")
        channel.fire("CHANNEL_HANGUP_COMPLETE")
        gevent.sleep(0)
        channel.next_state = "CS_DESTROY"
        channel.fire("CHANNEL_DESTROY")
        channel.set_state("CS_DESTROY")
        self.node.forget_session(self)


def parse_inline(extension: str) -> list[Application]:
    """inline_dialplan_hunt (mod_dptools.c): `app:data,app:data`; `m:X:` in front names another delimiter."""
    delimiter = ","
    if extension.startswith("m:") and extension[3:4] == ":":
        delimiter, extension = extension[2], extension[4:]
    applications = []
    for part in separate_string(extension, delimiter, 128):
        name, _, data = part.partition(":")
        applications.append(Application(name.strip(" "), data))
    return applications
