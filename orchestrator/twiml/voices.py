"""Twilio's voices and languages as what every speech engine understands: a language and a gender.

The tables follow https://www.twilio.com/docs/voice/twiml/say/text-speech (Polly's and Google's names) as far as there
is a language that the default engine speaks; which engine speaks, and how well, is media.speech's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from orchestrator.twiml.verbs import Warned

Gender = Literal["female", "male"]


@dataclass(frozen=True, slots=True)
class Speaker:
    """`language` is one of LANGUAGES."""

    language: str
    gender: Gender


LANGUAGES: Final = tuple(
    """
    af-ZA am-ET ar-AE ar-XA bg-BG bn-IN ca-ES cmn-CN cmn-TW cs-CZ cy-GB da-DK de-AT de-CH de-DE el-GR en-AU en-CA en-GB
    en-GB-WLS en-IE en-IN en-NZ en-SG en-US en-ZA es-ES es-MX es-US eu-ES fi-FI fil-PH fr-BE fr-CA fr-CH fr-FR gl-ES
    gu-IN he-IL hi-IN hr-HR hu-HU id-ID is-IS it-IT ja-JP kn-IN ko-KR lt-LT lv-LV ml-IN mr-IN ms-MY nb-NO nl-BE nl-NL
    pa-IN pl-PL pt-BR pt-PT ro-RO ru-RU sk-SK sl-SI sr-RS sv-SE ta-IN te-IN th-TH tr-TR uk-UA ur-IN vi-VN yue-CN yue-HK
    zh-CN zh-HK zh-TW
    """.split()  # noqa: SIM905  # eighty strings in quotation marks are not easier to read
)
_BY_LOWER: Final = {language.lower(): language for language in LANGUAGES} | {
    # The two-letter names of Twilio's first voices, and other spellings of the same languages.
    "en": "en-US", "es": "es-ES", "fr": "fr-FR", "de": "de-DE", "it": "it-IT", "pt": "pt-PT", "nl": "nl-NL",
    "arb": "ar-AE", "no-no": "nb-NO", "iw-il": "he-IL", "en-uk": "en-GB",
}  # fmt: skip

_POLLY: Final[dict[str, tuple[str, str]]] = {
    # language -> (women, men)
    "ar-AE": ("Hala", "Zayd"), "ar-XA": ("Zeina", ""), "ca-ES": ("Arlet", ""), "cmn-CN": ("Zhiyu", ""),
    "cs-CZ": ("Jitka", ""), "cy-GB": ("Gwyneth", ""), "da-DK": ("Naja Sofie", "Mads"), "de-AT": ("Hannah", ""),
    "de-CH": ("Sabrina", ""), "de-DE": ("Marlene Vicki", "Hans Daniel"), "en-AU": ("Nicole Olivia", "Russell"),
    "en-GB": ("Amy Emma", "Brian Arthur"), "en-GB-WLS": ("", "Geraint"), "en-IE": ("Niamh", ""),
    "en-IN": ("Aditi Raveena Kajal", ""), "en-NZ": ("Aria", ""), "en-SG": ("Jasmine", ""),
    "en-US": (
        "Joanna Ivy Kendra Kimberly Salli Danielle Ruth",
        "Joey Justin Kevin Matthew Gregory Stephen Patrick",
    ),
    "en-ZA": ("Ayanda", ""), "es-ES": ("Conchita Lucia Alba", "Enrique Sergio Raul"), "es-MX": ("Mia", "Andres"),
    "es-US": ("Penelope Lupe", "Miguel Pedro"), "fi-FI": ("Suvi", ""), "fr-BE": ("Isabelle", ""),
    "fr-CA": ("Chantal Gabrielle", "Liam"), "fr-FR": ("Celine Lea", "Mathieu Remi"), "is-IS": ("Dora", "Karl"),
    "it-IT": ("Carla Bianca Beatrice", "Giorgio Adriano Lorenzo"), "ja-JP": ("Mizuki Kazuha Tomoko", "Takumi"),
    "ko-KR": ("Seoyeon Jihye", ""), "nb-NO": ("Liv Ida", ""), "nl-BE": ("Lisa", ""), "nl-NL": ("Lotte Laura", "Ruben"),
    "pl-PL": ("Ewa Maja Ola", "Jacek Jan"), "pt-BR": ("Camila Vitoria", "Ricardo Thiago"),
    "pt-PT": ("Ines", "Cristiano"), "ro-RO": ("Carmen", ""), "ru-RU": ("Tatyana", "Maxim"),
    "sv-SE": ("Astrid Elin", ""), "tr-TR": ("Filiz Burcu", ""), "yue-CN": ("Hiujin", ""),
}  # fmt: skip


def _polly_speakers() -> dict[str, Speaker]:
    found: dict[str, Speaker] = {}
    for language, (women, men) in _POLLY.items():
        found |= {name: Speaker(language, "female") for name in women.split()}
        found |= {name: Speaker(language, "male") for name in men.split()}
    return found


_BY_POLLY_NAME: Final = _polly_speakers()
_POLLY_NAME: Final = re.compile(r"Polly\.(?P<name>[A-Z][a-z]+)(-Neural|-Generative|-Long-Form)?", re.ASCII)
_GOOGLE_NAME: Final = re.compile(
    r"Google\.(?P<language>[a-z]{2,3}-[A-Za-z]{2})-(Standard|Wavenet|Neural2|Chirp|Chirp-HD|Chirp3-HD|Casual|Studio|News|Polyglot|Journey)"
    r"-(?P<name>[A-Za-z0-9]{1,24})",
    re.ASCII,
)
_MEN: Final = frozenset({"B", "D", "I", "J", "Charon", "Fenrir", "Orus", "Puck"})
"""Google's letters for men in nearly every language, and their names; A is one in en-US only."""

_PLAIN: Final[dict[str, Gender]] = {"": "female", "woman": "female", "alice": "female", "man": "male"}


def find_language(name: str) -> str:
    """Find one of LANGUAGES, by any name of Twilio's for it, in any case; '' if it is none."""
    return _BY_LOWER.get(name.lower(), "")


def find_speaker(voice: str, language: str) -> tuple[Speaker, list[Warned]]:
    """Find who speaks for a <Say>'s attributes, '' for one that is not there: a woman, American English; and what they
    are warned of (13511 voice, 13512 language): what is not known is as if it were not there.

    A voice of Polly's or Google's brings its own language.
    """
    known = find_language(language) if language else "en-US"
    warnings = [] if known else [Warned(13512, "Say: the language is not known")]
    speaker = _find_voice(voice, known or "en-US")
    if speaker is None:
        speaker = Speaker(known or "en-US", "female")
        warnings.append(Warned(13511, "Say: the voice is not known"))
    return speaker, warnings


def _find_voice(voice: str, language: str) -> Speaker | None:
    if voice in _PLAIN:
        return Speaker(language, _PLAIN[voice])
    polly = _POLLY_NAME.fullmatch(voice)
    if polly is not None and polly["name"] in _BY_POLLY_NAME:
        return _BY_POLLY_NAME[polly["name"]]
    google = _GOOGLE_NAME.fullmatch(voice)
    if google is not None and (spoken := find_language(google["language"])):
        return _google_speaker(spoken, google["name"])
    return None


def _google_speaker(language: str, name: str) -> Speaker:
    is_male = name in _MEN or (name == "A" and language == "en-US")
    return Speaker(language, "male" if is_male else "female")
