"""Parsers of single values: wire text -> a typed value, or an error that names the parameter."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from urllib3.util import parse_url

from orchestrator.errors import BadParameter
from orchestrator.freeswitch.dial_string import CLIENT_NAME, PHONE_NUMBER, SIP_USER
from orchestrator.freeswitch.sip_headers import LONGEST_CREDENTIALS, custom_headers
from orchestrator.freeswitch.sip_uri import parse_sip_uri
from orchestrator.freeswitch.values import is_carried, is_display_name
from orchestrator.sids import is_sid, looks_like_call_sid

Read = Callable[[str, Sequence[str]], Any]
"""(parameter name, its values; at least one) -> the value. Raises BadParameter."""


@dataclass(frozen=True, slots=True)
class Parser:
    """Reads a parameter; `schema` tells clients in JSON Schema what it takes (it may take more)."""

    read: Read
    schema: Mapping[str, Any]

    def __call__(self, name: str, values: Sequence[str]) -> Any:
        """As `Read`."""
        return self.read(name, values)


def takes(**schema: Any) -> Callable[[Read], Parser]:
    """Make a parser of a function that reads such values."""
    return lambda read: Parser(read, schema)


MAX_URL: Final = 4096
_WRITTEN_NUMBER: Final = re.compile(r"\+[0-9 ().-]+|[0-9 ()-]+", re.ASCII)
_URL_TEXT: Final = re.compile(r"[!-~]+", re.ASCII)


@takes(type="boolean")
def boolean(name: str, values: Sequence[str]) -> bool:
    """`true` or `false`, in any case: Python SDKs before 9 send `True`."""
    word = values[-1].strip().lower()
    if word not in ("true", "false"):
        raise BadParameter(f"{name}: '{values[-1][:64]}' is neither true nor false")
    return word == "true"


@takes(type="boolean")
def lenient_boolean(name: str, values: Sequence[str]) -> bool:
    """Anything other than true is false (wire-contract section 3.4, Muted)."""
    return values[-1].strip().lower() == "true"


def text(longest: int, *, shortest: int = 0, code: int = 20001) -> Parser:
    """Free text, carried unchanged."""

    @takes(type="string", minLength=shortest, maxLength=longest)
    def parse(name: str, values: Sequence[str]) -> str | None:
        value = values[-1]
        if not shortest <= len(value) <= longest:
            raise BadParameter(f"{name}: has to have {shortest} to {longest} characters", code=code)
        return value or None

    return parse


def carried(longest: int, *, shortest: int = 1, code: int = 20001) -> Parser:
    """A text that goes to the far end in a SIP header: what a header, and the way there, can carry."""
    return _carried(longest, shortest, code, is_carried)


def display_name(longest: int, *, shortest: int) -> Parser:
    """The name beside a number, which stands between quotes."""
    return _carried(longest, shortest, 20001, is_display_name)


def _carried(longest: int, shortest: int, code: int, may_be: Callable[[str], bool]) -> Parser:
    @takes(type="string", minLength=shortest, maxLength=longest)
    def parse(name: str, values: Sequence[str]) -> str:
        value = values[-1].strip(" ")
        if not shortest <= len(value) <= longest:
            raise BadParameter(f"{name}: has to have {shortest} to {longest} characters", code=code)
        if not may_be(value):
            raise BadParameter(f"{name}: has characters that a SIP header cannot carry", code=code)
        return value

    return parse


def credential(too_long: int, illegal: int) -> Parser:
    """A user name or password of SIP's digest: mod_sofia separates them by colons (iptsec/auth_client.c)."""

    @takes(type="string", minLength=1, maxLength=255)
    def parse(name: str, values: Sequence[str]) -> str:
        value = values[-1]
        if len(value) > LONGEST_CREDENTIALS:
            raise BadParameter(f"{name}: has to have at most {LONGEST_CREDENTIALS} characters", code=too_long)
        if not is_carried(value) or ":" in value or (name.endswith("Username") and set(value) & set('"\\')):
            raise BadParameter(f"{name}: has characters that SIP's digest, or this server, cannot carry", code=illegal)
        return value

    return parse


def integer(least: int, most: int, code: int = 20001) -> Parser:
    """A whole number within bounds."""

    @takes(type="integer", minimum=least, maximum=most)
    def parse(name: str, values: Sequence[str]) -> int:
        value = values[-1].strip()
        if re.fullmatch(r"[0-9]{1,9}", value, re.ASCII) is None or not least <= int(value) <= most:
            raise BadParameter(f"{name}: has to be a whole number from {least} to {most}", code=code)
        return int(value)

    return parse


def word(*allowed: str, code: int = 20001) -> Parser:
    """Read one of the words, in any case; returned as written here."""
    by_lower = {item.lower(): item for item in allowed}

    @takes(type="string", enum=list(allowed))
    def parse(name: str, values: Sequence[str]) -> str:
        found = by_lower.get(values[-1].strip().lower())
        if found is None:
            raise BadParameter(f"{name}: has to be one of {', '.join(allowed)}", code=code)
        return found

    return parse


