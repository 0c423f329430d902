"""The dial string: originate's variables and member flags as tables, and the escaping.

`{a=b,c=d}destination app` is parsed by hand inside FreeSWITCH (switch_ivr_originate.c, switch_event.c): a comma,
`}`, `|`, quote, `${` or line break in a value can add a variable, a second leg or an API call. So a value from
outside is first checked against what it may be (SAFE_VALUE, sip_uri …) and only then used, its one escape `\\s`, for a
space; what people have written is spelt by values.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from orchestrator.domain.commands import CreateParticipant
from orchestrator.domain.conference import Participant
from orchestrator.domain.hearing import is_mixed
from orchestrator.errors import BadParameter
from orchestrator.freeswitch.coach_mark import COACH_MARK, COACH_VARIABLE
from orchestrator.freeswitch.commands import JOIN_FLAGS, ON_ANSWER, join_flags, set_exit_hook_on_answer
from orchestrator.freeswitch.leg_audio import DETECTION_VARIABLE, detection_wanted
from orchestrator.freeswitch.sip_headers import caller_user, shown_name, sip_variables
from orchestrator.freeswitch.sip_uri import SipUri, parse_sip_uri
from orchestrator.freeswitch.values import ANOTHER_ORIGINATE, is_carried, is_display_name, spelt

CONFERENCE_VARIABLE: Final = "orchestrator_conference_sid"
"""Channel variable that tells every CHANNEL_ event which conference its leg belongs to."""

PROFILE: Final = "orchestrator"
"""The conference profile in freeswitch-conf."""

ENDS_WITH_THE_LAST: Final = "mandatory_member_endconf"
"""Member flag: with the last of those who have it the switch ends the conference, whatever else is in it: a leg that
records would keep it alive (conference_member.c, conference_member_del)."""

TIMEOUT_BUFFER_SECONDS: Final = 5
"""Twilio adds 5 s to Timeout (wire-contract section 3.3)."""

SAFE_VALUE: Final = re.compile(r"[A-Za-z0-9+._~@:;=&?/!*() \[\]-]*", re.ASCII)
"""What a variable's value may be made of: nothing that FreeSWITCH gives a meaning to inside the braces."""

PHONE_NUMBER: Final = re.compile(r"\+?[1-9][0-9]{1,14}", re.ASCII)
CLIENT_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,120}", re.ASCII)
SIP_USER: Final = re.compile(r"[A-Za-z0-9+_][A-Za-z0-9+._~!*-]{0,127}", re.ASCII)
RTP_CHECKS: Final = {
    "execute_on_answer_rtp": "execute_extension media XML orchestrator",
    "execute_on_audio_change": "execute_extension moved XML orchestrator",
}
"""Channel variables that have a leg asked whether RTP may go where its far end wants it, before it does: when it is
answered, and when the far end names another address (freeswitch-conf/dialplan/media.xml, switch_core_media.c)."""

RTP_CHECK_ON_JOIN: Final = "execute_extension:join XML orchestrator"
"""The same for early media, whose address is not known yet when the switch runs what it runs on it."""


NOWHERE: Final = "error/NO_ROUTE_DESTINATION"
"""An endpoint that fails at once with this cause (mod_dptools.c, error_outgoing_channel)."""

TRUNK_PROFILE: Final = "internal"
"""The SIP profile of freeswitch-conf, by which trunks are reached."""

DIRECT_ROUTE: Final = re.compile(r"sofia/(?!gateway/)[^/]+/\{address\}")
"""A SIP_ROUTE by which the switch connects to the URI's own host, not to a server of the operator's."""


@dataclass(frozen=True, slots=True)
class Routes:
    """How each kind of `To` is dialled: the operator's templates. `behind_nat`: those of them, by name, whose far ends
    send RTP from another address than they say."""

    number: str
    sip: str
    client: str
    behind_nat: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a `To` is dialled. `uri`: of a `sip:`; `is_direct`: it is the switch itself that connects to its host, at
    `server` if that is known. `fallbacks`: where else, if it fails there as UNREACHED says."""

    dialled: str
    behind_nat: bool
    uri: SipUri | None = None
    is_direct: bool = False
    server: str = ""
    fallbacks: tuple[str, ...] = ()

    def with_left(self, left: int) -> Destination:
        """Return the destination when only so many of `fallbacks` are left to be tried, should this fail, too."""
        tried = (self.dialled, *self.fallbacks)
        return replace(self, dialled=tried[len(self.fallbacks) - left])

    def variables(self) -> list[tuple[str, str]]:
        """Return what the switch has to know of the far end. RTP is taken from the address that it says and from no
        other, and goes where the node's operator lets it; behind NAT neither can be (switch_rtp.c, rtp_common_read)."""
        rows = [("sip_route_uri", self.server)] if self.server else []
        if self.behind_nat:
            return rows
        return [*rows, ("disable_rtp_auto_adjust", "true"), *RTP_CHECKS.items()]


