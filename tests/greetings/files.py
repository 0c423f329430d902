"""The greetings as files, made once: a far end plays them, and operators may listen to them."""

from __future__ import annotations

import json
import wave
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from tests.greetings.corpus import Greeting, greetings

SEED, COUNT = 1129, 800


def make_files(directory: Path, seed: int = SEED, count: int = COUNT) -> list[Greeting]:
    """`nnnn.wav` and index.json, unless they are there."""
    index = directory / "index.json"
    if index.exists():
        return [_load(directory, row) for row in json.loads(index.read_text())]
    directory.mkdir(parents=True, exist_ok=True)
    made = list(greetings(seed, count))
    for greeting in made:
        with wave.open(str(directory / f"{greeting.name}.wav"), "wb") as file:
            file.setparams((1, 2, 8000, len(greeting.samples), "NONE", ""))
            file.writeframes(greeting.samples.astype("<i2").tobytes())
    index.write_text(json.dumps([_row(greeting) for greeting in made]))
    return made


def _row(greeting: Greeting) -> dict[str, Any]:
    return {field.name: getattr(greeting, field.name) for field in fields(greeting) if field.name != "samples"}


def _load(directory: Path, row: dict[str, Any]) -> Greeting:
    with wave.open(str(directory / f"{row['name']}.wav")) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
    return Greeting(samples=samples, **row)
