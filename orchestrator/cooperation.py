"""Has the standard library wait by gevent, and has a question that waits for nothing cost next to nothing.

redis-py asks a socket whether it can be read before each command, and urllib3 before each request on a connection that
it has kept: `poll(0)`. gevent answers by starting a watcher and going round its loop (gevent/select.py, `poll.poll`),
which takes longer than the command.
"""

from __future__ import annotations

import select
from typing import Any, Final

import gevent.select
from gevent import monkey

_KERNEL_POLL: Final[Any] = monkey.get_original("select", "poll")


class Poll(gevent.select.poll):
    """gevent's, but for a timeout of 0: then the kernel is asked."""

    def __init__(self) -> None:
        super().__init__()
        self._kernel = _KERNEL_POLL()

    def register(self, fd: Any, eventmask: int = select.POLLIN | select.POLLPRI | select.POLLOUT) -> None:
        """Watch a descriptor; the rest is the standard library's."""
        super().register(fd, eventmask)
        self._kernel.register(fd, eventmask)

    def unregister(self, fd: Any) -> None:
        """Watch it no more."""
        super().unregister(fd)
        self._kernel.unregister(fd)

    def poll(self, timeout: float | None = None) -> list[tuple[int, int]]:
        """Wait for some milliseconds, or for ever; 0: do not wait."""
        return self._kernel.poll(0) if timeout == 0 else super().poll(timeout)


def patch() -> None:
    """Patch the standard library. Before anything opens a socket, or imports what does."""
    monkey.patch_all()
    select.poll = Poll  # type: ignore[misc, assignment]  # in the place of a function that makes one
