"""The SSML inside a <Say>: as markup for an engine that reads it, and as plain text for one that does not. Pure.

What is passed on is written anew from the elements, attributes and values below: engines obey more than Twilio has
(espeak-ng opens the file that an <audio> names). https://www.twilio.com/docs/voice/twiml/say/text-speech#ssml
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from xml.sax.saxutils import escape

from orchestrator.twiml.verbs import Warned
from orchestrator.twiml.voices import find_language
from orchestrator.twiml.xml import Element

MAX_BREAK_MS: Final = 10_000

_STRENGTHS: Final = r"none|x-weak|weak|medium|strong|x-strong"
_RATE: Final = r"x-slow|slow|medium|fast|x-fast|default|[+-]?[0-9]{1,3}(\.[0-9]{1,3})?%"
_VOLUME: Final = r"silent|x-soft|soft|medium|loud|x-loud|default|[+-]?[0-9]{1,2}(\.[0-9]{1,3})?dB"
_PITCH: Final = r"x-low|low|medium|high|x-high|default|[+-]?[0-9]{1,3}(\.[0-9]{1,3})?%|[+-][0-9]{1,2}(\.[0-9]{1,3})?st"

ELEMENTS: Final[Mapping[str, Mapping[str, str]]] = {
    "break": {"strength": _STRENGTHS, "time": r"([0-9]{1,5}(\.[0-9]{0,9})?|\.[0-9]{1,9})(ms|s)"},
    "p": {},
    "s": {},
    "emphasis": {"level": r"strong|moderate|reduced|none"},
    "prosody": {"rate": _RATE, "volume": _VOLUME, "pitch": _PITCH},
    "lang": {"xml:lang": r"[A-Za-z-]+"},
}
"""What an engine is told, and the values that it is told. An attribute with another value is left out."""

TOLD_AS: Final = {"lang": "voice"}
"""By which names, if not by their own: espeak-ng knows no <lang>."""

LETTERS: Final = frozenset({"characters", "spell-out", "verbatim"})
"""Of say-as: what an engine that reads markup spells itself; written apart, the letter A is the article."""

SPELT: Final = LETTERS | {"digits", "telephone"}
"""Of say-as: each character by itself, which we write so; the other ways of saying are the engine's own."""

UNSPOKEN: Final = frozenset({"expletive", "bleep"})
"""Of say-as: what stands where a word must not be heard; a pause does."""

SILENT: Final = "\u200b"
"""Before a break that nothing has gone before: espeak-ng would pass over it."""

READ: Final = (*ELEMENTS, "say-as", "sub", "phoneme", "w", "speak")
"""Whose text is spoken and whose meaning is known; of others the text is spoken, and 12200 logged."""


@dataclass(slots=True)
class Speech:
    """What is collected of a <Say>: `text` and `ssml` in pieces; the latter is of use if there `is_marked`."""

    text: list[str] = field(default_factory=list)
    ssml: list[str] = field(default_factory=list)
    warnings: list[Warned] = field(default_factory=list)
    is_marked: bool = False
    is_behind_tag: bool = False

    def add(self, words: str) -> None:
        """Add words to both; no word goes on behind a tag (SSML 1.1: tokens do not span markup)."""
        if not words:
            return
        if self.is_behind_tag and words[0].isalnum() and self._last.isalnum():
            words = f" {words}"
        self.is_behind_tag = False
        self.text.append(words)
        self.ssml.append(escape(words))

    @property
    def _last(self) -> str:
        return next((piece[-1] for piece in reversed(self.text) if piece), "")


def read_speech(element: Element) -> tuple[str, str, list[Warned]]:
    """Read a <Say>'s plain text, its SSML ('' if there is no markup in it), and what it is warned of."""
    speech = Speech()
    _read(element, speech)
    ssml = f"<speak>{_squeeze(speech.ssml)}</speak>" if speech.is_marked else ""
    text = _squeeze(speech.text)
    return _tidy(text) if speech.is_marked else text, ssml, speech.warnings


def _read(element: Element, speech: Speech) -> None:
    for part in element.content:
        if isinstance(part, str):
            speech.add(part)
        else:
            speech.is_behind_tag = True
            _read_markup(part, speech)
            speech.is_behind_tag = True


def _read_markup(element: Element, speech: Speech) -> None:
    name, attributes = element.name, element.attributes
    said_as = attributes.get("interpret-as", "").strip().lower() if name == "say-as" else ""
    if name not in READ:
        speech.warnings.append(Warned(12200, "Say: an element that is not known"))
        _read(element, speech)
    elif name == "sub" and attributes.get("alias", "").strip():
        speech.add(attributes["alias"])
    elif said_as in SPELT:
        _spell(element, speech, by_engine=said_as in LETTERS)
    elif said_as in UNSPOKEN:
        _mark(Element("break", {}), speech)
    elif name in ELEMENTS:
        _mark(element, speech)
    else:
        _read(element, speech)


def _mark(element: Element, speech: Speech) -> None:
    name = element.name
    attributes = "".join(f' {key}="{value}"' for key, value in _attributes(element, speech).items())
    if name == "lang" and not attributes:
        _read(element, speech)
        return
    speech.is_marked = True
    if name == "break":
        is_none = element.attributes.get("strength") == "none" and "time" not in element.attributes
        is_first = not any(words.strip(" ,.") for words in speech.text)
        speech.text.append(" " if is_none else " , ")
        speech.ssml.append(f"{SILENT if is_first else ''}<break{attributes}/>")
        return
    tag = TOLD_AS.get(name, name)
    speech.ssml.append(f"<{tag}{attributes}>")
    if name in ("p", "s"):
        speech.text.append(" . ")
    _read(element, speech)
    if name in ("p", "s"):
        speech.text.append(" . ")
    speech.ssml.append(f"</{tag}>")


def _attributes(element: Element, speech: Speech) -> dict[str, str]:
    known = ELEMENTS[element.name]
    attributes = {}
    for key, given in element.attributes.items():
        value = find_language(given.strip()) if key == "xml:lang" else given.strip()
        if key in known and re.fullmatch(known[key], value, re.ASCII):
            attributes[key] = value
        elif key == "rate":
            speech.warnings.append(Warned(13513, "Say: the rate is not known"))
        else:
            speech.warnings.append(Warned(12200, f"Say: {element.name} has an attribute that is not known"))
    if "time" in attributes:
        attributes["time"] = f"{min(_milliseconds(attributes['time']), MAX_BREAK_MS)}ms"
    return attributes


def _milliseconds(time: str) -> int:
    return round(float(time[:-2])) if time.endswith("ms") else round(float(time[:-1]) * 1000)


def _spell(element: Element, speech: Speech, *, by_engine: bool) -> None:
    inside = Speech()
    _read(element, inside)
    words = "".join(inside.text)
    apart = f" {' '.join(words.replace(' ', ''))} "
    if not by_engine:
        speech.add(apart)
        return
    speech.is_marked = True
    speech.text.append(apart)
    speech.ssml.append(f' <say-as interpret-as="characters">{escape(words)}</say-as> ')


def _squeeze(pieces: list[str]) -> str:
    return " ".join("".join(pieces).split())


def _tidy(text: str) -> str:
    """One mark of punctuation where several have come together, none at the beginning."""
    text = re.sub(r"\s+([.,])", r"\1", text)
    text = re.sub(r"([.,!?;:])[.,]+", r"\1", text)
    return re.sub(r"^[.,\s]+(?=\S)", "", text).strip()
