"""What the real switch does and the sandbox does not."""

from __future__ import annotations


class NotSimulated(Exception):
    """The client is told so, and the log: nothing is done as if it had worked."""
