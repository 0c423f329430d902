"""A document that is being loaded beside what is heard meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable

import gevent
import structlog

from orchestrator.errors import ApiError, Unavailable
from orchestrator.media.errors import FAILED, MediaError
from orchestrator.media.program import Program, Source

Load = Callable[[Source], Program]

log = structlog.get_logger("sounds")


class Loading:
    """Begins at once."""

    def __init__(self, load: Load, source: Source) -> None:
        self._load = load
        self._started = time.monotonic()
        self.greenlet = gevent.spawn(self._run, source)

    @property
    def seconds(self) -> float:
        """How long it has taken until now."""
        return time.monotonic() - self._started

    def result(self) -> Program | MediaError:
        """What has come. Raises Unavailable if Redis was away."""
        result = self.greenlet.get()
        if isinstance(result, ApiError):
            raise Unavailable(result.message) from result
        return result

    def cancel(self) -> None:
        """Nobody wants it any more."""
        self.greenlet.kill(block=False)

    def _run(self, source: Source) -> Program | MediaError | ApiError:
        """An error is a result here: gevent would print one that is raised."""
        try:
            return self._load(source)
        except (MediaError, ApiError) as error:
            return error
        except Exception:
            log.exception("loading_crashed")  # a defect of ours, and nobody is to hear silence because of it
            return MediaError(FAILED, "An internal error has occurred")
