"""What is needed to dial a call later, sealed: it may hold SIP credentials, which nobody is to read in the database.

The key follows from FREESWITCH_PASSWORD, which every process that dials has, and Redis never sees. With another
password calls that wait cannot be dialled any more, and fail.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, fields
from typing import Any, Final

import orjson
from cryptography.fernet import Fernet, InvalidToken

from orchestrator.domain.commands import CreateParticipant
from orchestrator.freeswitch.dial_string import RENDERED_FIELDS, Destination
from orchestrator.freeswitch.sip_uri import parse_sip_uri

_SALT: Final = b"orchestrator: calls that wait"
_COST: Final = 1 << 14


class Unreadable(Exception):
    """The queued call was sealed under another password, or not by us."""


@dataclass(frozen=True, slots=True)
class QueuedCall:
    """A call that waits, as it was asked for, and where it leads: what was looked up for it is not looked up again."""

    command: CreateParticipant
    destination: Destination


class Seal:
    """Seals and opens queued calls."""

    def __init__(self, password: str) -> None:
        key = hashlib.scrypt(password.encode(), salt=_SALT, n=_COST, r=8, p=1, dklen=32)
        self._fernet = Fernet(base64.urlsafe_b64encode(key))

    def seal(self, queued_call: QueuedCall) -> str:
        """Encrypt a queued call into a text that says nothing."""
        given = {name: getattr(queued_call.command, name) for name in sorted(RENDERED_FIELDS)}
        plain = {field.name: field.default for field in fields(CreateParticipant)}
        destination = queued_call.destination
        body = {
            "command": {name: value for name, value in given.items() if value != plain[name]},
            "destination": [
                destination.dialled,
                destination.behind_nat,
                destination.is_direct,
                destination.server,
                destination.fallbacks,
            ],
        }
        return self._fernet.encrypt(orjson.dumps(body)).decode()

    def open(self, text: str) -> QueuedCall:
        """Decrypt a queued call. Raises Unreadable."""
        try:
            body: dict[str, Any] = orjson.loads(self._fernet.decrypt(text.encode()))
        except (InvalidToken, orjson.JSONDecodeError) as error:
            raise Unreadable from error
        command = CreateParticipant(**body["command"])
        dialled, behind_nat, is_direct, server, fallbacks = body["destination"]
        uri = parse_sip_uri(command.to) if command.to.startswith(("sip:", "sips:")) else None
        return QueuedCall(command, Destination(dialled, behind_nat, uri, is_direct, server, tuple(fallbacks)))
