"""Reads once what several greenlets want at the same moment."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from concurrent.futures import CancelledError, Future
from typing import Generic, TypeVar

T = TypeVar("T")


class SharedReads(Generic[T]):
    """Lets whoever wants what is being read wait for that. When a cache of a process runs out, hundreds of greenlets
    would ask Redis the same question."""

    def __init__(self) -> None:
        self._under_way: dict[Hashable, Future[T]] = {}

    def read(self, name: Hashable, read: Callable[[], T]) -> T:
        """Return what `read` returns, or raise what it raises, for everybody who asks by this name meanwhile."""
        while True:
            under_way = self._under_way.get(name)
            if under_way is None:
                return self._read(name, read)
            try:
                return under_way.result()
            except CancelledError:
                continue  # whoever read was killed

    def _read(self, name: Hashable, read: Callable[[], T]) -> T:
        mine: Future[T] = Future()
        self._under_way[name] = mine
        try:
            found = read()
        except Exception as error:
            mine.set_exception(error)
            raise
        else:
            mine.set_result(found)
            return found
        finally:
            if self._under_way.get(name) is mine:
                del self._under_way[name]
            mine.cancel()  # nothing to those who have been told

    def forget(self, name: Hashable) -> None:
        """Have whoever asks from now on not be told what is being read now: it has been changed."""
        self._under_way.pop(name, None)