@dataclass(frozen=True, slots=True)
class Originate:
    """Dial a participant and put the leg into its conference. Answers only when the far end does: use `bgapi`.

    The leg joins as it is to sound; deaf unless the conference has `started`, for whoever waits must not hear.
    """

    command: CreateParticipant
    participant: Participant
    destination: Destination
    started: bool

    def render(self) -> str:
        """`originate {variables}destination conference:CF…@profile inline`. Raises BadParameter."""
        pairs = [(name, _escaped(value)) for name, value in self._variables()]
        pairs += [(name, _spelt(name, value)) for name, value in self._texts()]
        variables = ",".join(f"{name}={value}" for name, value in pairs)
        checks = "" if self.destination.behind_nat else _escaped(RTP_CHECK_ON_JOIN) + ","
        join = f"{checks}conference:{self.participant.conference_sid}@{PROFILE}+flags{{{ENDS_WITH_THE_LAST}}}"
        return f"originate {{{variables}}}{self.destination.dialled} {join} inline"

    def _variables(self) -> list[tuple[str, str]]:
        rows = [(name, make(self.command, self.participant)) for name, make in VARIABLES.items()]
        rows.append((JOIN_FLAGS, join_flags(not is_mixed(self.participant), not self.started) or None))
        return [*((name, value) for name, value in rows if value is not None), *self.destination.variables()]

    def _texts(self) -> list[tuple[str, str]]:
        name = shown_name(self.command) or caller_user(self.command.caller_id or self.command.from_)
        return [(NAME_SHOWN, name), *sip_variables(self.command, self.destination.uri)]


def _escaped(value: str) -> str:
    if value == join_flags(muted=True, deaf=True):  # ours, and the one value whose bar means something
        return value
    if SAFE_VALUE.fullmatch(value) is None or ANOTHER_ORIGINATE in value:
        raise BadParameter("a value cannot be carried to the switch")
    return value.replace(" ", "\\s")


def _spelt(name: str, text: str) -> str:
    if not (is_display_name if name == NAME_SHOWN else is_carried)(text):
        raise BadParameter("a value cannot be carried to the switch")
    return spelt(text)


def _early_media_limit(command: CreateParticipant, participant: Participant) -> str | None:
    """Return the command that hangs up a leg that is not answered in time: with early media it counts as connected, and
    `originate_timeout` no longer holds."""
    if not command.early_media:
        return None
    seconds = command.timeout_seconds + TIMEOUT_BUFFER_SECONDS
    return f"sched_hangup +{seconds} {participant.switch.channel_uuid} NO_ANSWER"


NAME_SHOWN: Final = "origination_caller_id_name"

JITTER_BUFFERS: Final = {"small": "60:200", "medium": "120:500", "large": "220:1000"}
"""JitterBufferSize as what is kept back at first, and at most, in ms (switch_core_media.c, check_jb); at first it is a
frame of 20 ms less: the first one is played when the last one comes (switch_jitterbuffer.c, switch_jb_get_packet)."""

Make = Callable[[CreateParticipant, Participant], str | None]

