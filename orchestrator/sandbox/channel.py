"""A channel: one call leg, its variables, and the headers that its events carry.

The events and their order are those of switch_channel.c and switch_core_state_machine.c; `session.py` moves it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Protocol

from gevent.event import Event as Signal

from orchestrator.sandbox import recorded
from orchestrator.sandbox.caller_profile import FIELDS_NOT_SIMULATED, CallerProfile
from orchestrator.sandbox.causes import NUMBERS, q850_of
from orchestrator.sandbox.not_simulated import NotSimulated
from orchestrator.sandbox.phones import Redirect, Refuse
from orchestrator.sandbox.switch_strings import expand_variables

_STATE_NUMBERS = {
    "CS_NEW": 0,
    "CS_INIT": 1,
    "CS_ROUTING": 2,
    "CS_EXECUTE": 4,
    "CS_CONSUME_MEDIA": 7,
    "CS_HANGUP": 10,
    "CS_REPORTING": 11,
    "CS_DESTROY": 12,
}
_CALL_STATE_NUMBERS = {"DOWN": 0, "RINGING": 2, "EARLY": 3, "ACTIVE": 4, "HANGUP": 7}
_CODEC_HEADERS = {
    "Channel-Read-Codec-Name": "PCMU",
    "Channel-Read-Codec-Rate": "8000",
    "Channel-Read-Codec-Bit-Rate": "64000",
    "Channel-Write-Codec-Name": "PCMU",
    "Channel-Write-Codec-Rate": "8000",
    "Channel-Write-Codec-Bit-Rate": "64000",
}
_READS_L16 = {"Channel-Read-Codec-Name": "L16", "Channel-Read-Codec-Bit-Rate": "128000"}
_MOMENTS = ("Answered", "Progress", "Progress-Media", "Hangup", "Transfer", "Resurrect", "Bridged")


class ChannelHost(Protocol):
    """What a channel needs of its node."""

    def fire(self, name: str, headers: dict[str, str]) -> None:
        """Fire an event."""

    def api(self, command: str, argument: str) -> str:
        """Run an API command."""


class Execute(Protocol):
    """How a channel runs an application that a variable names; its session gives it."""

    def __call__(self, application: str, data: str, /) -> object:
        """Run it to its end."""


def microseconds_now() -> int:
    """Return the time as FreeSWITCH counts it."""
    return int(time.time() * 1_000_000)


@dataclass(slots=True, eq=False)
class Channel:
    """One leg. `hung_up` is set the moment that it is hung up; its session notices a frame later."""

    host: ChannelHost
    channel_uuid: str
    name: str
    profile: CallerProfile
    variables: dict[str, str]
    direction: str = "outbound"
    execute: Execute = field(default=lambda application, data: None)
    state: str = "CS_NEW"
    next_state: str = "CS_ROUTING"
    call_state: str = "DOWN"
    answer_state: str = "ringing"
    hangup_cause: str | None = None
    in_dialplan: bool = False
    responded: bool = False
    has_codec: bool = False
    reads_l16: bool = False
    current_application: tuple[str, str] = ("", "")
    created_at: int = field(default_factory=microseconds_now)
    moments: dict[str, int] = field(default_factory=dict)
    early_media: Signal = field(default_factory=Signal)
    number: str = ""
    names: dict[str, str] = field(default_factory=dict)
    """What the placeholders of recorded variables stand for; none: nothing is recorded of such a call."""
    answered: Signal = field(default_factory=Signal)
    hung_up: Signal = field(default_factory=Signal)

    @property
    def has_media(self) -> bool:
        """Whether sound flows: after an answer, or early media."""
        return self.answered.is_set() or self.early_media.is_set()

    # --- what its events say -------------------------------------------------------------------------------------

    def basic_headers(self) -> dict[str, str]:
        """switch_channel_event_set_basic_data."""
        headers = {
            "Channel-State": self.state,
            "Channel-Call-State": self.call_state,
            "Channel-State-Number": str(_STATE_NUMBERS[self.next_state]),
            "Channel-Name": self.name,
            "Unique-ID": self.channel_uuid,
            "Call-Direction": self.direction,
            "Presence-Call-Direction": self.direction,
            "Channel-HIT-Dialplan": "true" if self.in_dialplan else "false",
            "Channel-Call-UUID": self.channel_uuid,
            "Answer-State": self.answer_state,
        }
        headers |= {"Channel-Presence-ID": presence} if (presence := self.variables.get("presence_id")) else {}
        headers |= {"Hangup-Cause": self.hangup_cause} if self.hangup_cause is not None else {}
        if self.has_codec:
            headers |= _CODEC_HEADERS | (_READS_L16 if self.reads_l16 else {})
        stamps = {"Created": self.created_at} | {name: self.moments.get(name, 0) for name in _MOMENTS}
        return headers | self.profile.headers(self.direction, self.channel_uuid, self.name, stamps, seen=self.responded)

    def full_headers(self) -> dict[str, str]:
        """switch_channel_event_set_data: the basic ones and every variable."""
        return self.basic_headers() | {f"variable_{name}": value for name, value in self.variables.items()}

    def read_as(self, codec: str) -> None:
        """A conference decodes itself what it is told."""
        self.reads_l16 = codec == "L16"
        self.variables["read_codec"] = codec

    def expand(self, text: str) -> str:
        """switch_channel_expand_variables."""
        return expand_variables(text, self._named())

    def value_of(self, name: str) -> str | None:
        """switch_channel_get_variable, with a refusal for what the real one finds elsewhere."""
        value = self._named().get(name)
        if value is None and (name in FIELDS_NOT_SIMULATED or name in recorded.GLOBALS):
            raise NotSimulated(f"{name} of a channel")
        return value

    def _named(self) -> dict[str, str]:
        """What is no variable may be a field of the caller's profile."""
        profile = {
            "caller_id_name": self.profile.caller_name,
            "caller_id_number": self.profile.caller_number,
            "destination_number": self.profile.destination,
        }
        return profile | self.variables

    def fire(self, name: str, extra: dict[str, str] | None = None) -> None:
        """Fire an event with everything that is known of the channel."""
        self.host.fire(name, self.full_headers() | (extra or {}))

    # --- what happens to it --------------------------------------------------------------------------------------

    def set_state(self, state: str) -> None:
        """switch_channel_set_running_state."""
        self.state = self.next_state = state
        self.host.fire("CHANNEL_STATE", self.basic_headers())

    def set_call_state(self, call_state: str) -> None:
        """switch_channel_set_callstate."""
        former, self.call_state = self.call_state, call_state
        numbered = {
            "Original-Channel-Call-State": former,
            "Channel-Call-State-Number": str(_CALL_STATE_NUMBERS[call_state]),
        }
        self.host.fire("CHANNEL_CALLSTATE", numbered | self.basic_headers())

    def mark_ring_ready(self) -> None:
        """180 from the far end (switch_channel_mark_ring_ready): CHANNEL_PROGRESS."""
        if self.hung_up.is_set() or "Progress" in self.moments or "Answered" in self.moments:
            return
        self._name_callee()
        self._respond("rings")
        self.moments["Progress"] = microseconds_now()
        self.fire("CHANNEL_PROGRESS")
        self._run_hooks("execute_on_ring", "api_on_ring")
        self.set_call_state("RINGING")

    def mark_pre_answered(self) -> None:
        """183 with media (switch_channel_mark_pre_answered): CHANNEL_PROGRESS_MEDIA."""
        if self.hung_up.is_set() or "Progress-Media" in self.moments or "Answered" in self.moments:
            return
        self._name_callee()
        self._respond("rings", "early")
        self.moments["Progress-Media"] = microseconds_now()
        self.answer_state = "early"
        self.variables["endpoint_disposition"] = "EARLY MEDIA"
        self.fire("CHANNEL_PROGRESS_MEDIA")
        self._respond("media")
        self._run_hooks("execute_on_pre_answer", "execute_on_media", "api_on_pre_answer", "api_on_media")
        self.set_call_state("EARLY")
        self.early_media.set()

    def mark_answered(self) -> None:
        """200 (switch_channel_mark_answered): CHANNEL_ANSWER. The hooks on media run once, with the first media."""
        if self.hung_up.is_set() or "Answered" in self.moments:
            return
        self._name_callee()
        self._respond("rings", *(() if "Progress-Media" in self.moments else ("media",)))
        self.moments["Answered"] = microseconds_now()
        self.answer_state = "answered"
        self.fire("CHANNEL_ANSWER")
        self.variables["endpoint_disposition"] = "ANSWER"
        self._run_hooks("execute_on_answer")
        if "Progress-Media" not in self.moments:
            self._run_hooks("execute_on_media", "api_on_media")
        self._run_hooks("api_on_answer")
        self.set_call_state("ACTIVE")
        self.answered.set()

    def refuse(self, refusal: Refuse) -> None:
        """A final SIP response other than 200 (sofia_handle_sip_i_state of mod_sofia/sofia.c)."""
        self._respond("refused")
        status = str(refusal.sip_status)
        self.variables |= {
            "sip_hangup_disposition": "recv_refuse",
            "sip_invite_failure_status": status,
            "sip_invite_failure_phrase": refusal.phrase,
            "sip_term_status": status,
            "proto_specific_hangup_cause": f"sip:{status}",
            "sip_term_cause": str(NUMBERS[refusal.cause]),
        }
        self.hang_up(refusal.cause)

    def redirect(self, redirection: Redirect) -> None:
        """A 3xx with outbound_redirect_fatal: its status is in one variable only, the others are those of a CANCEL."""
        self.variables |= {
            "proto_specific_hangup_cause": f"sip:{redirection.sip_status}",
            "sip_hangup_disposition": "recv_refuse",
        }
        self.hang_up("REQUESTED_CHAN_UNAVAIL")
        del self.variables["sip_hangup_disposition"]

    def far_end_hangs_up(self) -> None:
        """BYE from the far end (sofia_handle_sip_i_bye)."""
        self.variables |= {
            "sip_term_status": "200",
            "proto_specific_hangup_cause": "sip:200",
            "sip_term_cause": "16",
            "sip_reason": 'Q.850;cause=16;text="NORMAL_CLEARING"',
        }
        self.hang_up("NORMAL_CLEARING")
        self.variables["sip_hangup_disposition"] = "recv_bye"

    def hang_up(self, cause: str) -> None:
        """switch_channel_perform_hangup: CHANNEL_HANGUP at once, the rest is the session's. The first one counts."""
        if self.hung_up.is_set():
            return
        self.hung_up.set()
        self.hangup_cause = cause
        self.next_state = "CS_HANGUP"
        self.answer_state = "hangup"
        self.fire("CHANNEL_HANGUP")

    def close_dialog(self) -> None:
        """What sofia_on_hangup tells the far end, and writes down, when it was us who hung up."""
        self.moments["Hangup"] = microseconds_now()
        cause = self.hangup_cause or "NONE"
        self.variables |= {"hangup_cause": cause, "hangup_cause_q850": str(q850_of(cause))}
        if "sip_hangup_disposition" in self.variables or not self.names:
            return
        if "Answered" in self.moments:
            self.variables["sip_hangup_disposition"] = "send_bye"
        else:
            self.variables |= {
                "sip_hangup_disposition": "send_cancel",
                "sip_invite_failure_status": "487",
                "sip_invite_failure_phrase": "CANCEL",
            }

    def _respond(self, *stages: str) -> None:
        """The far end's first answer has what every answer has; media come with the first SDP."""
        for stage in stages:
            if self.names and not (stage == "rings" and self.responded):
                self.variables |= recorded.variables(stage, self.names)
        self.responded = True
        self.has_codec |= "media" in stages

    def _name_callee(self) -> None:
        if self.profile.callee_name == "Outbound Call":
            self.profile.callee_name = self.profile.callee_number

    def _run_hooks(self, *prefixes: str) -> None:
        """switch_channel_execute_on and _api_on: every variable whose name begins so, in the order they were set."""
        for prefix in prefixes:
            for name in [name for name in self.variables if name.startswith(prefix)]:
                command, _, argument = self.variables[name].partition(" ")
                run = self.host.api if prefix.startswith("api_on") else self.execute
                run(command, self.expand(argument))
