"""From a document's bytes to its verbs: the rules and error codes of wire-contract section 9.1.

What Twilio calls an error discards the document, or the verb that it is about; of what Twilio calls a warning
(https://www.twilio.com/docs/api/errors/13410 and its neighbours say which is which) the default stands in.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from orchestrator.twiml.encoding import decode_text
from orchestrator.twiml.ssml import read_speech
from orchestrator.twiml.verbs import (
    Document,
    DocumentError,
    Method,
    Pause,
    Play,
    Redirect,
    Say,
    Unplayable,
    Verb,
    Warned,
)
from orchestrator.twiml.voices import find_speaker
from orchestrator.twiml.xml import Element, parse_xml

MAX_VERBS: Final = 200
MAX_LOOP: Final = 1_000
MAX_SAY_CHARACTERS: Final = 4_096
MAX_DIGITS: Final = 200
MAX_PAUSE_SECONDS: Final = 24 * 3600
MAX_URL_CHARACTERS: Final = 4_096


@dataclass(frozen=True, slots=True)
class Attribute:
    """What an attribute, or the content, takes, what stands in for anything else, and the code that is then logged."""

    takes: str
    otherwise: str
    code: int


FORBIDDEN: Final = frozenset(
    """
    Answer Assistant AI Conference Connect Dial Echo Enqueue Gather Hangup Leave Message Pay Prompt Queue Record Refer
    Reject Siprec Sms Start Stop Stream Transcription VirtualAgent
    """.split()  # noqa: SIM905  # two dozen strings in quotation marks are not easier to read
)
"""Verbs of Twilio's that would do something else than sound. What is no verb at all is passed over (12200)."""

_NUMBER: Final = re.compile(r"[0-9]{1,4000}", re.ASCII)  # Python reads no longer ones
_DIGITS: Final = re.compile(r"[0-9A-D#*wW]+", re.ASCII)


@dataclass(slots=True)
class _Reader:
    """What one document is warned of, as it is read."""

    warnings: list[Warned] = field(default_factory=list)

    def warn(self, code: int, message: str) -> None:
        self.warnings.append(Warned(code, message))

    def number(self, element: Element, name: str, least: int = 0) -> int:
        """An attribute that is a whole number, `least` or more; otherwise 1."""
        text = element.attributes.get(name)
        if text is None:
            return 1
        if _NUMBER.fullmatch(text.strip()) is None or int(text) < least:
            self.warn(_code(element, name), f"{element.name}: {name} is not a whole number from {least} on")
            return 1
        return int(text)

    def loop(self, element: Element) -> int:
        return min(self.number(element, "loop"), MAX_LOOP)


def _code(element: Element, name: str) -> int:
    return VERBS[element.name].attributes[name].code


def parse_document(body: bytes, charset: str = "") -> Document:
    """Read a TwiML document; `charset` is its header's. Raises DocumentError, and nothing else, whatever the bytes are.

    Names are case-sensitive; text between the verbs means nothing.
    """
    root = parse_xml(body, charset)
    if root.name != "Response":
        raise DocumentError(12102, "The document's root is not <Response>")
    elements = root.children
    if len(elements) > MAX_VERBS:
        raise DocumentError(12100, f"More than {MAX_VERBS} verbs")
    if any(element.name in FORBIDDEN for element in elements):
        allowed = ", ".join(f"<{name}>" for name in VERBS)
        raise DocumentError(13238, f"Only {allowed} are allowed here")
    reader, verbs = _Reader(), list[Verb]()
    for element in elements:
        verb = _parse_verb(element, reader)
        if isinstance(verb, Redirect):
            return Document(tuple(verbs), verb, tuple(reader.warnings))
        if verb is not None:
            verbs.append(verb)
    return Document(tuple(verbs), None, tuple(reader.warnings))


def parse_text(body: bytes, charset: str = "") -> Document:
    """Read plain text, which is spoken."""
    return Document((_say(" ".join(decode_text(body, charset).split())),))


def _parse_verb(element: Element, reader: _Reader) -> Verb | Redirect | None:
    syntax = VERBS.get(element.name)
    if syntax is None:
        reader.warn(12200, "An element that is no verb")
        return None
    if not element.attributes.keys() <= syntax.attributes.keys():
        reader.warn(12200, f"{element.name}: an attribute that is not known")
    return syntax.parse(element, reader)


