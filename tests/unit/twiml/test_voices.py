"""Twilio's voices are a language and a gender that every engine can speak."""

from __future__ import annotations

import pytest

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
        ("Google.es-ES-Chirp3-HD-Charon", "", Speaker("es-ES", "male")),
        ("Google.fil-ph-Neural2-D", "", Speaker("fil-PH", "male")),
        ("Google.th-TH-Standard-A", "", Speaker("th-TH", "female")),
        ("woman", "am-ET", Speaker("am-ET", "female")),
        ("Google.gl-ES-Standard-B", "", Speaker("gl-ES", "male")),
    ],
)
def test_a_voice_is_a_speaker(voice: str, language: str, speaker: Speaker) -> None:
    """A plain voice takes the language beside it, a named one brings its own."""
    assert find_speaker(voice, language) == (speaker, [])


@pytest.mark.parametrize(
    ("voice", "language", "speaker", "codes"),
    [
        ("Polly.Joanna-Quantum", "", Speaker("en-US", "female"), [13511]),
        ("Polly.Nobody", "fr-FR", Speaker("fr-FR", "female"), [13511]),
        ("Google.xx-XX-Standard-A", "", Speaker("en-US", "female"), [13511]),
        ("Woman", "", Speaker("en-US", "female"), [13511]),
        ("man", "klingon", Speaker("en-US", "male"), [13512]),
        ("Polly.Hans", "de_DE", Speaker("de-DE", "male"), [13512]),
        ("robot", "en_US", Speaker("en-US", "female"), [13512, 13511]),
    ],
)
def test_the_default_stands_in_for_what_is_not_known(
    voice: str, language: str, speaker: Speaker, codes: list[int]
) -> None:
    """With the code of what is wrong; the other one is kept."""
    found, warnings = find_speaker(voice, language)

    assert found == speaker
    assert [warning.code for warning in warnings] == codes


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_is_accepted_as_it_is_spelt(language: str) -> None:
    """In any case, as Twilio's oldest names were lower-case."""
    assert find_speaker("man", language.lower()) == (Speaker(language, "male"), [])
