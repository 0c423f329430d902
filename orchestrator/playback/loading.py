"""Fetches or renders a document, or one of its verbs, beside what is heard meanwhile."""

from __future__ import annotations

import contextvars
import time
from collections.abc import Callable, Sequence
from typing import Any, Generic, Protocol, TypeVar

import gevent
import structlog
from gevent import Greenlet

from orchestrator.errors import ApiError, Unavailable
from orchestrator.media.errors import FAILED, MediaError
from orchestrator.media.program import Clip, Program, Source
from orchestrator.playback.state import Kind, Track
from orchestrator.twiml.verbs import Verb

T = TypeVar("T", Program, Clip)
Parameters = Sequence[tuple[str, str]]

log = structlog.get_logger("playback")


class Loader(Protocol):
    """Loads documents, and renders verbs into clips: media.load.ProgramLoader. Both methods raise MediaError, and
    ApiError if Redis is away."""

    def load_program(self, source: Source) -> Program:
        """Load a document: what it says to play."""

    def render(self, verb: Verb, base: str, account_sid: str) -> Clip:
        """Render a verb of a document into a clip."""


class Loading(Generic[T]):
    """One load, which begins at once. `verb` None: it is the document."""

    def __init__(self, verb: Verb | None, load: Callable[[], T]) -> None:
        self.verb = verb
        self.started = time.monotonic()
        self.greenlet: Greenlet[..., T | MediaError | ApiError] = gevent.spawn(
            contextvars.copy_context().run, _run, load
        )

    def result(self) -> T | MediaError:
        """Return what has come of the load. Raises Unavailable if Redis was away."""
        result = self.greenlet.get()
        if isinstance(result, ApiError):
            raise Unavailable(result.message) from result
        return result

    def cancel(self) -> None:
        """Stop the load: nobody wants it any more."""
        self.greenlet.kill(block=False)


def _run(load: Callable[[], T]) -> T | MediaError | ApiError:
    """An error is a result here: gevent would print one that is raised."""
    try:
        return load()
    except (MediaError, ApiError) as error:
        return error
    except Exception:
        log.exception("loading_crashed")  # a defect of ours, and nobody is to hear silence because of it
        return MediaError(FAILED, "An internal error has occurred")


class Loads:
    """The loads of one lane: one at a time for its background, one for its announcement."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader
        self._running: dict[Kind, Loading[Any]] = {}

    def __bool__(self) -> bool:
        return bool(self._running)

    def begin(self, kind: Kind, track: Track, account_sid: str, parameters: Callable[[], Parameters]) -> None:
        """Load what the track wants next, if nothing is on its way: a verb, or its document."""
        if kind in self._running:
            return
        verb = track.wanted
        if verb is not None:
            self._running[kind] = Loading(verb, lambda: self._loader.render(verb, track.base, account_sid))
        elif track.needs_loading:
            source = track.source(tuple(parameters()), account_sid)
            self._running[kind] = Loading(None, lambda: self._loader.load_program(source))

    def begun(self, kind: Kind) -> float | None:
        """Return when the load that is on its way was begun (time.monotonic), or None."""
        loading = self._running.get(kind)
        return None if loading is None else loading.started

    def wait(self, seconds: float) -> None:
        """Wait until a load has come."""
        gevent.wait([loading.greenlet for loading in self._running.values()], seconds, 1)

    @property
    def have_come(self) -> bool:
        """True if a load has come and can be taken."""
        return any(loading.greenlet.ready() for loading in self._running.values())

    def take(self) -> list[tuple[Kind, Loading[Any]]]:
        """Take the loads that have come, which are thereby over."""
        ready = [(kind, loading) for kind, loading in self._running.items() if loading.greenlet.ready()]
        for kind, _ in ready:
            del self._running[kind]
        return ready

    def cancel(self, *kinds: Kind) -> None:
        """Stop the loads of these kinds, which nobody wants any more; without a kind, all."""
        for kind in kinds or tuple(self._running):
            loading = self._running.pop(kind, None)
            if loading is not None:
                loading.cancel()
