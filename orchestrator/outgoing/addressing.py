"""Derives from a configured URL what is requested, what is signed, and what becomes a header. Pure."""

from __future__ import annotations

import re
from base64 import b64encode
from typing import Final
from urllib.parse import unquote, urlencode, urljoin, urlsplit, urlunsplit

from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

_PRINTABLE: Final = re.compile(r"[!-~]+", re.ASCII)


_WHOLE: Final = re.compile("https?://", re.IGNORECASE)
_TAKEN_OUT: Final = re.compile(r"[\t\r\n]")
"""https://url.spec.whatwg.org/#concept-basic-url-parser"""


def join_urls(base: str, url: str) -> str:
    """Resolve a URL against the one of the document in which it was found. Behind the scheme a whole one stays byte for
    byte, for it is signed as its server wrote it. Raises ValueError for what is no URL."""
    url = _TAKEN_OUT.sub("", url)
    whole = _WHOLE.match(url)
    if whole is None:
        return urljoin(base, url)
    urlsplit(url)  # raises
    return whole[0].lower() + url[whole.end() :]


def request_urls(url: str, in_query: tuple[tuple[str, str], ...] = ()) -> tuple[str, str]:
    """Return the URL to request and the URL to sign: byte for byte as configured, because the receiver compares the
    signature with one of its own URL. Neither has the fragment (overrides are ours to read, never sent); `in_query`
    goes behind the query that is there. Userinfo is signed as configured, and sent as Basic authentication instead of
    in the request line. Raises ValueError for what is no URL."""
    parts = urlsplit(url)
    target = target_of(url)
    if in_query:
        path, _, query = target.partition("?")
        target = f"{path}?{'&'.join(filter(None, (query, urlencode(in_query))))}"
    scheme, server = url.partition("://")[0], parts.netloc.rpartition("@")[2]
    return f"{scheme}://{server}{target}", f"{scheme}://{parts.netloc}{target}"


def target_of(url: str) -> str:
    """Return path and query of a URL as they go into the request line: as they stand. What cannot stand there (a
    document may name `some file.mp3`) is encoded. Raises ValueError."""
    rest = url.partition("#")[0].partition("://")[2]
    target = rest[len(re.split("[/?]", rest, maxsplit=1)[0]) :]
    if not target.startswith("/"):
        target = f"/{target}"
    if _PRINTABLE.fullmatch(target):
        return target
    try:
        return parse_url(url).request_uri
    except LocationParseError:  # as it stands: the attempt fails by it, and says so
        return target


def basic_auth(url: str) -> dict[str, str]:
    """Return the Authorization header of a URL with userinfo."""
    userinfo = urlsplit(url).netloc.rpartition("@")[0]
    return {"Authorization": f"Basic {b64encode(unquote(userinfo).encode()).decode()}"} if userinfo else {}


def without_password(url: str) -> str:
    """Return a URL for somebody who is to recognise it: as configured, but for the password in it."""
    return re.sub(r"^([a-z]+://[^/?#@]*?):[^/?#]*@", r"\1:***@", url, flags=re.IGNORECASE)


def shown_address(address: str) -> str:
    """Return an address of a call for logs: a SIP URI without password and custom parameters, where secrets are."""
    return re.sub(r"^(sips?:[^@:]*):[^@]*@", r"\1@", address.partition("?")[0])[:200]


def shown(url: str) -> str:
    """Return a URL for logs: without userinfo, query and fragment, where secrets are."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "(no URL)"
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment=""))[:300]
