"""Twilio's voices are a language and a gender that every engine can speak."""

from __future__ import annotations

import pytest

from orchestrator.twiml.verbs import DocumentError
from orchestrator.twiml.voices import LANGUAGES, Speaker, find_speaker


@pytest.mark.parametrize(
    ("voice", "language", "speaker"),
    [
        ("", "", Speaker("en-US", "female")),
        ("man", "", Speaker("en-US", "male")),
        ("woman", "en-gb", Speaker("en-GB", "female")),
        ("alice", "pt-BR", Speaker("pt-BR", "female")),
        ("man", "es", Speaker("es-ES", "male")),
        ("Polly.Joanna", "", Speaker("en-US", "female")),
        ("Polly.Matthew-Neural", "", Speaker("en-US", "male")),
        ("Polly.Hans", "en-US", Speaker("de-DE", "male")),
        ("Google.en-US-Standard-A", "", Speaker("en-US", "male")),
        ("Google.fr-FR-Wavenet-B", "", Speaker("fr-FR", "male")),
        ("Google.es-ES-Chirp3-HD-Aoede", "", Speaker("es-ES", "female")),
    ],
)
def test_a_voice_is_a_speaker(voice: str, language: str, speaker: Speaker) -> None:
    """A plain voice takes the language beside it, a named one brings its own."""
    assert find_speaker(voice, language) == speaker


@pytest.mark.parametrize(
    ("voice", "language", "code"),
    [
        ("Polly.Joanna-Quantum", "", 13511), ("Google.xx-XX-Standard-A", "", 13511), ("robot", "", 13511),
        ("Man", "", 13511), ("man", "klingon", 13512), ("Polly.Joanna", "klingon", 13512),
    ],
)  # fmt: skip
def test_a_voice_or_language_that_is_unknown_is_refused(voice: str, language: str, code: int) -> None:
    """With the code of the one that is wrong."""
    with pytest.raises(DocumentError) as refused:
        find_speaker(voice, language)

    assert refused.value.code == code


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_is_accepted_as_it_is_spelt(language: str) -> None:
    """In any case, as Twilio's oldest names were lower-case."""
    assert find_speaker("man", language.lower()) == Speaker(language, "male")
