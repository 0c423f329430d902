"""Where nodes are. Apart from `nodes`, so that settings can be read before anything opens a socket."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NodeAddress:
    """A node's name and its event socket."""

    name: str
    host: str
    port: int
