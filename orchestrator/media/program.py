"""Defines what loading takes and gives: a document's address, what it says to play, and clips that a switch can
play."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.twiml.verbs import Method, Verb


@dataclass(frozen=True, slots=True)
class Source:
    """A document's address and the parameters of its request. The account's token signs it, in the dialect in which the
    client gave the URL that has led here."""

    url: str
    method: Method
    parameters: tuple[tuple[str, str], ...]
    account_sid: str
    dialect: str = "twilio"


@dataclass(frozen=True, slots=True)
class Clip:
    """`media_id` None: silence of `duration_ms`. `loops` 0: until stopped, and then nothing comes after it."""

    media_id: str | None
    duration_ms: int
    loops: int = 1


@dataclass(frozen=True, slots=True)
class Program:
    """A document as it is played: verbs in order, none of them fetched or rendered yet; `base` is what their URLs are
    relative to. `clip`: the document is audio itself, and has no verbs. `then`: the document to go on with afterwards;
    None: silence from there on."""

    verbs: tuple[Verb, ...] = ()
    base: str = ""
    then: Source | None = None
    clip: Clip | None = None


@dataclass(frozen=True, slots=True)
class Rendered:
    """A clip in the store."""

    media_id: str
    duration_ms: int
