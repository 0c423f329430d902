"""What a document says to do, as frozen values, and why a document cannot be used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Method = Literal["GET", "POST"]


class DocumentError(Exception):
    """A document that is refused as a whole; `code` is Twilio's (wire-contract section 9.1)."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Warned:
    """What Twilio only warns of: something else stands in."""

    code: int
    message: str


@dataclass(frozen=True, slots=True)
class Play:
    """Audio at `url`, which may be relative, or the tones of `digits`: one of them is None. `loop` 0: until stopped."""

    url: str | None
    loop: int = 1
    digits: str | None = None


@dataclass(frozen=True, slots=True)
class Say:
    """Text to speak; `voice` and `language` as the document has them ('': none, or none that is known). `ssml`: the
    same with its markup, as a whole <speak>, if it has any. `loop` 0: until stopped."""

    text: str
    voice: str = ""
    language: str = ""
    loop: int = 1
    ssml: str = ""


@dataclass(frozen=True, slots=True)
class Pause:
    """Silence."""

    seconds: int = 1


@dataclass(frozen=True, slots=True)
class Unplayable:
    """A verb that cannot be played, in its place; it is passed over when it is reached."""

    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class Redirect:
    """Go on with the document at `url`, which may be relative; '' is this document itself."""

    url: str = ""
    method: Method = "POST"


Verb = Play | Say | Pause | Unplayable
"""What is heard. <Redirect> is no such verb: nothing comes after it."""


@dataclass(frozen=True, slots=True)
class Document:
    """Verbs in order, where it leads then, and what it was warned of."""

    verbs: tuple[Verb, ...] = ()
    redirect: Redirect | None = None
    warnings: tuple[Warned, ...] = ()
