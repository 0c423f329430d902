"""Keeps rendered audio that switches fetch, and notes of what has been rendered: bounded per account and in all."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable
from typing import Any, Final

import redis
import structlog
from redis.client import NEVER_DECODE

from orchestrator.store import keys
from orchestrator.store.connection import redis_errors
from orchestrator.store.scripts import Script

KEEP_SECONDS: Final = 24 * 3600
"""How long a clip outlives its last use, and a note its making."""

ACCOUNT_SHARE: Final = 4
"""An account may fill this part of the whole (a quarter), so that one alone cannot push the others' clips out."""

ENTRY_BYTES: Final = 1024
"""What a value costs besides its own bytes: its key, expiry and places in the indexes take Redis 900. So a save drops
28,000 notes at most, which keeps Redis busy for a quarter of a second."""

_ID: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)

log = structlog.get_logger("media")


class TooLarge(Exception):
    """The account would have more bytes than it may keep."""


class MediaStore:
    """Keeps clips by their unguessable id, and an account's notes by name. What is used least recently goes first.

    `max_bytes` bounds all of it, each value counted with ENTRY_BYTES; `clock` gives seconds since 1970. Every method
    raises Unavailable.
    """

    def __init__(self, client: redis.Redis, max_bytes: int, clock: Callable[[], float] = time.time) -> None:
        self._redis: Any = client
        self._max_bytes = max_bytes
        self._clock = clock
        self._save_script = Script(client, "media/save")
        self._forget = Script(client, "media/forget")
        self._touch = Script(client, "media/touch")

    def save(self, wav: bytes, account_sid: str, seconds: int = KEEP_SECONDS) -> str:
        """Keep a clip for `seconds` after its last use. Returns its id. Raises TooLarge."""
        media_id = secrets.token_hex(16)
        self._save(keys.media_clip(media_id), wav, account_sid, seconds)
        return media_id

    def load(self, media_id: str) -> bytes | None:
        """Load a clip as a WAV file, which is thereby used; None if there is none."""
        if _ID.fullmatch(media_id) is None:
            return None
        with redis_errors():
            # The client decodes answers as text; this one is no text.
            wav: bytes | None = self._redis.execute_command("GET", keys.media_clip(media_id), **{NEVER_DECODE: True})
        if wav is not None:
            self.touch(media_id)
        return wav

    def measure(self, media_id: str) -> int | None:
        """Return a clip's size in bytes; None if there is none."""
        if _ID.fullmatch(media_id) is None:
            return None
        with redis_errors():
            return int(self._redis.strlen(keys.media_clip(media_id))) or None

    def touch(self, media_id: str, seconds: int = KEEP_SECONDS) -> bool:
        """Keep a clip for `seconds` from now at least. False if there is none any more."""
        key = keys.media_clip(media_id)
        with redis_errors():
            found = self._touch(
                keys=[key, keys.MEDIA_ENDS, keys.MEDIA_OWNERS],
                args=[keys.MEDIA, key.removeprefix(keys.MEDIA), self._ends_ms(seconds)],
            )
        return bool(found)

    def save_note(self, account_sid: str, digest: str, note: bytes, seconds: int = KEEP_SECONDS) -> None:
        """Keep a note under a hash of its name. One that is too large is not kept."""
        try:
            self._save(keys.media_note(account_sid, digest), note, account_sid, seconds)
        except TooLarge:
            log.warning("media_note_too_large", account_sid=account_sid, bytes=len(note))

    def load_note(self, account_sid: str, digest: str) -> str | None:
        """Load a note; None if there is none."""
        with redis_errors():
            note: str | None = self._redis.get(keys.media_note(account_sid, digest))
        return note

    def forget_note(self, account_sid: str, digest: str) -> None:
        """Forget a note that tells of something that is gone."""
        member = keys.media_note(account_sid, digest).removeprefix(keys.MEDIA)
        with redis_errors():
            self._forget(keys=_INDEX, args=[keys.MEDIA, member])

    def _save(self, key: str, value: bytes, account_sid: str, seconds: int) -> None:
        """Make room and write the value, in one step: nothing is kept uncounted, and nothing is dropped before it has
        come."""
        bounds = [self._max_bytes // ACCOUNT_SHARE, self._max_bytes, ENTRY_BYTES]
        member, now_ms = key.removeprefix(keys.MEDIA), int(self._clock() * 1000)
        with redis_errors():
            dropped = self._save_script(
                keys=_INDEX, args=[keys.MEDIA, member, account_sid, value, now_ms, self._ends_ms(seconds), *bounds]
            )
        if dropped < 0:
            raise TooLarge(f"{len(value)} bytes")
        if dropped:
            log.warning("media_dropped", account_sid=account_sid, dropped=dropped, bytes=len(value))

    def _ends_ms(self, seconds: int) -> int:
        return int((self._clock() + seconds) * 1000)


_INDEX: Final = [keys.MEDIA_ENDS, keys.MEDIA_OWNERS, keys.MEDIA_BYTES, keys.MEDIA_DROPPED]
