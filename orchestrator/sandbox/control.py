"""What an app developer may have phones do, and a switch that is frozen: `orchestrator sandbox press 5 CA…`, and so on.

It goes over the event socket, as a command that no real switch has: `api sandbox <action> [<word>] <call>`. A call is
named by its CallSid, its UUID or the number that was dialled.
"""

from __future__ import annotations

import socket
import uuid
from collections.abc import Callable
from typing import BinaryIO, Final

from orchestrator.sandbox.node import Node
from orchestrator.sandbox.session import Session

_DEADLINE_SECONDS = 5.0
_SID_LENGTH = 34
_KEYS: Final = frozenset("0123456789*#ABCD")


class Refused(Exception):
    """There is no such phone, no such action, or no sandbox that we could tell."""


def _press(session: Session, keys: str) -> None:
    if not keys or not set(keys) <= _KEYS:
        raise Refused(f"keys are 0-9, *, #, A-D, not '{keys}'")
    for key in keys:
        session.channel.fire("DTMF", {"DTMF-Digit": key, "DTMF-Duration": "2080", "DTMF-Source": "RTP"})


def _turns(session: Session, seconds: str) -> None:
    if not seconds.isdigit() or not int(seconds):
        raise Refused(f"turns of how many seconds? '{seconds}' is no number")
    session.talk_in_turns(int(seconds))


PHONES: Final[dict[str, Callable[[Session, str], None]]] = {
    "press": _press,
    "quiet": lambda session, word: session.set_quiet(True),
    "speak": lambda session, word: session.set_quiet(False),
    "turns": _turns,
    "hang-up": lambda session, word: session.channel.far_end_hangs_up(),
}
WITH_WORD: Final = frozenset({"press", "turns", "freeze"})
ACTIONS: Final = (*PHONES, "freeze")


def command(node: Node, argument: str) -> str:
    """Have phones do what the words of the command say: `+OK`, and how many have done it."""
    action, *words = argument.split()
    word = words.pop(0) if action in WITH_WORD and words else ""
    try:
        if action == "freeze":
            return _freeze(node, word)
        act = PHONES.get(action)
        if act is None:
            raise Refused(f"what can be done: {', '.join(ACTIONS)}")
        sessions = [session for session in node.sessions.values() if _is_meant(session, " ".join(words))]
        for session in sessions:
            act(session, word)
    except Refused as refused:
        return f"-ERR {refused}\n"
    return f"+OK {len(sessions)}\n" if sessions else "-ERR no such call\n"


def _freeze(node: Node, seconds: str) -> str:
    if not seconds.isdigit():
        raise Refused(f"freeze for how many seconds? '{seconds}' is no number")
    node.freeze(int(seconds))
    return f"+OK frozen for {seconds} s\n"


def _is_meant(session: Session, call: str) -> bool:
    channel = session.channel
    if channel.hung_up.is_set():
        return False
    if call.startswith("CA"):
        call = str(uuid.UUID(call[2:])) if len(call) == _SID_LENGTH else call
    return call in (channel.channel_uuid, channel.number)


def tell(host: str, port: int, password: str, words: list[str]) -> str:
    """Send such a command to a running sandbox; returns its answer. Raises Refused."""
    try:
        with socket.create_connection((host, port), _DEADLINE_SECONDS) as connection:
            stream = connection.makefile("rb")
            _answer(stream)
            connection.sendall(f"auth {password}\n\napi sandbox {' '.join(words)}\n\n".encode())
            accepted, answer = _answer(stream), _answer(stream)
    except OSError as error:
        raise Refused(f"no sandbox at {host}:{port}: {error}") from error
    if not answer.startswith("+OK"):
        raise Refused(answer or accepted)
    return answer


def _answer(stream: BinaryIO) -> str:
    """The body of the next message, or what its Reply-Text says."""
    headers = {}
    while line := stream.readline().decode().strip():
        name, _, value = line.partition(": ")
        headers[name] = value
    body = stream.read(int(headers.get("Content-Length", "0"))).decode()
    return (body or headers.get("Reply-Text", "")).strip()
