"""mod_http_cache: files that are fetched once, and `http_get`, with the real one's replies.

Whoever asks waits, alone; a second one who asks for the same URL waits for the same answer. What failed is forgotten at
once, what came is kept until it is too old, even if it then turns out to be no sound.
Its limits are wider than those of http_cache.conf.xml: 3 s to connect, 10 s to fetch.
Not copied: its other commands, `max-urls`, and that libcurl opens file:// as well.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path

import structlog
from gevent.event import Event as Signal

from orchestrator.sandbox.http_fetch import FetchFailed, fetch
from orchestrator.sandbox.switch_strings import parse_variable_blocks

log = structlog.get_logger(__name__)

USAGE = "USAGE: {param=val}<url>\n"
_MAX_AGE = re.compile(r"max-age=(\d+)", re.IGNORECASE)


@dataclass(slots=True, eq=False)
class _Cached:
    """cached_url_t. `arrived` is set when it is here, or has failed: then there is no `path`."""

    path: Path | None = None
    good_until: float = 0.0
    arrived: Signal = field(default_factory=Signal)

    def is_stale(self) -> bool:
        """Too old, or its file was taken away."""
        return self.path is not None and (time.monotonic() >= self.good_until or not self.path.exists())


class HttpCache:
    """The files of one run, in a directory of its own that `end` removes."""

    def __init__(self) -> None:
        """Nothing has been fetched, and there is no directory yet."""
        self.connect_timeout_seconds = 3.0
        self.download_timeout_seconds = 10.0
        self.default_max_age_seconds = 300.0
        self._cached: dict[str, _Cached] = {}
        self._directory: Path | None = None

    def get(self, url: str, *, refresh: bool = False) -> Path | None:
        """url_cache_get: where the file is, fetched if need be."""
        cached = self._cached.get(url)
        if cached is not None and (cached.is_stale() or (refresh and cached.path is not None)):
            self._forget(url, cached)
            cached = None
        if cached is None:
            cached = self._cached[url] = _Cached()
            self._fetch(url, cached)
        cached.arrived.wait(self.download_timeout_seconds)
        return cached.path

    def end(self) -> None:
        """Forget all files, and remove their directory: the run is over."""
        self._cached.clear()
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None

    def _fetch(self, url: str, cached: _Cached) -> None:
        path = self._new_path(url)
        try:
            with path.open("wb") as target:
                headers = fetch(
                    url,
                    target,
                    connect_seconds=self.connect_timeout_seconds,
                    total_seconds=self.download_timeout_seconds,
                )
            max_age = _MAX_AGE.search(headers.get("cache-control", ""))
            age_seconds = float(max_age.group(1)) if max_age else self.default_max_age_seconds
            cached.path, cached.good_until = path, time.monotonic() + age_seconds
        except (FetchFailed, OSError) as error:
            log.info("http_cache_fetch_failed", url=url, error=str(error))
            path.unlink(missing_ok=True)
        finally:
            if cached.path is None:
                self._forget(url, cached)
            cached.arrived.set()

    def _forget(self, url: str, cached: _Cached) -> None:
        if self._cached.get(url) is cached:
            del self._cached[url]
        if cached.path is not None:
            cached.path.unlink(missing_ok=True)

    def _new_path(self, url: str) -> Path:
        """cached_url_filename_create: only the URL's ending survives, and that decides what is read from it."""
        if self._directory is None:
            self._directory = Path(tempfile.mkdtemp(prefix="sandbox-http-cache-"))
        last = re.split(r"[/\\]", url)[-1]
        ending = re.split(r"[?#]", last.rpartition(".")[2])[0] if "." in last else ""
        name = str(uuid.uuid4())
        return self._directory / (f"{name}.{ending}" if ending.isalnum() else name)

    # --- commands ------------------------------------------------------------------------------------------------

    def http_get(self, argument: str) -> str:
        """Return the path, without a newline. One that cannot be had is reported as if there were no such command."""
        if not argument:
            return USAGE
        parameters, url = parse_variable_blocks(argument) or ({}, argument)
        path = self.get(url, refresh=parameters.get("refresh") == "true")
        return "-ERR http_get Command not found!\n" if path is None else str(path)
