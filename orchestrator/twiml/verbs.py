"""What a document says to do, as frozen values, and why a document cannot be used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Method = Literal["GET", "POST"]


class DocumentError(Exception):
    """A document that is refused; `code` is Twilio's (wire-contract section 9.1)."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Play:
    """Audio at `url`, which may be relative, or the tones of `digits`: one of them is None. `loop` 0: until stopped."""

    url: str | None
    loop: int = 1
    digits: str | None = None


@dataclass(frozen=True, slots=True)
class Say:
    """Text to speak; `voice` and `language` as the document has them ('': none), checked. `loop` 0: until stopped."""

    text: str
    voice: str = ""
    language: str = ""
    loop: int = 1


@dataclass(frozen=True, slots=True)
class Pause:
    """Silence."""

    seconds: int = 1


@dataclass(frozen=True, slots=True)
class Redirect:
    """Go on with the document at `url`, which may be relative; '' is this document itself."""

    url: str = ""
    method: Method = "POST"


Verb = Play | Say | Pause | Redirect
