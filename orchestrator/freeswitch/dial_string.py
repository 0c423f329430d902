"""The dial string: originate's variables and member flags as tables, and the escaping.

`{a=b,c=d}destination app` is parsed by hand inside FreeSWITCH (switch_ivr_originate.c, switch_event.c): a comma,
`}`, `|`, quote, `${` or line break in a value can add a variable, a second leg or an API call. So a value from
outside is first checked against what it may be (SAFE_VALUE, SIP_ADDRESS …) and only then used; the one escape is
`\\s`, for a space: originate splits its arguments at spaces before it looks at braces.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from orchestrator.domain.commands import CreateParticipant
from orchestrator.domain.conference import Participant
from orchestrator.errors import BadParameter
from orchestrator.freeswitch.commands import ON_ANSWER, set_exit_hook_on_answer

CONFERENCE_VARIABLE: Final = "orchestrator_conference_sid"
"""Channel variable that tells every CHANNEL_ event which conference its leg belongs to."""

UNADMITTED: Final = "mute|deaf"
"""Everybody joins unheard and deaf: whom they may hear and who may hear them is decided when they have a member id, and
a listener that is late, or away, must not let anybody hear a coach meanwhile."""

PROFILE: Final = "orchestrator"
"""The conference profile in freeswitch-conf."""

TIMEOUT_BUFFER_SECONDS: Final = 5
"""Twilio adds 5 s to Timeout (seed 004, "Timeout")."""

SAFE_VALUE: Final = re.compile(r"[A-Za-z0-9+._~@:;=&?/!*() -]*", re.ASCII)
"""What a variable's value may be made of: nothing that FreeSWITCH gives a meaning to inside the braces."""

ANOTHER_ORIGINATE: Final = ":_:"
"""Wherever it stands, FreeSWITCH cuts a dial string there and dials both parts (switch_ivr_originate.c)."""

PHONE_NUMBER: Final = re.compile(r"\+?[1-9][0-9]{1,14}", re.ASCII)
CLIENT_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,120}", re.ASCII)
SIP_USER: Final = re.compile(r"[A-Za-z0-9+_][A-Za-z0-9+._~!*-]{0,127}", re.ASCII)
SIP_ADDRESS: Final = re.compile(
    r"(?:[A-Za-z0-9+_][A-Za-z0-9+._~!*-]{0,127}@)?"
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])"
    r"(?::[0-9]{1,5})?(?:;transport=(?:udp|tcp|tls))?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Routes:
    """How each kind of `To` is dialled: the operator's templates."""

    number: str
    sip: str
    client: str


@dataclass(frozen=True, slots=True)
class Originate:
    """Dial a participant and put the leg into its conference. Answers only when the far end does: use `bgapi`."""

    command: CreateParticipant
    participant: Participant
    destination: str

    def render(self) -> str:
        """`originate {variables}destination conference:CF…@profile inline`. Raises BadParameter."""
        variables = ",".join(f"{name}={_escaped(value)}" for name, value in self._variables())
        application = f"conference:{self.participant.conference_sid}@{PROFILE}"
        return f"originate {{{variables}}}{self.destination} {application} inline"

    def _variables(self) -> list[tuple[str, str]]:
        rows = ((name, make(self.command, self.participant)) for name, make in VARIABLES.items())
        return [(name, value) for name, value in rows if value is not None]


def _escaped(value: str) -> str:
    if value == UNADMITTED:  # ours, and the one value whose bar means something
        return value
    if SAFE_VALUE.fullmatch(value) is None or ANOTHER_ORIGINATE in value:
        raise BadParameter("a value cannot be carried to the switch")
    return value.replace(" ", "\\s")


def caller_user(text: str) -> str:
    """The user part of a caller: a phone number, a client's name or a SIP user."""
    return text.removeprefix("client:")


def _early_media_limit(command: CreateParticipant, participant: Participant) -> str | None:
    """With early media the leg counts as connected, and `originate_timeout` no longer holds."""
    if not command.early_media:
        return None
    seconds = command.timeout_seconds + TIMEOUT_BUFFER_SECONDS
    return f"sched_hangup +{seconds} {participant.switch.channel_uuid} NO_ANSWER"


Make = Callable[[CreateParticipant, Participant], str | None]

VARIABLES: Final[dict[str, Make]] = {
    "origination_uuid": lambda _, participant: participant.switch.channel_uuid,
    CONFERENCE_VARIABLE: lambda _, participant: participant.conference_sid,
    "origination_caller_id_number": lambda command, _: caller_user(command.caller_id or command.from_),
    "origination_caller_id_name": lambda command, _: caller_user(command.caller_id or command.from_),
    "originate_timeout": lambda command, _: str(command.timeout_seconds + TIMEOUT_BUFFER_SECONDS),
    "ignore_early_media": lambda command, _: "false" if command.early_media else "true",
    "api_on_pre_answer": _early_media_limit,
    "api_on_answer": lambda command, participant: (
        f"sched_del {participant.switch.channel_uuid}" if command.early_media else None
    ),
    "conference_member_flags": lambda _, __: UNADMITTED,
    ON_ANSWER: lambda _, participant: (
        set_exit_hook_on_answer(participant.conference_sid) if participant.end_conference_on_exit else None
    ),
}
"""Variable -> its value, None: not set. One row per create parameter that the switch has to know."""

RENDERED_FIELDS: Final[frozenset[str]] = frozenset(
    {"from_", "to", "caller_id", "timeout_seconds", "early_media", "end_conference_on_exit"}
)
"""The fields of CreateParticipant that VARIABLES and `destination_of` render."""


def destination_of(to: str, routes: Routes) -> str:
    """Where a checked `To` is dialled. Raises BadParameter (21214) if the operator has no route for its kind."""
    if to.startswith("sip:"):
        return routes.sip.replace("{address}", _matching(SIP_ADDRESS, to.removeprefix("sip:").partition("?")[0]))
    if to.startswith("client:"):
        name = _matching(CLIENT_NAME, to.removeprefix("client:").partition("?")[0])
        return _routed(routes.client, "CLIENT_ROUTE").replace("{name}", name)
    return _routed(routes.number, "OUTBOUND_ROUTE").replace("{number}", _matching(PHONE_NUMBER, to))


def _matching(shape: re.Pattern[str], text: str) -> str:
    if shape.fullmatch(text) is None:
        raise BadParameter("To: cannot be dialled", code=21211)
    return text


def _routed(route: str, setting: str) -> str:
    if not route:
        raise BadParameter(f"To: this server has no {setting}, so it cannot be dialled", code=21214)
    return route
