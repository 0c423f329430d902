"""The dialplan applications that a leg can run (mod_dptools.c, mod_conference.c); each runs to its end."""

from __future__ import annotations

from collections.abc import Callable

import gevent
import structlog

from orchestrator.sandbox.causes import cause_named
from orchestrator.sandbox.clock import FRAME_SECONDS
from orchestrator.sandbox.conference import NO_PROFILE
from orchestrator.sandbox.member import Member
from orchestrator.sandbox.not_simulated import NotSimulated
from orchestrator.sandbox.session import Session
from orchestrator.sandbox.switch_strings import atoi

log = structlog.get_logger(__name__)

_EXTENSIONS = ("media XML orchestrator", "moved XML orchestrator", "join XML orchestrator")


def _set(session: Session, data: str) -> None:
    """set_function: `name=value`; nothing behind the = unsets."""
    name, _, value = data.partition("=")
    session.channel.variables.pop(name, None)
    if value:
        session.channel.variables[name] = value


def _answer(session: Session, data: str) -> None:
    """answer_function: an outbound leg cannot answer itself; a loopback pair is answered by its second leg."""
    if session.partner is not None:
        session.channel.mark_answered()
        session.partner.channel.mark_answered()


def _eavesdrop(session: Session, data: str) -> None:
    """eavesdrop_function, switch_ivr_eavesdrop_session: until either goes; at once if there is no such channel."""
    session.tapped = session.node.sessions.get(data)
    if session.tapped is None:
        if not data:
            log.error("eavesdrop_usage")
        return
    target = session.tapped.channel
    gevent.wait([session.transferred, session.channel.hung_up, target.hung_up], count=1)
    if target.hung_up.is_set():
        gevent.sleep(FRAME_SECONDS)


def _execute_extension(session: Session, data: str) -> None:
    """execute_extension_function: no XML is read here. Of freeswitch-conf/dialplan/media.xml nothing is left to do:
    `media` hangs up a leg whose RTP may not go where its far end wants it, and here is no RTP; `moved` asks `media`
    when the far end names another address, and no phone here does (execute_on_audio_change is never run); `join` waits
    for the address of early media, and asks `media`."""
    if data not in _EXTENSIONS:
        raise NotSimulated(f"execute_extension {data}")


def _hangup(session: Session, data: str) -> None:
    session.channel.hang_up(cause_named(data))


def _sched_hangup(session: Session, data: str) -> None:
    """sched_hangup_function: `[+]<time> [<cause>]`, of this channel."""
    when, _, cause = data.partition(" ")
    session.node.api("sched_hangup", f"{when} {session.channel.channel_uuid} {cause}")


def _sleep(session: Session, data: str) -> None:
    session.channel.hung_up.wait(max(0, atoi(data)) / 1000)


def _park(session: Session, data: str) -> None:
    """switch_ivr_park: CHANNEL_PARK until the channel is hung up or sent elsewhere."""
    session.channel.fire("CHANNEL_PARK")
    gevent.wait([session.transferred, session.channel.hung_up], count=1)
    session.channel.fire("CHANNEL_UNPARK")


def _conference(session: Session, data: str) -> None:
    """conference_function: join or make `name[@profile][+flags{…}]`; until put out, hung up or sent elsewhere."""
    channel = session.channel
    if not data:
        log.critical("conference_invalid_arguments")
        return
    address, _, flags = data.partition("+flags{")
    name, _, profile_name = address.strip(" ").rpartition("@")
    given_flags = [flags.partition("}")[0], channel.variables.get("conference_member_flags", "")]
    conference = session.node.join_conference(name or profile_name, profile_name if name else "default")
    if session.member_id is None:
        session.member_id = session.node.next_member_id()
    member = Member(session.member_id, channel, quiet=session.is_quiet)
    member.energy = 0 if conference.profile_name == NO_PROFILE else member.energy
    member.set_flags("|".join(flag for flag in given_flags if flag))
    session.membership = (conference, member)
    channel.read_as("L16")
    conference.add(member)
    gevent.wait([member.stopped, session.transferred, channel.hung_up], count=1)
    gevent.sleep(conference.seconds_to_notice(member))
    member.readers.wait()
    session.membership = None
    conference.remove(member)
    channel.read_as("PCMU")


APPLICATIONS: dict[str, Callable[[Session, str], None]] = {
    "answer": _answer,
    "conference": _conference,
    "eavesdrop": _eavesdrop,
    "execute_extension": _execute_extension,
    "hangup": _hangup,
    "park": _park,
    "sched_hangup": _sched_hangup,
    "set": _set,
    "sleep": _sleep,
}
