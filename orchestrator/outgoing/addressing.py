"""What of a configured URL is requested, what is signed, and what becomes a header. Pure."""

from __future__ import annotations

from base64 import b64encode
from urllib.parse import unquote, urlencode, urlsplit, urlunsplit

import urllib3
from urllib3.exceptions import LocationParseError


def request_urls(url: str, in_query: tuple[tuple[str, str], ...] = ()) -> tuple[str, str]:
    """The URL to request and the URL to sign. Neither has the fragment (overrides are ours to read, never sent);
    `in_query` goes behind the query that is there. Userinfo is signed as configured, and sent as Basic authentication
    instead of in the request line. What urllib3 would encode anew on the wire is signed so: the receiver computes the
    signature from what it got. Raises ValueError for what is no URL."""
    parts = urlsplit(url)._replace(fragment="")
    if in_query:
        parts = parts._replace(query="&".join(filter(None, (parts.query, urlencode(in_query)))))
    try:
        target = urllib3.util.parse_url(urlunsplit(parts)).request_uri
    except LocationParseError:  # as it stands: the attempt fails by it, and says so
        target = urlunsplit(parts._replace(scheme="", netloc=""))
    server = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{server}{target}", f"{parts.scheme}://{parts.netloc}{target}"


def basic_auth(url: str) -> dict[str, str]:
    """The Authorization header of a URL with userinfo."""
    userinfo = urlsplit(url).netloc.rpartition("@")[0]
    return {"Authorization": f"Basic {b64encode(unquote(userinfo).encode()).decode()}"} if userinfo else {}


def shown(url: str) -> str:
    """A URL for logs: without userinfo, query and fragment, where secrets are."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "(no URL)"
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment=""))[:300]
