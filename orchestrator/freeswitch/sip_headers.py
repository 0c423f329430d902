"""What a call's INVITE says beside where it goes: the custom parameters of `To`, who calls, why, and credentials.

A channel variable `sip_h_X` is sent as a header X, its value as it is (mod_sofia/sofia_glue.c,
sofia_glue_get_extra_headers).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote

from orchestrator.domain.commands import CreateParticipant
from orchestrator.errors import BadParameter
from orchestrator.freeswitch.sip_uri import SipUri
from orchestrator.freeswitch.values import is_carried

LONGEST: Final = 1024
"""All that stands behind the `?` of a `To` (https://www.twilio.com/docs/errors/21227)."""

LONGEST_CREDENTIALS: Final = 160
"""User name and password together: mod_sofia has 255 bytes for both and the realm (sofia_reg.c, authentication)."""

AS_THEY_ARE: Final = {"user-to-user": "User-to-User", "p-called-party-id": "P-Called-Party-ID"}
"""Headers without `X-` that may be named (https://www.twilio.com/docs/errors/13252)."""

NOBODYS: Final = re.compile(r"(x-)?(remote-party-id|p-preferred-identity|p-asserted-identity|identity|fs-.*)")
"""Who calls is said by From and CallerId; and what a FreeSWITCH at the far end obeys (mod_sofia/sofia.c)."""

_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,62}[A-Za-z0-9])?", re.ASCII)


def custom_headers(custom: str) -> dict[str, str]:
    """Read `a=b&c=d`, from behind the `?` of a `To`, as headers: `X-a: b`. As in a SIP URI, `+` is a plus (RFC 3261,
    25.1). One without a value is as if it were not there: the switch sends no empty header.

    Raises BadParameter (21227, 21228, 21229).
    """
    if len(custom) > LONGEST:
        raise BadParameter(f"To: custom parameters may have {LONGEST} characters together", code=21227)
    headers: dict[str, str] = {}
    for part in filter(None, custom.split("&")):
        name, _, escaped = part.partition("=")
        header, value = _header_name(unquote(name)), unquote(escaped).strip(" ")
        if header.lower() in (other.lower() for other in headers):
            raise BadParameter(f"To: the custom parameter {name} is there twice", code=21228)
        if not value:
            continue
        if "\N{REPLACEMENT CHARACTER}" in value or not is_carried(value):
            raise BadParameter(f"To: the custom parameter {name}: a header cannot have this value", code=21229)
        headers[header] = value
    return headers


def _header_name(name: str) -> str:
    if _NAME.fullmatch(name) is None or NOBODYS.fullmatch(name.lower()) or name.lower() == "x-":
        raise BadParameter(f"To: a custom parameter cannot be called {name[:64]!r}", code=21228)
    return AS_THEY_ARE.get(name.lower()) or (name if name.lower().startswith("x-") else f"X-{name}")


def sip_variables(command: CreateParticipant, uri: SipUri | None) -> Iterator[tuple[str, str]]:
    """Return the channel variables of all that the called party is told, as texts; `uri`: of a `sip:`.

    Raises BadParameter.
    """
    custom = command.to.partition("?")[2] if uri is None else uri.custom
    for header, value in custom_headers(custom).items():
        yield f"sip_h_{header}", value
    if command.call_reason:
        yield "sip_h_Subject", command.call_reason
    if uri is None:
        return
    yield from _identity(command, uri)
    if command.sip_auth_username and command.sip_auth_password:
        yield "sip_auth_username", command.sip_auth_username
        yield "sip_auth_password", command.sip_auth_password


def _identity(command: CreateParticipant, uri: SipUri) -> Iterator[tuple[str, str]]:
    """`From` is in P-Asserted-Identity, `CallerId` in From (wire-contract section 3.3). The switch can say one of them
    in both, in its own domain; where they differ, a phone number needs none, and anybody else's is the one that is
    called."""
    caller = caller_user(command.from_)
    if command.caller_id is None or caller_user(command.caller_id) == caller:
        yield "sip_cid_type", "pid"
        return
    yield "sip_cid_type", "none"
    number = re.fullmatch(r"\+[0-9]+", caller)
    yield "sip_h_P-Asserted-Identity", f"<tel:{caller}>" if number else f"<sip:{caller}@{uri.host}>"


def caller_user(text: str) -> str:
    """Return the user part of a caller: a phone number, a client's name or a SIP user."""
    return text.removeprefix("client:")


def shown_name(command: CreateParticipant) -> str:
    """Return the name beside the number: to `sip:` and `client:` one of the client's own."""
    is_phone = not command.to.startswith(("sip:", "sips:", "client:"))
    return "" if is_phone else command.caller_display_name or ""
