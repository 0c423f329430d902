"""Whether a gateway answers: an OPTIONS, as carriers send them to each other. Any response will do, also a refusal."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Iterator
from typing import Final

from orchestrator.errors import ApiError
from orchestrator.store.accounts import AccountStore
from orchestrator.trunks import Gateway

PING_SECONDS: Final = 2.0


def trunks_of(store: AccountStore) -> Iterator[tuple[bool | None, str]]:
    """Check whether each gateway of each trunk answers here, which the nodes may see otherwise; wrong is a trunk
    without one that does."""
    try:
        accounts = store.list_accounts()
    except ApiError:
        return  # said already
    for account in accounts:
        for trunk in account.trunks:
            found = [(gateway, problem_of(gateway)) for gateway in trunk.gateways]
            worst = False if all(problem for _, problem in found) else None
            for gateway, problem in found:
                text = f"trunk {trunk.trunk_sid}, gateway {gateway.address}"
                yield (worst, f"{text}: {problem}") if problem else (True, f"{text} answers")


def problem_of(gateway: Gateway) -> str | None:
    """Return what is wrong with a gateway as it is seen from here; None: it answers, or takes connections if it has
    TCP."""
    try:
        host = gateway.host.strip("[]")
        family, kind, _, _, address = socket.getaddrinfo(
            host, gateway.port, type=socket.SOCK_DGRAM if gateway.transport == "udp" else socket.SOCK_STREAM
        )[0]
        with socket.socket(family, kind) as connection:
            connection.settimeout(PING_SECONDS)
            connection.connect(address)
            if gateway.transport == "udp":
                connection.send(_options(gateway, connection.getsockname()))
                if not connection.recv(4096).startswith(b"SIP/2.0 "):
                    return "answers, and not in SIP"
    except TimeoutError:
        return f"does not answer within {PING_SECONDS:g} s"
    except OSError as error:
        return str(error)
    return None


def _options(gateway: Gateway, local: tuple[str, int]) -> bytes:
    here = f"[{local[0]}]" if ":" in local[0] else local[0]
    lines = (
        f"OPTIONS sip:{gateway.address} SIP/2.0",
        f"Via: SIP/2.0/UDP {here}:{local[1]};branch=z9hG4bK{secrets.token_hex(8)};rport",
        f"From: <sip:check@{here}>;tag={secrets.token_hex(4)}",
        f"To: <sip:{gateway.address}>",
        f"Call-ID: {secrets.token_hex(8)}@{here}",
        "CSeq: 1 OPTIONS",
        f"Contact: <sip:check@{here}:{local[1]}>",
        "Max-Forwards: 70",
        "Content-Length: 0",
    )
    return "\r\n".join((*lines, "", "")).encode()
