"""What goes in and what comes out: a document's address, and the clips that it stands for."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.twiml.verbs import Method


@dataclass(frozen=True, slots=True)
class Source:
    """A document's address and the parameters of its request. The account's token signs it."""

    url: str
    method: Method
    parameters: tuple[tuple[str, str], ...]
    account_sid: str


@dataclass(frozen=True, slots=True)
class Clip:
    """`media_id` None: silence of `duration_ms`. `loops` 0: until stopped, and then nothing comes after it."""

    media_id: str | None
    duration_ms: int
    loops: int = 1


@dataclass(frozen=True, slots=True)
class Program:
    """Clips in order. `then`: the document to go on with when they have been played; None: silence from there on."""

    clips: tuple[Clip, ...]
    then: Source | None = None


@dataclass(frozen=True, slots=True)
class Rendered:
    """A clip in the store."""

    media_id: str
    duration_ms: int
