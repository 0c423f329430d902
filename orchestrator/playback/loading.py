"""What is being fetched or rendered beside what is heard meanwhile: a document, or one of its verbs."""

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
    """From a document's address to what it says, and from one of its verbs to a clip: media.load.ProgramLoader. Both
    raise MediaError, and ApiError if Redis is away."""

    def load_program(self, source: Source) -> Program:
        """A document."""

    def render(self, verb: Verb, base: str, account_sid: str) -> Clip:
        """A verb of it."""


class Loading(Generic[T]):
    """Begins at once. `verb` None: it is the document."""

    def __init__(self, verb: Verb | None, load: Callable[[], T]) -> None:
        self.verb = verb
        self.started = time.monotonic()
        self.greenlet: Greenlet[..., T | MediaError | ApiError] = gevent.spawn(
            contextvars.copy_context().run, _run, load
        )

    def result(self) -> T | MediaError:
        """What has come. Raises Unavailable if Redis was away."""
        result = self.greenlet.get()
        if isinstance(result, ApiError):
            raise Unavailable(result.message) from result
        return result

    def cancel(self) -> None:
        """Nobody wants it any more."""
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
    """Those of one lane: one at a time for its background, one for its announcement."""

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
        """When the one that is on its way was begun (time.monotonic), or None."""
        loading = self._running.get(kind)
        return None if loading is None else loading.started

    def wait(self, seconds: float) -> None:
        """Until one has come."""
        gevent.wait([loading.greenlet for loading in self._running.values()], seconds, 1)

    @property
    def have_come(self) -> bool:
        """True if there is something to be taken."""
        return any(loading.greenlet.ready() for loading in self._running.values())

    def take(self) -> list[tuple[Kind, Loading[Any]]]:
        """Those that have come, which are thereby over."""
        ready = [(kind, loading) for kind, loading in self._running.items() if loading.greenlet.ready()]
        for kind, _ in ready:
            del self._running[kind]
        return ready

    def cancel(self, *kinds: Kind) -> None:
        """Nobody wants these any more; without a kind, any."""
        for kind in kinds or tuple(self._running):
            loading = self._running.pop(kind, None)
            if loading is not None:
                loading.cancel()
