"""Trunks: the gateways by which an account's phone calls go out, as the operator lists them for `Byoc`."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

MOST_GATEWAYS: Final = 10
MOST_TRUNKS: Final = 100
"""Of one account: every one of them is read with it."""
LONGEST_NAME: Final = 64

_GATEWAY: Final = re.compile(
    r"(?P<host>[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\]):(?P<port>[1-9][0-9]{0,4})"
    r"(;transport=(?P<transport>udp|tcp|tls))?(,(?P<priority>[0-9]{1,4})(,(?P<weight>[1-9][0-9]{0,3}))?)?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Gateway:
    """Where calls are sent to. A lower priority is tried first; of equal ones more often the one with more weight."""

    host: str
    port: int
    transport: str = "udp"
    priority: int = 0
    weight: int = 1

    @property
    def address(self) -> str:
        """Return the address as a SIP URI has it behind the `@`."""
        return f"{self.host}:{self.port}" + ("" if self.transport == "udp" else f";transport={self.transport}")

    def __str__(self) -> str:
        return f"{self.address},{self.priority},{self.weight}"


@dataclass(frozen=True, slots=True)
class Trunk:
    """A trunk of an account."""

    trunk_sid: str
    gateways: tuple[Gateway, ...]
    friendly_name: str = ""

    def in_order(self, chance: Callable[[], float] = random.random) -> list[Gateway]:
        """The gateways as one call tries them: by priority, and among equals as if drawn by weight (the order of RFC
        2782, with the exponential trick: https://en.wikipedia.org/wiki/Reservoir_sampling#Algorithm_A-Res)."""
        return sorted(self.gateways, key=lambda one: (one.priority, -(chance() ** (1 / one.weight))))


def parse_gateway(text: str) -> Gateway:
    """Read `host:port[;transport=tcp][,priority[,weight]]`. Raises ValueError."""
    match = _GATEWAY.fullmatch(text)
    if match is None or int(match["port"]) > 65_535:
        raise ValueError(f"'{text}' is not host:port, with ;transport=tcp and ,priority,weight behind it if need be")
    return Gateway(
        match["host"], int(match["port"]), match["transport"] or "udp", int(match["priority"] or 0),
        int(match["weight"] or 1),
    )  # fmt: skip


def dump(trunk: Trunk) -> str:
    """Write a trunk as it is kept: the gateways separated by spaces, and the name behind a line break."""
    return " ".join(map(str, trunk.gateways)) + "\n" + trunk.friendly_name


def load(trunk_sid: str, text: str) -> Trunk:
    """Read a trunk that was kept."""
    gateways, _, name = text.partition("\n")
    return Trunk(trunk_sid, tuple(map(parse_gateway, gateways.split())), name)


def find(trunks: Sequence[Trunk], trunk_sid: str) -> Trunk | None:
    """Find the trunk of that SID."""
    return next((one for one in trunks if one.trunk_sid == trunk_sid), None)
