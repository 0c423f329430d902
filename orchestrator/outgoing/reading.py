"""Reads answers so that other greenlets run, however fast the answers come."""

from __future__ import annotations

import io
import socket
import time
from http.client import HTTPResponse
from typing import Any, Final

FREE_READS: Final = 2
"""Reads of the socket before which nobody else is let run. The usual answer takes one or two, of a buffer (8 kB) each:
it never pays for this."""


class YieldingResponse(HTTPResponse):
    """An HTTPResponse that lets others run before each read of the socket but the first few.

    Under gevent a read waits, and lets others run, only when nothing has come yet. A server that sends faster than
    its answer is read would keep a process to itself: no timeout fires, because timeouts are others as well.
    """

    def __init__(
        self, sock: socket.socket, debuglevel: int = 0, method: str | None = None, url: str | None = None
    ) -> None:
        super().__init__(sock, debuglevel, method, url)
        self.fp = io.BufferedReader(_Yielding(self.fp.detach()))


class _Yielding(io.RawIOBase):
    def __init__(self, raw: io.RawIOBase) -> None:
        self._raw = raw
        self._reads = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._reads += 1
        if self._reads > FREE_READS:
            time.sleep(0)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()
