"""Lists why a document or its audio cannot be played."""

from __future__ import annotations

from typing import Final


class MediaError(Exception):
    """`code` is Twilio's (wire-contract section 10); `url` is what could not be used, '' for the document itself.

    The message may be logged: it never holds a query, userinfo or text of a server's.
    """

    def __init__(self, code: int, message: str, url: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.url = url


BAD_URL: Final = 11100
FAILED: Final = 11200
CONNECT_TIMEOUT: Final = 11201
REFUSED: Final = 11202
TIMEOUT: Final = 11203
CONNECTION: Final = 11205
HOST: Final = 11210
REDIRECTS: Final = 11215
NO_REDIRECT: Final = 11216
STATUS: Final = 11217
TLS: Final = 11220
TOO_LARGE: Final = 11750
EMPTY: Final = 11770
CONTENT_TYPE: Final = 12300
PLAY_TYPE: Final = 13420
SAY_FAILED: Final = 13520

MEANINGS: Final = {
    BAD_URL: "no URL, or one of more than 4,096 characters", FAILED: "anything else; this server could not do it",
    CONNECT_TIMEOUT: "no connection in time", REFUSED: "the connection was refused", TIMEOUT: "no whole answer in time",
    CONNECTION: "the connection broke", HOST: "the host has no address, or none that is allowed",
    REDIRECTS: "more than 5 redirects by HTTP, or 10 documents in a row that only redirect",
    NO_REDIRECT: "a 3xx that is no redirect, or leads to no URL", STATUS: "an answer of 4xx or 5xx", TLS: "TLS failed",
    TOO_LARGE: "more than 64 kB of document, 20 MB or 30 minutes of audio", EMPTY: "a 2xx without a body",
    12100: "the document is no XML, has a DOCTYPE, or is in an unknown encoding", 12102: "its root is not `<Response>`",
    CONTENT_TYPE: "a document that is no audio either, or compressed otherwise than by gzip or deflate",
    13238: "a verb that is not allowed here",
    PLAY_TYPE: "`<Play>`: no audio, or of a kind that cannot be played; or the switch could not play it",
    SAY_FAILED: "`<Say>`: the speech engine failed",
}  # fmt: skip
"""What each code means. An error of a document discards the document, one of a verb passes over the verb."""