def _parse_play(element: Element, reader: _Reader) -> Verb:
    """`digits` win over a URL beside them, if they are any."""
    loop = reader.loop(element)
    digits, url = element.attributes.get("digits", "").strip(), element.own_text
    if len(digits) <= MAX_DIGITS and _DIGITS.fullmatch(digits):
        return Play(None, loop, digits)
    if digits:
        wrong = Warned(_code(element, "digits"), f"Play: digits are up to {MAX_DIGITS} of 0-9 A-D # * w W")
        if not url:
            return Unplayable(wrong.code, wrong.message)
        reader.warnings.append(wrong)
    if not url or len(url) > MAX_URL_CHARACTERS:
        return Unplayable(VERBS["Play"].content.code, "Play: no URL, or one that is too long")
    return Play(url, loop)


def _parse_say(element: Element, reader: _Reader) -> Verb | None:
    loop = reader.loop(element)
    voice, language = element.attributes.get("voice", "").strip(), element.attributes.get("language", "").strip()
    text, ssml, warnings = read_speech(element)
    reader.warnings += [*find_speaker(voice, language)[1], *warnings]
    if not text:
        reader.warn(13520, "Say: no text")
        return None
    return _say(text, voice, language, loop, ssml)


def _say(text: str, voice: str = "", language: str = "", loop: int = 1, ssml: str = "") -> Verb:
    if len(text) > MAX_SAY_CHARACTERS:
        return Unplayable(VERBS["Say"].content.code, f"Say: more than {MAX_SAY_CHARACTERS} characters")
    return Say(text, voice, language, loop, ssml)


def _parse_pause(element: Element, reader: _Reader) -> Pause:
    return Pause(min(reader.number(element, "length", 1), MAX_PAUSE_SECONDS))


def _parse_redirect(element: Element, reader: _Reader) -> Verb | Redirect:
    methods: dict[str, Method] = {"GET": "GET", "POST": "POST"}
    method = methods.get(element.attributes.get("method", "POST").strip().upper())
    if method is None:
        reader.warn(_code(element, "method"), "Redirect: method is neither GET nor POST")
    if len(element.own_text) > MAX_URL_CHARACTERS:
        return Unplayable(VERBS["Redirect"].content.code, "Redirect: the URL is too long")
    return Redirect(element.own_text, method or "POST")


@dataclass(frozen=True, slots=True)
class Syntax:
    """How a verb is written: who reads it, what is inside it, and its attributes by name."""

    parse: Callable[[Element, _Reader], Verb | Redirect | None]
    content: Attribute
    attributes: dict[str, Attribute]


_LOOP: Final = f"0 to {MAX_LOOP:,}, more is {MAX_LOOP:,}; 0: until stopped"
VERBS: Final[dict[str, Syntax]] = {
    "Play": Syntax(
        _parse_play,
        Attribute(f"a URL, also a relative one, of up to {MAX_URL_CHARACTERS:,} characters", "passed over", 11100),
        {
            "loop": Attribute(_LOOP, "1", 13410),
            "digits": Attribute(
                f"up to {MAX_DIGITS} of `0-9 A-D # * w W`; then no URL is needed", "the URL; none: passed over", 13430
            ),
        },
    ),
    "Say": Syntax(
        _parse_say,
        Attribute(f"up to {MAX_SAY_CHARACTERS:,} characters; none: 13520, passed over", "passed over", 13521),
        {
            "voice": Attribute("`man`, `woman`, `alice`, `Polly.…`, `Google.…`", "`woman`", 13511),
            "language": Attribute("as `en-US`, in any case", "`en-US`", 13512),
            "loop": Attribute(_LOOP, "1", 13510),
        },
    ),
    "Pause": Syntax(
        _parse_pause,
        Attribute("nothing", "nothing", 0),
        {"length": Attribute(f"1 to {MAX_PAUSE_SECONDS:,} s, more is as much", "1", 13910)},
    ),
    "Redirect": Syntax(
        _parse_redirect,
        Attribute("a URL, also a relative one; none: this document", "passed over", 11100),
        {"method": Attribute("`GET`, `POST`", "`POST`", 13710)},
    ),
}
"""By name; another attribute means nothing, and is warned of (12200)."""
