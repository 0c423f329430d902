"""`originate`: dial, wait for the outcome, and send the answered leg to its applications.

originate_function of mod_commands.c and switch_ivr_originate of switch_ivr_originate.c, for one leg. Where the real one
would dial several (a `,`, `|` or `:_:` in the destination) the sandbox refuses: nobody means that.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass

import gevent
import structlog

from orchestrator.sandbox import loopback, recorded
from orchestrator.sandbox.caller_profile import CallerProfile
from orchestrator.sandbox.causes import cause_named
from orchestrator.sandbox.channel import Channel
from orchestrator.sandbox.node import Node
from orchestrator.sandbox.not_simulated import NotSimulated
from orchestrator.sandbox.phones import script_for, tone_hz
from orchestrator.sandbox.session import Application, Session
from orchestrator.sandbox.switch_strings import has_variable, parse_variable_blocks, separate_string

log = structlog.get_logger(__name__)

USAGE = (
    "-USAGE: <call url> <exten>|&<application_name>(<app_args>)"
    " [<dialplan>] [<context>] [<cid_name>] [<cid_num>] [<timeout_sec>]\n"
)
_WORDS = range(2, 8)
_DEFAULT_TIMEOUT_SECONDS = 60
_SOFIA_PROFILES = frozenset({"internal", "external", "gateway"})
GATEWAYS = frozenset({"carrier"})
"""Those that the sandbox has."""
_NOT_SIMULATED = (
    *("leg_timeout", "leg_progress_timeout", "leg_delay_start", "progress_timeout", "originate_retries"),
    *("originate_continue_on_timeout", "group_confirm_key", "api_on_originate", "execute_on_originate"),
)
_MORE_LEGS = (",", "|")
_NO_FAILURES = ("NONE", "SUCCESS")
# Splits the whole dial string, inside {} too.
_ENTERPRISE_SEPARATOR = ":_:"
# The originating thread looks at its leg every 20 ms; half of that on average.
_POLL_SECONDS = 0.01


class Failure(Exception):
    """The leg was not made, or was not answered; `cause` goes into the reply."""

    def __init__(self, cause: str) -> None:
        """The hangup cause that the caller is told."""
        super().__init__(cause)
        self.cause = cause


class NoRoute(Failure):
    """There is no route, which sofia finds out after it has made a session."""


@dataclass(frozen=True, slots=True)
class Request:
    """The words of the command, taken apart."""

    variables: dict[str, str]
    destination: str
    extension: str
    dialplan: str
    timeout_seconds: int


def originate(node: Node, argument: str) -> str:
    """Dial, and block until the leg is answered (or has early media that is not ignored), refused, or timed out."""
    words = separate_string(argument, " ", 10)
    if len(words) not in _WORDS:
        return USAGE
    try:
        request = _parse(words)
        session = _dial(node, request)
        _await_outcome(session.channel, request)
    except Failure as failure:
        return f"-ERR {failure.cause}\n"
    _send_on(session, request)
    return f"+OK {session.channel.channel_uuid}\n"


def _parse(words: list[str]) -> Request:
    given = [None if word.lower() == "undef" else word for word in words] + [None] * 7
    if _ENTERPRISE_SEPARATOR in words[0]:
        raise NotSimulated("several legs")
    blocks = parse_variable_blocks(words[0])
    if blocks is None:
        log.error("originate_parse_error", dial_string=words[0])
        raise Failure("DESTINATION_OUT_OF_ORDER")
    variables, destination = blocks
    for name in _NOT_SIMULATED:
        if name in variables:
            raise NotSimulated(name)
    for name, override in (
        ("origination_caller_id_name", given[4]),
        ("origination_caller_id_number", given[5]),
    ):
        if override is not None:
            variables.setdefault(name, override)
    timeout = variables.get("originate_timeout") or given[6] or ""
    return Request(
        variables=variables,
        destination=destination,
        extension=words[1],
        dialplan=given[2] or "XML",
        timeout_seconds=int(timeout) if timeout.isdigit() and int(timeout) else _DEFAULT_TIMEOUT_SECONDS,
    )


def _dial(node: Node, request: Request) -> Session:
    channel_uuid = request.variables.get("origination_uuid") or str(uuid.uuid4())
    endpoint, address = _endpoint(node, request.destination)
    if channel_uuid in node.sessions:
        log.critical("duplicate_uuid", channel_uuid=channel_uuid)
        if endpoint != loopback.LOOPBACK:
            raise Failure("DESTINATION_OUT_OF_ORDER")
        channel_uuid = str(uuid.uuid4())
    if not node.throttle.allows(len(node.sessions)):
        log.critical("sandbox_makes_no_further_session")
        raise Failure("DESTINATION_OUT_OF_ORDER")
    if endpoint == loopback.LOOPBACK:
        return loopback.dial(node, channel_uuid, request.variables, address)
    if endpoint == loopback.NULL:
        return loopback.dial_nobody(node, channel_uuid, request.variables, address)
    try:
        number, channel_name = _route(address)
    except NoRoute:
        profile = CallerProfile(caller_name="", caller_number="0000000000", destination="")
        Channel(node, str(uuid.uuid4()), "", profile, {}, state="CS_DESTROY").fire("CHANNEL_DESTROY")
        raise
    variables = _channel_variables(request.variables, channel_name)
    profile = CallerProfile(
        caller_name=variables.get("origination_caller_id_name", ""),
        caller_number=variables.get("origination_caller_id_number", "0000000000"),
        destination=number.replace("+", "%2B"),
        callee_number=number,
    )
    names = {
        "$uuid": channel_uuid,
        "$call_id": str(uuid.uuid4()),
        "$encoded": profile.destination,
        "$number": number,
        "$caller": profile.caller_number,
        "$host": channel_name.partition("@")[2],
    }
    variables = recorded.variables("created", names) | variables
    channel = Channel(node, channel_uuid, channel_name, profile, variables, number=number, names=names)
    session = Session(node, channel, script_for(number), tones=frozenset((tone_hz(number),)))
    node.add_session(session)
    session.start()
    return session


def _endpoint(node: Node, destination: str) -> tuple[str, str]:
    """One that makes legs, and what it is to dial; the others fail before there is a leg."""
    if any(separator in destination for separator in _MORE_LEGS):
        raise NotSimulated("several legs")
    endpoint, _, address = destination.partition("/")
    endpoint = endpoint.lower()
    is_loaded = endpoint not in loopback.ENDPOINTS or loopback.MODULE in node.modules
    if endpoint not in recorded.ENDPOINTS or not is_loaded:
        raise Failure("CHAN_NOT_IMPLEMENTED")
    if endpoint == "error":
        cause = cause_named(address)
        raise Failure("DESTINATION_OUT_OF_ORDER" if cause in _NO_FAILURES else cause)
    if endpoint == "user":
        raise Failure("SUBSCRIBER_ABSENT")
    if endpoint != "sofia" and endpoint not in loopback.ENDPOINTS:
        raise NotSimulated(f"originate {endpoint}/")
    return endpoint, address


def _route(address: str) -> tuple[str, str]:
    """The dialled number and the channel's name; of sofia only its usual profiles are known."""
    profile_name, _, target = address.partition("/")
    if profile_name not in _SOFIA_PROFILES:
        raise NoRoute("INVALID_PROFILE")
    if profile_name == "gateway":
        profile_name = "external"
        gateway, _, target = target.partition("/")
        if gateway not in GATEWAYS:
            raise NoRoute("INVALID_GATEWAY")
        target = f"{target}@{gateway}"
    if not target.partition("@")[2]:
        raise NoRoute("USER_NOT_REGISTERED")
    number = target.removeprefix("sip:").partition("@")[0]
    return number, f"sofia/{profile_name}/{target.replace('+', '%2B', 1)}"


