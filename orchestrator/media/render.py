"""Renders audio, speech and digits into clips in the store. What has been rendered for an account is not rendered
again."""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from collections.abc import Callable
from typing import IO, Final
from weakref import WeakValueDictionary

import orjson
import structlog
from gevent.lock import RLock

from orchestrator.media import decode
from orchestrator.media.confined import Limits, run_confined
from orchestrator.media.content import Kind
from orchestrator.media.errors import SAY_FAILED, TOO_LARGE, MediaError
from orchestrator.media.program import Rendered
from orchestrator.media.slots import Slots
from orchestrator.media.speech import Speech
from orchestrator.media.tones import render_digits
from orchestrator.media.wav import HEADER_BYTES, RATE, duration_ms
from orchestrator.store.media import MediaStore, TooLarge
from orchestrator.twiml.voices import Speaker

_LIMITS: Final = Limits(
    seconds=15, memory_bytes=1024**3, output_bytes=HEADER_BYTES + RATE * 2 * (decode.MAX_SECONDS + 60)
)
_DECODER: Final = (sys.executable, "-I", "-B", "-m", "orchestrator.media.decode")
"""-I: neither the working directory nor PYTHON… variables decide what is imported."""

AT_ONCE: Final = max(os.cpu_count() or 1, 2)
"""Most programs of this process: more would only make each of them slower."""

WAITING: Final = 5_000
"""Most renderings of one account that wait; LOAD_SECONDS ends their waiting."""

log = structlog.get_logger("media")


class Renderer:
    """Renders clips. Any number of greenlets may ask for the same one: one makes it, the others wait for it.

    What needs a program waits for a slot; each account has one program at a time, so that none waits for all that
    another has to say.
    """

    def __init__(self, media: MediaStore, speech: Speech) -> None:
        self._media = media
        self._speech = speech
        self._slots = Slots(AT_ONCE, per_account=1, waiting=WAITING)
        self._making: WeakValueDictionary[tuple[str, str], RLock] = WeakValueDictionary()

    def render_audio(
        self, account_sid: str, audio: IO[bytes], digest: str, unreadable: int, kind: Kind = "audio"
    ) -> Rendered:
        """Render an audio file, whose SHA-256 is `digest`, into a clip. Raises MediaError: `unreadable`, or 11750: too
        long."""

        def make() -> bytes:
            with self._slots.take(account_sid):
                return self._decode(audio, unreadable, kind)

        return self._once(account_sid, f"{kind}\0{digest}", make)

    def render_speech(self, account_sid: str, text: str, ssml: str, speaker: Speaker) -> Rendered:
        """Render text as speech, or the same with its markup ('': none). Raises MediaError 13520."""

        def make() -> bytes:
            with self._slots.take(account_sid):
                return self._speak(text, ssml, speaker)

        name = "\0".join(("say", self._speech.command, speaker.language, speaker.gender, text, ssml))
        return self._once(account_sid, name, make)

    def render_digits(self, account_sid: str, digits: str) -> Rendered:
        """Render DTMF tones into a clip."""
        return self._once(account_sid, f"digits\0{digits}", lambda: render_digits(digits))

    def _once(self, account_sid: str, name: str, make: Callable[[], bytes]) -> Rendered:
        digest = hashlib.sha256(name.encode()).hexdigest()
        # Held by everyone who wants it, and gone when nobody does.
        lock = self._making.setdefault((account_sid, digest), RLock())
        with lock:
            note = self._media.load_note(account_sid, digest)
            if note is not None:
                known = Rendered(**orjson.loads(note))
                if self._media.touch(known.media_id):
                    return known
            wav = make()
            try:
                rendered = Rendered(self._media.save(wav, account_sid), duration_ms(len(wav)))
            except TooLarge as error:
                raise MediaError(TOO_LARGE, "The audio is longer than an account may keep") from error
            self._media.save_note(account_sid, digest, orjson.dumps(rendered))
            return rendered

    def _speak(self, text: str, ssml: str, speaker: Speaker) -> bytes:
        with tempfile.TemporaryFile() as spoken:
            spoken.write(self._speech.synthesize(text, ssml, speaker))
            return self._decode(spoken, SAY_FAILED)

    def _decode(self, audio: IO[bytes], unreadable: int, kind: Kind = "audio") -> bytes:
        ended = run_confined([*_DECODER, *([f"--{kind}"] if kind in ("ulaw", "gsm") else [])], audio, _LIMITS)
        if ended.status == 0:
            return ended.output
        if ended.status == decode.TOO_LONG:
            raise MediaError(TOO_LARGE, f"The audio is longer than {decode.MAX_SECONDS // 60} minutes")
        if ended.status != decode.UNREADABLE:
            log.warning("decoder_ended", status=ended.status, complaint=ended.complaint)
        raise MediaError(unreadable, "No audio that can be decoded")
