"""Languages and genders in the words of an engine."""

from __future__ import annotations

import subprocess

import pytest

from orchestrator.media.speech import Speech, espeak_voice
from orchestrator.settings import Settings
from orchestrator.twiml.voices import LANGUAGES, Gender, Speaker


@pytest.fixture(scope="module")
def known() -> set[str]:
    """The languages that the installed espeak-ng lists."""
    try:
        listed = subprocess.run(["espeak-ng", "--voices"], capture_output=True, text=True, check=True).stdout  # noqa: S607  # from PATH
    except FileNotFoundError:
        pytest.skip("no espeak-ng: apt-get install espeak-ng")
    return {line.split()[1].lower() for line in listed.splitlines()[1:]}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_default_engine_speaks_every_language(known: set[str], language: str) -> None:
    """So no <Say> that was accepted fails for its language."""
    assert espeak_voice(Speaker(language, "female")).partition("+")[0] in known


@pytest.mark.parametrize(("gender", "variant"), [("female", "en-us+f2"), ("male", "en-us+m3")])
def test_gender_is_a_variant(gender: Gender, variant: str) -> None:
    """espeak-ng's voices are variants of a language."""
    assert espeak_voice(Speaker("en-US", gender)) == variant


WOMAN = Speaker("en-US", "female")


@pytest.mark.parametrize(
    ("ssml", "plain", "least"),
    [
        ('One<break time="2000ms"/>two', "One two", 1_500),
        ('\u200b<break time="2000ms"/>One two', "One two", 1_500),
        ("<p>One</p><p>Two</p>", "One two", 300),
        ('<prosody rate="50%">One two three</prosody>', "One two three", 300),
    ],
)
def test_the_default_engine_obeys_markup(known: set[str], ssml: str, plain: str, least: int) -> None:
    """It takes so many milliseconds longer; without markup it is given the text as it is, whatever is in it."""
    speech = Speech("espeak-ng --stdin --stdout -v {voice}")
    marked = speech.synthesize("other words", f"<speak>{ssml}</speak>", WOMAN)
    unmarked = speech.synthesize(plain, "", WOMAN)

    assert len(marked) - len(unmarked) > least * 22_050 * 2 // 1000


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("Hello [[name]] there", "Hello name there"),
        ("Your code is [[ 5 ]] today", "Your code is 5 today"),
        ("Press [[[ for sales", "Press for sales"),
    ],
)
@pytest.mark.parametrize("mark", ["", '<break time="500ms"/>'])
def test_brackets_of_a_template_that_nobody_filled_change_no_word(
    known: set[str], written: str, meant: str, mark: str
) -> None:
    """espeak-ng reads mnemonics of phonemes behind two of them, and then the markup as words; one is a pause."""
    speech = Speech("espeak-ng --stdin -q -x -v {voice}")

    def said(text: str) -> list[bytes]:
        ssml = f"<speak>{text}{mark}one</speak>" if mark else ""
        return speech.synthesize(f"{text} one", ssml, WOMAN).replace(b"_:", b"").split()

    assert said(written) == said(meant)


@pytest.mark.parametrize("language", ["de-DE", "fr-CA", "pt-BR", "es-MX", "yue-CN", "en-GB-WLS", "nb-NO", "ar-AE"])
def test_the_default_engine_goes_over_to_another_language(known: set[str], language: str) -> None:
    """As a <lang> tells it to: it says what the language's own voice says."""
    speech = Speech("espeak-ng --stdin -q -x -v {voice}")
    own = speech.synthesize("two 5", "", Speaker(language, "female"))
    ssml = f'<speak><voice xml:lang="{language}">two 5</voice></speak>'
    marked = speech.synthesize("", ssml, Speaker("lv-LV", "female"))

    assert own.split() == marked.split()


def test_another_engine_gets_the_text() -> None:
    """Nobody knows whether it reads markup."""
    assert Speech("cat").synthesize("plain", "<speak>marked</speak>", WOMAN) == b"plain\n"


@pytest.mark.parametrize(
    "command", ["", "   ", "'open", "espeak {voices}", "espeak {0}", "espeak {voice.x}", "{voice}"]
)
def test_a_speech_command_is_checked_at_start(monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    """Words of a shell, and our placeholders only."""
    monkeypatch.setenv("TTS_COMMAND", command)
    with pytest.raises(ValueError, match="is not a command"):
        Settings()


def test_media_are_fetched_where_clients_reach_the_api_unless_told_otherwise() -> None:
    """ORCHESTRATOR_MEDIA_URL is for switches that are on another network."""
    plain = Settings(orchestrator_public_url="https://api.example/")
    told = Settings(orchestrator_public_url="https://api.example/", orchestrator_media_url="http://10.0.0.1:8080/")

    assert (plain.media_url, told.media_url) == ("https://api.example", "http://10.0.0.1:8080")
