"""An engine for TTS_COMMAND where none is installed: text in, a tone out that lasts as long as the text is."""

from __future__ import annotations

import math
import sys
import wave
from array import array

RATE = 16_000
SECONDS_PER_CHARACTER = 0.07

text = sys.stdin.read().strip()
length = int(RATE * SECONDS_PER_CHARACTER * max(len(text), 5))
with wave.open(sys.stdout.buffer, "wb") as file:
    file.setnchannels(1)
    file.setsampwidth(2)
    file.setframerate(RATE)
    file.writeframes(array("h", (int(8000 * math.sin(index / 8)) for index in range(length))).tobytes())