VARIABLES: Final[dict[str, Make]] = {
    "origination_uuid": lambda _, participant: participant.switch.channel_uuid,
    CONFERENCE_VARIABLE: lambda _, participant: participant.conference_sid,
    "origination_caller_id_number": lambda command, _: caller_user(command.caller_id or command.from_),
    "originate_timeout": lambda command, _: str(command.timeout_seconds + TIMEOUT_BUFFER_SECONDS),
    # Else whoever is called decides who is called next: past the routes, and as often as they like.
    "outbound_redirect_fatal": lambda _, __: "true",
    "ignore_early_media": lambda command, _: "false" if command.early_media else "true",
    "api_on_pre_answer": _early_media_limit,
    "api_on_answer": lambda command, participant: (
        f"sched_del {participant.switch.channel_uuid}" if command.early_media else None
    ),
    # Behind the one before, which would take it away again: they run in this order (switch_channel.c, api_on). A second
    # more: it counts whole seconds of the clock, and would cut the call up to one short (sched_hangup_function,
    # mod_commands.c; switch_scheduler.c).
    "api_on_answer_limit": lambda command, participant: (
        f"sched_hangup +{command.time_limit_seconds + 1} {participant.switch.channel_uuid} ALLOTTED_TIMEOUT"
        if command.time_limit_seconds
        else None
    ),
    "jitterbuffer_msec": lambda command, _: JITTER_BUFFERS.get(command.jitter_buffer_size or "off"),
    DETECTION_VARIABLE: lambda command, _: detection_wanted(command),
    COACH_VARIABLE: lambda _, participant: COACH_MARK if participant.coaching else None,
    ON_ANSWER: lambda _, participant: (
        set_exit_hook_on_answer(participant.conference_sid) if participant.end_conference_on_exit else None
    ),
}
"""Variable -> its value, None: not set. One row per create parameter that the switch has to know."""

RENDERED_FIELDS: Final[frozenset[str]] = frozenset({
    "from_", "to", "caller_id", "timeout_seconds", "early_media", "end_conference_on_exit", "muted", "coaching",
    "time_limit_seconds", "jitter_buffer_size", "caller_display_name", "call_reason",
    "sip_auth_username", "sip_auth_password",
    "machine_detection", "machine_detection_timeout_seconds", "machine_detection_speech_threshold_ms",
    "machine_detection_speech_end_threshold_ms", "machine_detection_silence_timeout_ms",
})  # fmt: skip
"""The fields of CreateParticipant that VARIABLES, `sip_variables` and `destination_of` render."""


def destination_of(to: str, routes: Routes) -> Destination:
    """Return where a checked `To` is dialled. Raises BadParameter (21214) if the operator has no route for its kind."""
    kind = to.partition(":")[0]
    if kind in ("sip", "sips"):
        return _sip_destination(to, routes)
    if kind == "client":
        name = _matching(CLIENT_NAME, to.removeprefix("client:").partition("?")[0])
        dialled = _routed(routes.client, "CLIENT_ROUTE").replace("{name}", name)
        return Destination(dialled, "client" in routes.behind_nat)
    dialled = _routed(routes.number, "OUTBOUND_ROUTE").replace("{number}", _matching(PHONE_NUMBER, to))
    return Destination(dialled, "number" in routes.behind_nat)


def trunk_destination(number: str, gateways: Sequence[str], routes: Routes) -> Destination:
    """Return where a phone number is dialled by gateways of the operator's, `host:port`, in this order. With `sip:`
    nothing is looked up in registrations (mod_sofia.c, sofia_outgoing_channel). Raises BadParameter (21300)."""
    if PHONE_NUMBER.fullmatch(number) is None:
        raise BadParameter("Byoc: a trunk takes phone numbers only", code=21300)
    first, *others = (f"sofia/{TRUNK_PROFILE}/sip:{number}@{gateway}" for gateway in gateways)
    return Destination(first, "number" in routes.behind_nat, fallbacks=tuple(others))


def _sip_destination(to: str, routes: Routes) -> Destination:
    route = _routed(routes.sip, "SIP_ROUTE")
    try:
        uri = parse_sip_uri(to)
    except ValueError as error:
        raise BadParameter("To: cannot be dialled", code=21211) from error
    is_direct = DIRECT_ROUTE.fullmatch(route) is not None
    # With its scheme nothing is looked up in registrations, or by gethostbyname (mod_sofia.c, sofia_outgoing_channel).
    dialled = route.replace("{address}", f"sip:{uri.address}" if is_direct else uri.address)
    return Destination(dialled, "sip" in routes.behind_nat, uri, is_direct)


def route_uri(address: IPv4Address | IPv6Address, port: int, transport: str) -> str:
    """Return the value of `sip_route_uri`: where a call's first request goes, and all that follow, whatever Contact
    says."""
    host = f"[{address}]" if address.version == 6 else str(address)
    return f"sip:{host}:{port};transport={transport}"


def _matching(shape: re.Pattern[str], text: str) -> str:
    if shape.fullmatch(text) is None:
        raise BadParameter("To: cannot be dialled", code=21211)
    return text


def _routed(route: str, setting: str) -> str:
    if not route:
        raise BadParameter(f"To: this server has no {setting}, so it cannot be dialled", code=21214)
    return route