def _channel_variables(given: dict[str, str], channel_name: str) -> dict[str, str]:
    """What sofia sets, then what the caller gave; a value that would be expanded is refused, with a log line."""
    kept = {}
    for name, value in given.items():
        if has_variable(value):
            log.critical("invalid_data_contains_a_variable", variable=name)
        else:
            kept[name] = value
    _, profile_name, target = channel_name.split("/", 2)
    return {
        "sip_profile_name": profile_name,
        "channel_name": channel_name,
        "sip_destination_url": f"sip:{target}",
    } | kept


def _await_outcome(channel: Channel, request: Request) -> None:
    """The wait loop of switch_ivr_originate. Timeouts count whole seconds of the clock, so they come early."""
    signals = [channel.answered, channel.hung_up]
    if request.variables.get("ignore_early_media", "false").lower() in ("false", "no", "0"):
        signals.append(channel.early_media)
    deadline = int(time.time()) + request.timeout_seconds
    gevent.wait(signals, timeout=max(0.0, deadline - time.time()), count=1)
    if not any(signal.is_set() for signal in signals):
        channel.hang_up("NO_ANSWER")
        raise Failure("NO_ANSWER")
    gevent.sleep(_POLL_SECONDS)
    if channel.hung_up.is_set():
        raise Failure(channel.hangup_cause or "NORMAL_CLEARING")


def _send_on(session: Session, request: Request) -> None:
    """`&app(data)` runs at once; anything else is an extension of the dialplan."""
    extension = request.extension
    if extension.startswith("&") and len(extension) > 1:
        name, _, data = extension[1:].partition(")")[0].partition("(")
        session.execute([Application(name, data)])
    else:
        session.transfer(extension, request.dialplan)
