"""The greetings: what is heard from the answer on, and what it is. The same seed and voices make the same audio."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tests.greetings import sounds, voices
from tests.greetings.sounds import RATE, Sound, silence

TAIL_SECONDS: Final = 7.0
"""Of the line's silence after all: longer than any detector waits for."""


@dataclass(frozen=True)
class Greeting:
    """`truth`: human, machine, fax or unknown; `kind`: the row of KINDS. `ends_at`: when a machine's greeting is over,
    in seconds; `beep_ends_at`: its beep's end, if it has one."""

    name: str
    kind: str
    truth: str
    samples: NDArray[np.int16]
    voice: str = ""
    ends_at: float | None = None
    beep_ends_at: float | None = None


def human(random: Random) -> tuple[Sound, dict[str, object]]:
    """A short greeting; then silence, and again somebody who wonders."""
    voice = voices.choose_voice(random)
    said = _said(random, voice, voices.HELLOS)
    return _spoken(random, [said]), {"voice": f"{voice.engine} {voice.how}"}


def hesitating(random: Random) -> tuple[Sound, dict[str, object]]:
    """Two short utterances with up to a second between them."""
    voice = voices.choose_voice(random)
    pause = silence(random.uniform(0.3, 1.0))
    words = [_said(random, voice, voices.HELLOS, shortest=True), pause, _said(random, voice, voices.HELLOS)]
    return _spoken(random, words), {"voice": f"{voice.engine} {voice.how}"}


def _spoken(random: Random, words: list[Sound]) -> Sound:
    again = np.concatenate((silence(random.uniform(2.0, 4.0)), words[0])) if random.random() < 0.3 else silence(0)
    return np.concatenate((silence(random.uniform(0.1, 1.2)), *words, again))


def voicemail(random: Random, *, beeps: bool) -> tuple[Sound, dict[str, object]]:
    """A greeting of 3 to 20 s, sentences with pauses between them, and a beep."""
    voice = voices.choose_voice(random)
    wanted = random.uniform(3.0, 18.0)
    parts = [silence(random.uniform(0.05, 1.0))]
    spoken = 0.0
    while spoken < wanted:
        said = _said(random, voice, voices.MACHINES)
        parts += [said, silence(random.uniform(0.15, 0.8))]
        spoken += len(said) / RATE
    ends_at = (sum(map(len, parts)) - len(parts[-1])) / RATE
    more: dict[str, object] = {"voice": f"{voice.engine} {voice.how}", "ends_at": ends_at}
    if beeps:
        overtones = random.choice((0.0, 0.0, 0.0, 0.1))
        beep = sounds.tone(random.uniform(350, 2000), random.uniform(0.16, 1.2), random.uniform(-24, -9), overtones)
        parts[-1] = silence(random.uniform(0.05, 0.95))
        parts.append(beep)
        more["beep_ends_at"] = sum(map(len, parts)) / RATE
    return np.concatenate(parts), more


def _said(random: Random, voice: voices.Voice, texts: dict[str, tuple[str, ...]], shortest: bool = False) -> Sound:
    known = texts[voice.language]
    text = min(known, key=len) if shortest else random.choice(known)
    return sounds.at_level(voice.say(text), random.uniform(-28, -14))


def _noise(random: Random) -> tuple[Sound, dict[str, object]]:
    return sounds.noise(random, 12.0, random.uniform(-45, -22), random.choice(("white", "pink", "brown", "street"))), {}


def _music(random: Random) -> tuple[Sound, dict[str, object]]:
    return sounds.music(random, 12.0, random.uniform(-28, -16)), {}


def _ring_back(random: Random) -> tuple[Sound, dict[str, object]]:
    return np.concatenate((silence(random.uniform(0.0, 0.5)), sounds.ring_back(random, 12.0))), {}


def _ring_back_then_human(random: Random) -> tuple[Sound, dict[str, object]]:
    hello, more = human(random)
    return np.concatenate((sounds.ring_back(random, 2.0), hello)), more


def _silence(random: Random) -> tuple[Sound, dict[str, object]]:
    return silence(5.0), {}


KINDS: Final[dict[str, tuple[str, float, Callable[[Random], tuple[Sound, dict[str, object]]]]]] = {
    "human": ("human", 0.24, human),
    "human, hesitating": ("human", 0.14, hesitating),
    "human after ring-back": ("human", 0.03, _ring_back_then_human),
    "voicemail and beep": ("machine", 0.30, lambda random: voicemail(random, beeps=True)),
    "voicemail, no beep": ("machine", 0.09, lambda random: voicemail(random, beeps=False)),
    "fax answers": ("fax", 0.04, lambda random: sounds_of_fax(random, "answers")),
    "fax answers, reversing": ("fax", 0.02, lambda random: sounds_of_fax(random, "reverses")),
    "fax calls": ("fax", 0.02, lambda random: sounds_of_fax(random, "calls")),
    "noise": ("unknown", 0.03, _noise),
    "music": ("unknown", 0.03, _music),
    "ring-back": ("unknown", 0.04, _ring_back),
    "silence": ("unknown", 0.02, _silence),
}
"""Kind -> who it is, its share of the corpus, and what makes one."""


def sounds_of_fax(random: Random, kind: str) -> tuple[Sound, dict[str, object]]:
    return sounds.fax(random, kind), {}


def greetings(seed: int, count: int) -> Iterator[Greeting]:
    """`count` of them in a fixed mixture, kinds one after the other; each other one is for tuning (`is_for_tuning`)."""
    number = 0
    for kind, (truth, share, make) in KINDS.items():
        for _ in range(round(share * count)):
            random = Random(f"{seed} {number}")
            made, more = make(random)
            whole = np.concatenate((made, silence(TAIL_SECONDS)))
            floor = sounds.noise(
                random, len(whole) / RATE, random.uniform(-70, -42), random.choice(("pink", "brown", "white"))
            )
            yield Greeting(f"{number:04}", kind, truth, sounds.on_the_line(sounds.both(whole, floor)), **more)  # type: ignore[arg-type]
            number += 1


def is_for_tuning(greeting: Greeting) -> bool:
    return int(greeting.name) % 2 == 0