def words(*allowed: str) -> Parser:
    """A list: repeated keys, each split at spaces and commas, in any case. A word that is none (21626,
    https://www.twilio.com/docs/errors/21626) is refused: ignored, it would subscribe to nothing for ever."""

    @takes(type="array", items={"type": "string", "enum": list(allowed)})
    def parse(name: str, values: Sequence[str]) -> tuple[str, ...]:
        found = [item for value in values for item in re.split(r"[\s,]+", value.lower()) if item]
        for item in found:
            if item not in allowed:
                raise BadParameter(f"{name}: '{item[:64]}' is none of {', '.join(allowed)}", code=21626)
        return tuple(item for item in allowed if item in found)

    return parse


@takes(type="string", format="uri", maxLength=MAX_URL)
def url(name: str, values: Sequence[str]) -> str | None:
    """An absolute http or https URL in printable ASCII, or nothing."""
    value = values[-1]
    if not value:
        return None
    try:
        parts = urlsplit(value)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        parse_url(value)  # what cannot be requested later is refused now
    except ValueError:
        usable = False
    if not usable or len(value) > MAX_URL or _URL_TEXT.fullmatch(value) is None:
        raise BadParameter(f"{name}: is not an absolute http or https URL", code=21205)
    return value


@takes(type="string", maxLength=MAX_URL, description="A URL; an empty text is silence.")
def possibly_empty_url(name: str, values: Sequence[str]) -> str:
    """A URL, or an empty text that means something of its own (WaitUrl: silence)."""
    return url(name, values) or ""


method = word("GET", "POST", code=21209)


def sid(prefix: str, code: int = 20001) -> Parser:
    """A SID of one kind, or nothing."""

    @takes(type="string", pattern=f"^{prefix}[0-9a-f]{{32}}$")
    def parse(name: str, values: Sequence[str]) -> str | None:
        value = values[-1]
        if value and not is_sid(prefix, value):
            raise BadParameter(f"{name}: is not a SID that begins with {prefix}", code=code)
        return value or None

    return parse


@takes(type="string", maxLength=128, pattern="^[^/]*$")
def label(name: str, values: Sequence[str]) -> str | None:
    """Read a label: at most 128 characters, no slash, nothing that would be read as a CallSid (16024)."""
    value = values[-1]
    if len(value) > 128 or "/" in value or "%2f" in value.lower() or looks_like_call_sid(value):
        raise BadParameter(f"{name}: has to be at most 128 characters without '/', and no CallSid", code=16024)
    return value or None


@takes(type="string", description="A phone number, `sip:user@host` or `client:name`.", examples=["+15550001000"])
def called(name: str, values: Sequence[str]) -> str:
    """Read `To`: a phone number, a SIP URI, or `client:name`, the last two with `?key=value&…` behind them; its scheme
    in any case, returned in lower case."""
    value = values[-1].strip(" ")
    if number := _phone_number(value):
        return number
    scheme, colon, rest = value.partition(":")
    kind = scheme.lower() if colon else ""
    if kind == "app":
        raise BadParameter(f"{name}: applications (app:…) are not available on this server", code=21218)
    custom = _custom_part(kind, value, rest)
    if custom is None:
        raise BadParameter(f"{name}: '{value[:64]}' is not a phone number, sip: address or client:", code=21211)
    custom_headers(custom)
    return f"{kind}:{rest}"


def _custom_part(kind: str, value: str, rest: str) -> str | None:
    """What stands behind the `?` of whatever can be called; None of what cannot."""
    if kind in ("sip", "sips"):
        try:
            return parse_sip_uri(value).custom
        except ValueError:
            return None
    if kind == "client":
        address, _, custom = rest.partition("?")
        return custom if CLIENT_NAME.fullmatch(address) else None
    return None


def _phone_number(value: str) -> str:
    """A phone number without what people write between its digits (RFC 3966, visual separators); '' if it is none.
    Without the plus, dots are an address's. Behind a country's code nobody dials a `(0)`: what is meant is unclear."""
    if _WRITTEN_NUMBER.fullmatch(value) is None or "(0)" in value:
        return ""
    number = re.sub(r"[^0-9+]", "", value)
    return number if PHONE_NUMBER.fullmatch(number) else ""


@takes(type="string", description="A phone number, `client:name` or a SIP user.", examples=["+15550009999"])
def caller(name: str, values: Sequence[str]) -> str:
    """Read `From`, `CallerId`: a phone number, `client:name`, or the user part of a SIP address; the scheme in any
    case, returned in lower case."""
    value = values[-1].strip(" ")
    if number := _phone_number(value):
        return number
    scheme, colon, rest = value.partition(":")
    is_client = bool(colon) and scheme.lower() == "client"
    if not (CLIENT_NAME.fullmatch(rest) if is_client else SIP_USER.fullmatch(value)):
        raise BadParameter(f"{name}: '{value[:64]}' is not a phone number, client: or SIP user", code=21212)
    return f"client:{rest}" if is_client else value
