"""Keeps live pages: each is read and rendered once for all who watch, three times a second, and sent where it has
changed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping

import gevent
import structlog
from gevent.event import Event

from orchestrator.errors import ApiError, Unavailable

INTERVAL_SECONDS = 0.3
"""How often Redis is asked while somebody watches; less often where that is much work, for a sixth of a core at
most."""

MOST_VIEWERS = 100
MOST_PAGES = 50
"""Most conferences whose pages are watched at a time: each is read for itself."""

KEEP_SECONDS = 15.0
"""How often a comment is sent when nothing changes: so a connection whose browser has gone is found out."""

Render = Callable[[], Mapping[str, str]]
"""Section -> its HTML."""

log = structlog.get_logger("console")


class TooManyViewers(Unavailable):
    """More browsers watch than may."""


class Live:
    """Reads and renders one page, while somebody watches it."""

    def __init__(self, render: Render) -> None:
        self._render = render
        self._sections: dict[str, tuple[int, str]] = {}
        self._changed = Event()
        self._viewers = 0
        self._running = False

    @property
    def is_watched(self) -> bool:
        """Return whether somebody watches."""
        return self._viewers > 0

    def watch(self) -> Iterator[str]:
        """Yield server-sent events: the sections that have changed since this viewer saw them. Raises
        TooManyViewers."""
        if self._viewers >= MOST_VIEWERS:
            raise TooManyViewers(f"{MOST_VIEWERS} browsers watch already")
        return self._watch()

    def _watch(self) -> Iterator[str]:
        seen: dict[str, int] = {}
        self._viewers += 1
        self._start()
        try:
            yield "retry: 2000\n\n"
            while True:
                changed = self._changed  # taken before the sections are read: what changes while they are sent counts
                news = [(name, *row) for name, row in self._sections.items() if seen.get(name) != row[0]]
                seen.update({name: number for name, number, _ in news})
                yield "".join(_event(name, html) for name, _, html in news) or ": here\n\n"
                changed.wait(KEEP_SECONDS)
        finally:
            self._viewers -= 1

    def _start(self) -> None:
        if not self._running:
            self._running = True
            gevent.spawn(self._run)

    def _run(self) -> None:
        try:
            while self._viewers:
                began = time.thread_time()
                try:
                    self._look()
                except ApiError as error:
                    log.warning("console_not_read", error=error.message)
                except Exception:
                    log.exception("console_page_crashed")
                gevent.sleep(max(INTERVAL_SECONDS, 5 * (time.thread_time() - began)))
        finally:
            self._running = False

    def _look(self) -> None:
        """Read the page once; wake the viewers if something is new."""
        is_new = False
        for name, html in self._render().items():
            number, before = self._sections.get(name, (0, ""))
            if html != before:
                self._sections[name] = (number + 1, html)
                is_new = True
        if is_new:
            changed, self._changed = self._changed, Event()
            changed.set()


class LivePages:
    """Pages that are read for those who watch them, by name: MOST_PAGES at a time."""

    def __init__(self, render: Callable[[str], Mapping[str, str]]) -> None:
        self._render = render
        self._pages: dict[str, Live] = {}

    def watch(self, name: str) -> Iterator[str]:
        """Yield the server-sent events of one page. Raises TooManyViewers."""
        page = self._pages.get(name)
        if page is None:
            self._pages = {name: page for name, page in self._pages.items() if page.is_watched}
            if len(self._pages) >= MOST_PAGES:
                raise TooManyViewers(f"{MOST_PAGES} pages are watched already")
            page = self._pages[name] = Live(lambda: self._render(name))
        return page.watch()


def _event(name: str, html: str) -> str:
    lines = "".join(f"data: {line}\n" for line in html.splitlines())
    return f"event: {name}\n{lines}\n"
