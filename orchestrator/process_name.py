"""Names this process in Redis: in its leases, its reports and its nodes."""

from __future__ import annotations

import os
import socket
from functools import cache


def process_name() -> str:
    """Return `host:pid:four digits`: a container's process is always the first, and hosts may share their name."""
    return _name_of(os.getpid())


@cache
def _name_of(pid: int) -> str:
    """One for each process: a fork of the API's is another."""
    return f"{socket.gethostname()}:{pid}:{os.urandom(2).hex()}"
