"""What is no speech: tones, noise, music, and the line. All 8 kHz, float, full scale is 1."""

from __future__ import annotations

from random import Random
from typing import Final

import numpy as np
from numpy.typing import NDArray

RATE: Final = 8000
Sound = NDArray[np.float64]


def silence(seconds: float) -> Sound:
    return np.zeros(round(seconds * RATE))


def tone(hz: float, seconds: float, dbfs: float = -14.0, overtones: float = 0.0) -> Sound:
    """A tone with edges of 5 ms; `overtones`: how loud its second and third harmonic are beside it."""
    at = np.arange(round(seconds * RATE)) / RATE
    wave = sum(
        share * np.sin(2 * np.pi * hz * number * at)
        for number, share in ((1, 1.0), (2, overtones), (3, overtones / 2))
        if hz * number < RATE / 2
    )
    edge = np.minimum(1.0, np.minimum(at, at[::-1]) / 0.005)
    return np.asarray(wave * edge * decibels(dbfs))


def both(one: Sound, other: Sound) -> Sound:
    """Mixed; as long as the longer one."""
    mixed = np.zeros(max(len(one), len(other)))
    mixed[: len(one)] += one
    mixed[: len(other)] += other
    return mixed


def noise(random: Random, seconds: float, dbfs: float, colour: str) -> Sound:
    """White, pink, brown noise, or a `street`: brown, swelling."""
    count = round(seconds * RATE)
    generator = np.random.default_rng(random.getrandbits(64))
    spectrum = np.fft.rfft(generator.standard_normal(count))
    line = np.maximum(np.arange(len(spectrum)), 1.0)
    spectrum /= line ** {"white": 0.0, "pink": 0.5, "brown": 1.0, "street": 1.0}[colour]
    spectrum[: round(count * 100 / RATE)] = 0  # no telephone carries it
    made = np.fft.irfft(spectrum, count)
    if colour == "street":
        made *= 1.0 + 0.8 * np.sin(2 * np.pi * np.arange(count) / RATE * random.uniform(0.1, 0.4))
    return at_level(made, dbfs)


def music(random: Random, seconds: float, dbfs: float) -> Sound:
    """Chords with a melody over them, and a drum: no song, but as hard for a detector of voices."""
    beat = 60 / random.uniform(70, 140)
    root = random.uniform(110, 220)
    made = silence(seconds)
    scale = (0, 2, 4, 5, 7, 9, 11, 12)
    start = 0.0
    while start < seconds:
        notes = [(0, 4.0), (4, 4.0), (7, 4.0)] if round(start / beat) % 4 == 0 else []
        notes.append((12 + random.choice(scale), 1.0))
        for semitones, beats in notes:
            _add(made, start, _note(root * 2 ** (semitones / 12), beats * beat))
        _add(made, start, noise(random, 0.05, -20.0, "white"))
        start += beat
    return at_level(made, dbfs)


def _note(hz: float, seconds: float) -> Sound:
    at = np.arange(round(seconds * RATE)) / RATE
    harmonics = sum(np.sin(2 * np.pi * hz * n * at) / n for n in range(1, 6) if hz * n < 3400)
    return np.asarray(harmonics * np.exp(-2.5 * at) * np.minimum(1.0, at / 0.01) * 0.2)


def _add(made: Sound, seconds: float, sound: Sound) -> None:
    first = round(seconds * RATE)
    part = sound[: max(0, len(made) - first)]
    made[first : first + len(part)] += part


RING_BACKS: Final = (
    ((440, 480), (2.0, 4.0)),
    ((425,), (1.0, 4.0)),
    ((425,), (1.5, 3.5)),
    ((400, 450), (0.4, 0.2, 0.4, 2.0)),
    ((400,), (1.0, 2.0)),
)
"""North America; most of Europe; France and others; Britain; Japan without its warble (ITU-T E.180, supplement 2)."""


def ring_back(random: Random, seconds: float) -> Sound:
    hertz, cadence = random.choice(RING_BACKS)
    made = silence(0)
    while len(made) < seconds * RATE:
        for number, length in enumerate(cadence):
            part = silence(length)
            for hz in hertz if number % 2 == 0 else ():
                part = part + tone(hz, length, -20.0)
            made = np.concatenate((made, part))
    return made


def fax(random: Random, kind: str) -> Sound:
    """`answers`: 2100 Hz, `reverses`: with its phase reversed every 450 ms (ANSam), then V.21; `calls`: 1100 Hz."""
    if kind == "calls":
        return np.concatenate([np.concatenate((tone(1100, 0.5, -12.0), silence(3.0))) for _ in range(5)])
    answer = tone(2100 + random.uniform(-12, 12), random.uniform(2.6, 4.0), -12.0)
    if kind == "reverses":
        answer = answer * np.where(np.arange(len(answer)) // round(0.45 * RATE) % 2 == 0, 1.0, -1.0)
    bits = [tone(random.choice((1650, 1850)), 0.01, -12.0) for _ in range(150)]
    return np.concatenate((silence(random.uniform(0.2, 1.5)), answer, silence(0.075), *bits, silence(2.0)))


def decibels(dbfs: float) -> float:
    return float(10 ** (dbfs / 20))


def at_level(sound: Sound, dbfs: float) -> Sound:
    """As loud as this where it is not silent."""
    loud = sound[np.abs(sound) > np.abs(sound).max(initial=0.0) / 50]
    power = float(np.sqrt(np.mean(loud**2))) if len(loud) else 0.0
    return sound * (decibels(dbfs) / power) if power else sound


def on_the_line(sound: Sound) -> NDArray[np.int16]:
    """16 bits, through G.711 mu-law and back."""
    clipped = np.clip(sound, -1.0, 1.0)
    pressed = np.sign(clipped) * np.log1p(255 * np.abs(clipped)) / np.log(256)
    coded = np.round(pressed * 127) / 127
    return np.asarray(np.sign(coded) * (np.power(256.0, np.abs(coded)) - 1) / 255 * 32124, dtype=np.int16)
