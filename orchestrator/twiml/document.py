"""From a document's bytes to its verbs: the rules and error codes of wire-contract section 9.1."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from orchestrator.twiml.verbs import DocumentError, Method, Pause, Play, Redirect, Say, Verb
from orchestrator.twiml.voices import find_speaker
from orchestrator.twiml.xml import Element, parse_xml

MAX_VERBS: Final = 200
MAX_LOOP: Final = 1_000
MAX_SAY_CHARACTERS: Final = 4_096
MAX_DIGITS: Final = 200
MAX_PAUSE_SECONDS: Final = 24 * 3600
MAX_URL_CHARACTERS: Final = 4_096

_NUMBER: Final = re.compile(r"[0-9]{1,9}", re.ASCII)
_DIGITS: Final = re.compile(r"[0-9A-D#*wW]+", re.ASCII)


def parse_document(body: bytes) -> tuple[Verb, ...]:
    """The verbs in order. Raises DocumentError, and nothing else, whatever the bytes are.

    Names are case-sensitive; attributes that are not known, and text between the verbs, mean nothing.
    """
    root = parse_xml(body)
    if root.name != "Response":
        raise DocumentError(12102, "The document's root is not <Response>")
    if len(root.children) > MAX_VERBS:
        raise DocumentError(12100, f"More than {MAX_VERBS} verbs")
    return tuple(_parse_verb(element) for element in root.children)


def _parse_verb(element: Element) -> Verb:
    parse = _VERBS.get(element.name)
    if parse is None:
        raise DocumentError(13238, "Only <Play>, <Say>, <Pause> and <Redirect> are allowed here")
    return parse(element)


def _parse_play(element: Element) -> Play:
    """`digits` win over a URL beside them."""
    loop = _parse_loop(element, 13410)
    digits = element.attributes.get("digits", "").strip()
    if digits:
        if len(digits) > MAX_DIGITS or _DIGITS.fullmatch(digits) is None:
            raise DocumentError(13430, f"Play: digits are up to {MAX_DIGITS} of 0-9 A-D # * w W")
        return Play(None, loop, digits)
    url = element.own_text
    if not url or len(url) > MAX_URL_CHARACTERS:
        raise DocumentError(11100, "Play: no URL, or one that is too long")
    return Play(url, loop)


def _parse_say(element: Element) -> Say:
    loop = _parse_loop(element, 13510)
    voice, language = element.attributes.get("voice", "").strip(), element.attributes.get("language", "").strip()
    find_speaker(voice, language)
    return make_say(element.text, voice, language, loop)


def make_say(text: str, voice: str = "", language: str = "", loop: int = 1) -> Say:
    """Speech of at most 4,096 characters. Raises DocumentError 13521."""
    if len(text) > MAX_SAY_CHARACTERS:
        raise DocumentError(13521, f"Say: more than {MAX_SAY_CHARACTERS} characters")
    return Say(text, voice, language, loop)


def _parse_pause(element: Element) -> Pause:
    seconds = _parse_number(element.attributes.get("length"), 1)
    if seconds is None:
        raise DocumentError(13910, "Pause: length is not a number of seconds")
    return Pause(min(seconds, MAX_PAUSE_SECONDS))


def _parse_redirect(element: Element) -> Redirect:
    methods: dict[str, Method] = {"GET": "GET", "POST": "POST"}
    method = methods.get(element.attributes.get("method", "POST").strip().upper())
    if method is None:
        raise DocumentError(13710, "Redirect: method is neither GET nor POST")
    if len(element.own_text) > MAX_URL_CHARACTERS:
        raise DocumentError(11100, "Redirect: the URL is too long")
    return Redirect(element.own_text, method)


def _parse_loop(element: Element, code: int) -> int:
    loop = _parse_number(element.attributes.get("loop"), 1)
    if loop is None:
        raise DocumentError(code, f"{element.name}: loop is not a number")
    return min(loop, MAX_LOOP)


def _parse_number(text: str | None, default: int) -> int | None:
    if text is None:
        return default
    return int(text) if _NUMBER.fullmatch(text.strip()) else None


_VERBS: Final[dict[str, Callable[[Element], Verb]]] = {
    "Play": _parse_play,
    "Say": _parse_say,
    "Pause": _parse_pause,
    "Redirect": _parse_redirect,
}
