"""Why a document or its audio cannot be played."""

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
STATUS: Final = 11217
TLS: Final = 11220
TOO_LARGE: Final = 11750
EMPTY: Final = 11770
CONTENT_TYPE: Final = 12300
PLAY_TYPE: Final = 13420
SAY_FAILED: Final = 13520
