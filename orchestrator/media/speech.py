"""Turns text into speech by whatever program the operator names: text on its input, a WAV file on its output."""

from __future__ import annotations

import re
import shlex
import tempfile
from pathlib import Path
from typing import Final

import structlog

from orchestrator.media.confined import Limits, run_confined
from orchestrator.media.errors import SAY_FAILED, MediaError
from orchestrator.twiml.voices import Speaker

LIMITS: Final = Limits(seconds=10, memory_bytes=4 * 1024**3, output_bytes=64 * 1024**2)
"""Much memory, because it is address space that is counted: engines with neural networks reserve gigabytes."""

log = structlog.get_logger("media")

_OTHER_NAMES: Final = {
    # Languages that espeak-ng has under another name than their first two or three letters; those that are not here
    # are spoken as the language whatever the country.
    "en-GB": "en-gb", "en-GB-WLS": "en-gb", "en-AU": "en-gb", "en-IE": "en-gb", "en-NZ": "en-gb", "en-ZA": "en-gb",
    "en-IN": "en-gb", "en-SG": "en-gb", "en-US": "en-us", "en-CA": "en-us", "es-MX": "es-419", "es-US": "es-419",
    "fr-BE": "fr-be", "fr-CH": "fr-ch", "fr-FR": "fr-fr", "fr-CA": "fr-fr", "pt-BR": "pt-br",
    "zh-CN": "cmn", "zh-TW": "cmn", "zh-HK": "yue",
    # Those that it does not speak: as it would without a language, or by the nearest one.
    "fil-PH": "en-us", "gl-ES": "pt",
}  # fmt: skip

_PHONEMES: Final = re.compile(r"\[\[+")
"""From here on espeak-ng reads mnemonics of phonemes, until `]]`: words would be lost, and markup spoken."""


def espeak_voice(speaker: Speaker) -> str:
    """Return espeak-ng's name of a language and one of its voice variants."""
    language = _OTHER_NAMES.get(speaker.language) or speaker.language.partition("-")[0]
    return f"{language}+{'f2' if speaker.gender == 'female' else 'm3'}"


class Speech:
    """Runs a speech engine. `command` is TTS_COMMAND: words as a shell splits them, but no shell; settings.py has
    checked it."""

    def __init__(self, command: str) -> None:
        self.command = command

    def synthesize(self, text: str, ssml: str, speaker: Speaker) -> bytes:
        """Return the engine's WAV file, of any rate, of the markup if it reads that. Raises MediaError 13520, having
        said in the log what the operator can do.

        Only our own tables get into the command; the text, a stranger's, is never part of it.
        """
        known = {"language": speaker.language, "gender": speaker.gender, "voice": espeak_voice(speaker)}
        command = [word.format_map(known) for word in shlex.split(self.command)]
        if Path(command[0]).name == "espeak-ng":
            command, text = ([*command, "-m"], ssml) if ssml else (command, text)
            text = _PHONEMES.sub("[", text)
        with tempfile.TemporaryFile() as given:
            given.write(text.encode() + b"\n")
            try:
                ended = run_confined(command, given, LIMITS)
            except (FileNotFoundError, PermissionError) as error:
                log.error("speech_engine_missing", command=command[0], error=str(error), setting="TTS_COMMAND")
                raise MediaError(SAY_FAILED, "Say: the speech engine cannot be started") from error
        if ended.status != 0 or not ended.output:
            log.error("speech_engine_failed", command=command, status=ended.status, complaint=ended.complaint)
            raise MediaError(SAY_FAILED, "Say: the speech engine failed")
        return ended.output
