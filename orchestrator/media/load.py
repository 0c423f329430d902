"""Loads a document's address into a program, and renders each of its verbs, when it is needed, into a clip."""

from __future__ import annotations

import time
from collections.abc import Callable
from subprocess import SubprocessError
from typing import Final, TypeVar

import gevent
import structlog

from orchestrator.media import errors
from orchestrator.media.errors import MediaError
from orchestrator.media.fetch import Fetcher, Page, check_length
from orchestrator.media.program import Clip, Program, Rendered, Source
from orchestrator.media.render import Renderer
from orchestrator.outgoing.addressing import join_urls, shown
from orchestrator.twiml.document import parse_document, parse_text
from orchestrator.twiml.verbs import Document, DocumentError, Pause, Play, Say, Unplayable, Verb
from orchestrator.twiml.voices import find_speaker

LOAD_SECONDS: Final = 60.0
"""How long a document may take, and each verb. Each fetch has its own, shorter deadline."""

MAX_SILENT_DOCUMENTS: Final = 10
"""Most documents in a row with nothing but a <Redirect>."""

T = TypeVar("T")

log = structlog.get_logger("media")


class ProgramLoader:
    """Loads documents and renders their verbs, on gevent, in a process's main thread (its children are waited for
    there).

    Both methods take LOAD_SECONDS at most, and raise MediaError for whatever is wrong with the document, its audio or
    their servers (logged as media_failed), and Unavailable if Redis is away.
    """

    def __init__(self, fetcher: Fetcher, renderer: Renderer, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetcher = fetcher
        self._renderer = renderer
        self._clock = clock

    def load_program(self, source: Source) -> Program:
        """Load the document at `source`: what it says to play."""
        return self._in_time(lambda: self._load(source), source.url, source.account_sid)

    def render(self, verb: Verb, base: str, account_sid: str) -> Clip:
        """Render a verb into a clip; one of no length if there is nothing to be heard."""
        if isinstance(verb, Pause):
            return Clip(None, verb.seconds * 1000)
        if isinstance(verb, Unplayable):
            raise MediaError(verb.code, verb.reason)
        rendered = self._in_time(lambda: self._rendered(verb, base, account_sid), base, account_sid)
        return Clip(rendered.media_id, rendered.duration_ms, verb.loop)

    def _in_time(self, load: Callable[[], T], url: str, account_sid: str) -> T:
        """Load or render within LOAD_SECONDS, and log what fails. The deadline becomes a MediaError only here: whatever
        retries those would use up the only timer."""
        started = self._clock()
        deadline = gevent.Timeout(LOAD_SECONDS)
        try:
            try:
                with deadline:
                    return load()
            except gevent.Timeout as ended:
                if ended is not deadline:
                    raise
                raise MediaError(errors.TIMEOUT, f"Not complete after {LOAD_SECONDS:g} s") from ended
            except (OSError, SubprocessError) as error:  # no room for a temporary file, no process to be had
                log.error("rendering_failed", error=repr(error)[:200])
                raise MediaError(errors.FAILED, "This server could not render it") from error
        except MediaError as error:
            log.warning(
                "media_failed",
                code=error.code,
                error=error.message,
                url=shown(error.url or url),
                account_sid=account_sid,
                took_ms=int((self._clock() - started) * 1000),
            )
            raise

    def _load(self, source: Source) -> Program:
        for _ in range(MAX_SILENT_DOCUMENTS + 1):
            page = self._fetcher.fetch_document(source)
            if page.clip is not None:
                return Program(clip=Clip(page.clip.media_id, page.clip.duration_ms))
            program = _program(_parse(page, source), page.url, source)
            if program.verbs or program.then is None:
                return program
            source = program.then
        raise MediaError(errors.REDIRECTS, f"{MAX_SILENT_DOCUMENTS + 1} documents in a row only redirect", source.url)

    def _rendered(self, verb: Play | Say, base: str, account_sid: str) -> Rendered:
        if isinstance(verb, Say):
            speaker = find_speaker(verb.voice, verb.language)[0]
            return self._renderer.render_speech(account_sid, verb.text, verb.ssml, speaker)
        if verb.digits is not None:
            return self._renderer.render_digits(account_sid, verb.digits)
        return self._fetcher.fetch_audio(_join(base, verb.url or ""), account_sid)


def _program(document: Document, base: str, source: Source) -> Program:
    """Make a document's program. A redirect to nowhere becomes a verb that cannot be played, in its place."""
    redirect = document.redirect
    if redirect is None:
        return Program(document.verbs, base)
    try:
        url = _join(base, redirect.url)
    except MediaError as error:
        return Program((*document.verbs, Unplayable(error.code, error.message)), base)
    return Program(
        document.verbs, base, Source(url, redirect.method, source.parameters, source.account_sid, source.dialect)
    )


def _parse(page: Page, source: Source) -> Document:
    parse = parse_text if page.kind == "text" else parse_document
    try:
        document = parse(page.body, page.charset)
    except DocumentError as error:
        raise MediaError(error.code, error.message, source.url) from error
    for warning in document.warnings:
        log.warning(
            "twiml_warning",
            code=warning.code,
            error=warning.message,
            url=shown(source.url),
            account_sid=source.account_sid,
        )
    return document


def _join(base: str, url: str) -> str:
    try:
        return check_length(join_urls(base, url))
    except ValueError as error:
        raise MediaError(errors.BAD_URL, "The URL is not valid") from error
