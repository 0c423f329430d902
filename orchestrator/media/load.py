"""From a document's address to a program: fetch, parse, follow what has nothing to play, render everything at once."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import takewhile
from subprocess import SubprocessError
from typing import Final
from urllib.parse import urljoin

import gevent
import structlog
from gevent import Greenlet
from gevent.pool import Pool

from orchestrator.errors import ApiError
from orchestrator.media import errors
from orchestrator.media.errors import MediaError
from orchestrator.media.fetch import Fetcher, Page, check_length
from orchestrator.media.program import Clip, Program, Rendered, Source
from orchestrator.media.render import Renderer
from orchestrator.outgoing.addressing import shown
from orchestrator.twiml.document import make_say, parse_document
from orchestrator.twiml.verbs import DocumentError, Pause, Play, Redirect, Say, Verb
from orchestrator.twiml.voices import find_speaker

LOAD_SECONDS: Final = 60.0
"""For a document with all that it plays. Each fetch has its own, shorter deadline."""

MAX_SILENT_DOCUMENTS: Final = 10
"""In a row, each of them with nothing but a <Redirect>."""

AT_ONCE: Final = 4
"""Of one document's clips."""

log = structlog.get_logger("media")


class ProgramLoader:
    """Runs on gevent, in a process's main thread (its children are waited for there)."""

    def __init__(self, fetcher: Fetcher, renderer: Renderer, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetcher = fetcher
        self._renderer = renderer
        self._clock = clock

    def load_program(self, source: Source) -> Program:
        """What the document at `source` says to play, rendered. Takes LOAD_SECONDS at most.

        Raises MediaError for whatever is wrong with the document, its audio or their servers (logged as media_failed),
        and Unavailable if Redis is away.
        """
        started = self._clock()
        try:
            return self._load_in_time(source)
        except MediaError as error:
            log.warning(
                "media_failed",
                code=error.code,
                error=error.message,
                url=shown(error.url or source.url),
                account_sid=source.account_sid,
                took_ms=int((self._clock() - started) * 1000),
            )
            raise

    def _load_in_time(self, source: Source) -> Program:
        """The deadline is no MediaError before it is here: whatever retries those would use up the only timer."""
        deadline = gevent.Timeout(LOAD_SECONDS)
        try:
            with deadline:
                return self._load(source)
        except gevent.Timeout as ended:
            if ended is not deadline:
                raise
            raise MediaError(errors.TIMEOUT, f"Not complete after {LOAD_SECONDS:g} s") from ended

    def _load(self, source: Source) -> Program:
        for _ in range(MAX_SILENT_DOCUMENTS + 1):
            page = self._fetch(source)
            if page.clip is not None:
                return Program((Clip(page.clip.media_id, page.clip.duration_ms),))
            program = self._render(_parse(page, source), page.url, source)
            if program.clips or program.then is None:
                return program
            source = program.then
        raise MediaError(errors.REDIRECTS, f"{MAX_SILENT_DOCUMENTS + 1} documents in a row only redirect", source.url)

    def _fetch(self, source: Source) -> Page:
        try:
            return self._fetcher.fetch_document(source)
        except (OSError, SubprocessError) as error:  # as in _render_one, for audio that is the document itself
            log.error("rendering_failed", error=repr(error)[:200])
            raise MediaError(errors.FAILED, "This server could not render it") from error

    def _render(self, verbs: tuple[Verb, ...], base: str, source: Source) -> Program:
        """Nothing runs after a <Redirect>, or after what is played until it is stopped."""
        played: list[Play | Say | Pause] = []
        then: Source | None = None
        for verb in verbs:
            if isinstance(verb, Redirect):
                then = Source(_join(base, verb.url), verb.method, source.parameters, source.account_sid)
                break
            played.append(verb)
            if not isinstance(verb, Pause) and verb.loop == 0:
                break
        return Program(self._render_all(played, base, source.account_sid), then)

    def _render_all(self, verbs: list[Play | Say | Pause], base: str, account_sid: str) -> tuple[Clip, ...]:
        """Some at a time, the same one once; the first one that fails, in the document's order, is what has failed."""
        workers = Pool(AT_ONCE)
        running: dict[Verb, Greenlet[..., Clip | Exception]] = {}
        try:
            for verb in dict.fromkeys(verbs):
                workers.wait_available()
                for begun in takewhile(Greenlet.ready, running.values()):  # a failure is not told late
                    _made(begun)
                running[verb] = workers.spawn(self._render_one, verb, base, account_sid)
            clips = [_made(running[verb]) for verb in verbs]
        finally:
            workers.kill()
        return tuple(clip for clip in clips if clip.duration_ms)

    def _render_one(self, verb: Play | Say | Pause, base: str, account_sid: str) -> Clip | Exception:
        """An error is a result here: gevent would print one that is raised."""
        try:
            if isinstance(verb, Pause):
                return Clip(None, verb.seconds * 1000)
            rendered = self._rendered(verb, base, account_sid)
            return Clip(rendered.media_id, rendered.duration_ms, verb.loop) if rendered else Clip(None, 0)
        except (MediaError, ApiError) as error:
            return error
        except (OSError, SubprocessError) as error:  # no room for a temporary file, no process to be had
            log.error("rendering_failed", error=repr(error)[:200])
            return MediaError(errors.FAILED, "This server could not render it")

    def _rendered(self, verb: Play | Say, base: str, account_sid: str) -> Rendered | None:
        if isinstance(verb, Say):
            speaker = find_speaker(verb.voice, verb.language)
            return self._renderer.render_speech(account_sid, verb.text, speaker) if verb.text else None
        if verb.digits is not None:
            return self._renderer.render_digits(account_sid, verb.digits)
        return self._fetcher.fetch_audio(_join(base, verb.url or ""), account_sid)


def _made(greenlet: Greenlet[..., Clip | Exception]) -> Clip:
    made = greenlet.get()
    if isinstance(made, Exception):
        raise made
    return made


def _parse(page: Page, source: Source) -> tuple[Verb, ...]:
    try:
        if page.kind == "text":
            return (make_say(" ".join(page.body.decode("utf-8", "replace").split())),)
        return parse_document(page.body)
    except DocumentError as error:
        raise MediaError(error.code, error.message, source.url) from error


def _join(base: str, url: str) -> str:
    try:
        return check_length(urljoin(base, url))
    except ValueError as error:
        raise MediaError(errors.BAD_URL, "The URL is not valid") from error
