"""Commands that are at work on something which may not go before they are done (switch_thread_rwlock_t).

Seen on the real one: while `play http_cache://…` waits for a server, the member that it is for does not leave when it
is kicked, and the conference that it is for is not destroyed, until the answer or the deadline comes.
"""

from __future__ import annotations

from types import TracebackType

from gevent.event import Event as Signal


class Readers:
    """Counts the readers at work. `with readers:` is a read lock; `wait` is what the one does who takes the write
    lock."""

    __slots__ = ("_count", "_none_left")

    def __init__(self) -> None:
        """None yet; the signal is made only for somebody who waits, as there is one of these for each member."""
        self._count = 0
        self._none_left: Signal | None = None

    def __enter__(self) -> None:
        """One more."""
        self._count += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """One less."""
        self._count -= 1
        if not self._count and self._none_left is not None:
            self._none_left.set()

    def wait(self) -> None:
        """Wait until no reader is at work."""
        while self._count:
            self._none_left = self._none_left or Signal()
            self._none_left.clear()
            self._none_left.wait()
