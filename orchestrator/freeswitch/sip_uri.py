"""SIP URIs as RFC 3261 has them (section 25.1), written so that FreeSWITCH reads nothing else into them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Final
from urllib.parse import unquote

LONGEST: Final = 1024

_UNRESERVED: Final = r"A-Za-z0-9\-_.!~*'()"
_ESCAPED: Final = "%[0-9A-Fa-f]{2}"
_PARAMETER: Final = rf"(?:[{_UNRESERVED}\[\]/:&+$]|{_ESCAPED})+"
_LABEL: Final = "[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_HOST: Final = rf"(?P<name>(?:{_LABEL}\.)*[A-Za-z](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.?)"
_URI: Final = re.compile(
    rf"(?:(?P<user>(?:[{_UNRESERVED}&=+$,;?/]|{_ESCAPED})+)(?::(?:[{_UNRESERVED}&=+$,]|{_ESCAPED})*)?@)?"
    rf"(?P<host>{_HOST}|(?P<ipv4>[0-9]{{1,3}}(?:\.[0-9]{{1,3}}){{3}})|\[(?P<ipv6>[0-9A-Fa-f:.]+)\])"
    r"(?::(?P<port>[0-9]{1,5}))?"
    rf"(?P<parameters>(?:;{_PARAMETER}(?:={_PARAMETER})?)*)"
    r"(?:\?(?P<custom>.*))?",
    re.ASCII,
)
_PLAIN: Final = re.compile(r"[A-Za-z0-9+._~!*-]", re.ASCII)
_PIECE: Final = re.compile(rf"{_ESCAPED}|.", re.ASCII)
_CONTROL: Final = re.compile(r"%(?:[01][0-9A-Fa-f]|7[Ff])")

TRANSPORTS: Final = frozenset({"udp", "tcp", "tls"})
TWILIOS: Final = frozenset({"edge", "region", "secure"})
"""Parameters that are for Twilio, not for the far end (https://www.twilio.com/docs/voice/twiml/sip)."""

SWITCHS_OWN: Final = "fs_"
"""How parameters begin that mod_sofia obeys, and cuts a URI at (sofia_glue.c, sofia_overcome_sip_uri_weakness)."""


@dataclass(frozen=True, slots=True)
class SipUri:
    """A SIP URI as it is dialled: without password, and in `parameters` only what the far end is to see. `host` is in
    lower case, an IPv6 address in brackets; `transport` None: not said."""

    user: str
    host: str
    port: int | None
    transport: str | None
    parameters: Mapping[str, str | None]
    custom: str

    @property
    def address(self) -> str:
        """Return `user@host:port;…`, every character that means something in a dial string escaped."""
        said = ({"transport": self.transport} if self.transport else {}) | dict(self.parameters)
        return (
            (f"{_escaped(self.user)}@" if self.user else "")
            + self.host
            + (f":{self.port}" if self.port else "")
            + "".join(
                f";{_escaped(name)}" + (f"={_escaped(value)}" if value is not None else "")
                for name, value in said.items()
            )
        )


def parse_sip_uri(text: str) -> SipUri:
    """Read `sip:` or `sips:`, in any case. Raises ValueError for what is no SIP URI, or cannot be dialled."""
    scheme, _, rest = text.partition(":")
    match = _URI.fullmatch(rest)
    if scheme.lower() not in ("sip", "sips") or match is None:
        raise ValueError("no SIP URI")
    custom = match["custom"] or ""  # who sends it looks at it: sip_headers.py
    dialled = rest.removesuffix(custom)
    if len(text) - len(custom) > LONGEST or _CONTROL.search(dialled):
        raise ValueError("no SIP URI")
    parameters = _parameters(match["parameters"])
    transport = parameters.pop("transport", None)
    if scheme.lower() == "sips":
        if transport not in (None, "tls", "tcp"):
            raise ValueError("sips: goes over TLS")
        transport = "tls"
    port = int(match["port"]) if match["port"] else None
    if transport not in {None, *TRANSPORTS} or port == 0 or (port or 1) > 65_535:
        raise ValueError("an unknown transport or port")
    sent = {name: value for name, value in parameters.items() if name not in TWILIOS and SWITCHS_OWN not in name}
    return SipUri(match["user"] or "", _host(match), port, transport, sent, custom)


def _host(match: re.Match[str]) -> str:
    if match["ipv4"]:
        return str(IPv4Address(match["ipv4"]))
    return f"[{IPv6Address(match['ipv6'])}]" if match["ipv6"] else str(match["name"]).lower()


def _parameters(text: str) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for part in filter(None, text.split(";")):
        name, equals, value = part.partition("=")
        name = unquote(name).lower()
        if name in found:
            raise ValueError("a parameter twice")
        found[name] = (value.lower() if name == "transport" else value) if equals else None
    return found


def _escaped(text: str) -> str:
    """Whatever is not plain as `%XX`, which mod_sofia turns back where the URI allows it."""
    return "".join(
        piece if len(piece) == 3 or _PLAIN.fullmatch(piece) else f"%{ord(piece):02X}" for piece in _PIECE.findall(text)
    )
