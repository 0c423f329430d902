"""A SIP endpoint that says whatever a test wants: a stranger, or a called party that means harm. UDP or TCP.

    with Agent() as stranger:
        refusal = stranger.ask(("127.0.0.1", 5060), "INVITE", headers={"Replaces": "…"}, body=sdp(stranger.host, 4000))
        assert refusal.status == 403

    with Agent(answer=lambda invite: [Reply(302, {"Contact": "<sip:x@127.0.0.1:5999>"})]) as callee:
        ...  # have somebody dial callee.uri
        assert callee.count("INVITE") == 1

It is no stack: nothing is retransmitted, and nothing is refused unless `answer` says so. It binds to loopback addresses
only; `host` may be any of 127.0.0.0/8, so that one machine can play several. RTP: tests/harness/rtp.py.
"""

from __future__ import annotations

import contextlib
import secrets
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Self

Address = tuple[str, int]

COMPACT: Final = {"v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact", "l": "content-length"}
ANSWER_SECONDS: Final = 3.0
MAX_KEPT: Final = 20_000
"""Messages an agent keeps; a switch that went wild is still counted, and does not fill the memory."""


@dataclass(frozen=True)
class Message:
    """A request or a response as it came; header names in lower case."""

    first_line: str
    headers: tuple[tuple[str, str], ...]
    body: str
    source: Address

    @property
    def method(self) -> str:
        """A request's method; empty for a response."""
        return "" if self.first_line.startswith("SIP/2.0 ") else self.first_line.partition(" ")[0]

    @property
    def uri(self) -> str:
        """A request's Request-URI."""
        return self.first_line.split(" ")[1]

    @property
    def status(self) -> int:
        """A response's status; 0 for a request."""
        return 0 if self.method else int(self.first_line.split(" ")[1])

    def header(self, name: str) -> str:
        """The first header of that name, or nothing."""
        return next((value for key, value in self.headers if key == name.lower()), "")

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name.lower()]


@dataclass(frozen=True)
class Reply:
    """One response to a request."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""


Answer = Callable[[Message], Sequence[Reply]]


def parse(data: bytes, source: Address) -> Message:
    """One whole message. Raises ValueError."""
    head, _, body = data.decode("utf-8", "replace").partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    pairs = (line.partition(":")[::2] for line in lines)
    headers = tuple((COMPACT.get(name.strip().lower(), name.strip().lower()), value.strip()) for name, value in pairs)
    return Message(first, headers, body, source)


def sdp(host: str, port: int, *more: str) -> str:
    """One stream of PCMU at this address; `more`: lines of its own (`a=sendonly`)."""
    lines = ["v=0", f"o=- 1 {time.monotonic_ns()} IN IP4 {host}", "s=-", f"c=IN IP4 {host}", "t=0 0"]
    lines += [f"m=audio {port} RTP/AVP 0 101", "a=rtpmap:101 telephone-event/8000", *more]
    return "".join(f"{line}\r\n" for line in lines)


def media_of(message: Message) -> Address:
    """Where the sender of this SDP wants its RTP."""
    lines = message.body.splitlines()
    host = next(line.split()[-1] for line in lines if line.startswith("c="))
    return host, int(next(line.split()[1] for line in lines if line.startswith("m=audio")))


def declines(_: Message) -> Sequence[Reply]:
    """603 to everything."""
    return [Reply(603)]


def answers(host: str, port: int, *more: str) -> Answer:
    """200 with this SDP to an INVITE, 200 to all else."""
    sent = {"Content-Type": "application/sdp"}

    def answer(request: Message) -> Sequence[Reply]:
        return [Reply(200, sent, sdp(host, port, *more))] if request.method == "INVITE" else [Reply(200)]

    return answer


@dataclass
class Dialog:
    """A call that an agent has answered: what it may say inside it."""

    invite: Message
    tag: str
    cseq: int = 100

    def request(
        self,
        agent: Agent,
        method: str,
        headers: Mapping[str, str] | None = None,
        body: str = "",
        acknowledged_by: str = "",
    ) -> Message:
        """Say something inside the call, from any agent: its source may be another one than the call's. Returns the
        final response; AssertionError if there is none. `acknowledged_by`: the body of an INVITE's ACK."""
        self.cseq += 1
        target = self.invite.header("contact").partition("<")[2].partition(">")[0]
        host, _, port = target.partition("@")[2].partition(";")[0].partition(":")
        own = {
            "From": f"{self.invite.header('to')};tag={self.tag}",
            "To": self.invite.header("from"),
            "Call-ID": self.invite.header("call-id"),
            "CSeq": f"{self.cseq} {method}",
        }
        found = agent.ask(
            (host, int(port)), method, target, own | dict(headers or {}), body, acknowledged_by=acknowledged_by
        )
        assert found is not None, f"{method} inside the call: no answer"
        return found


class Agent:
    """One endpoint. `requests` are those that came, retransmissions included; `branches` tell how many they were."""

    def __init__(self, answer: Answer = declines, host: str = "127.0.0.1", transport: str = "udp") -> None:
        self.answer = answer
        self.host = host
        self.transport = transport
        self.tag = secrets.token_hex(4)
        self.requests: list[Message] = []
        self.responses: list[Message] = []
        self.dialogs: dict[str, Dialog] = {}
        self._streams: dict[Address, socket.socket] = {}
        self._came = threading.Condition()
        kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
        self._socket = socket.socket(socket.AF_INET, kind)
        self._socket.bind((host, 0))
        self.port = int(self._socket.getsockname()[1])

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def uri(self) -> str:
        """What to dial to reach it."""
        return f"sip:agent@{self.address}" + ("" if self.transport == "udp" else f";transport={self.transport}")

    def start(self) -> None:
        if self.transport != "udp":
            self._socket.listen()
        self._spawn(self._read_datagrams if self.transport == "udp" else self._accept)

    def stop(self) -> None:
        for each in (self._socket, *self._streams.values()):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # ------------------------------------------------------------ asking

    def ask(
        self,
        target: Address,
        method: str,
        uri: str = "",
        headers: Mapping[str, str] | None = None,
        body: str = "",
        seconds: float = ANSWER_SECONDS,
        acknowledged_by: str = "",
    ) -> Message | None:
        """Send one request; returns its final response, acknowledged if it was an INVITE, or None. Headers given here
        replace those that a request has anyway."""
        branch = "z9hG4bK" + secrets.token_hex(8)
        uri = uri or f"sip:somebody@{target[0]}:{target[1]}"
        own = {
            "Via": f"SIP/2.0/{self.transport.upper()} {self.address};rport;branch={branch}",
            "From": f"<sip:stranger@{self.address}>;tag={self.tag}",
            "To": f"<{uri}>",
            "Call-ID": secrets.token_hex(12),
            "CSeq": f"1 {method}",
            "Max-Forwards": "70",
            "Contact": f"<{self.uri}>",
        } | ({"Content-Type": "application/sdp"} if body else {})
        given = own | dict(headers or {})
        self.send(target, render(f"{method} {uri} SIP/2.0", given, body))
        final = self._await(branch, method, seconds)
        if final is not None and method == "INVITE":
            again = branch if final.status >= 300 else "z9hG4bK" + secrets.token_hex(8)
            acknowledged = (
                {name: given[name] for name in ("From", "Call-ID", "Max-Forwards")}
                | {
                    "Via": own["Via"].replace(branch, again),
                    "To": final.header("to"),
                    "CSeq": given["CSeq"].replace("INVITE", "ACK"),
                }
                | ({"Content-Type": "application/sdp"} if acknowledged_by else {})
            )
            self.send(target, render(f"ACK {uri} SIP/2.0", acknowledged, acknowledged_by))
        return final

    def send(self, target: Address, message: bytes) -> None:
        """Send bytes as they are: also what is no SIP."""
        if self.transport == "udp":
            self._socket.sendto(message, target)
            return
        if target not in self._streams:
            self._keep(target, socket.create_connection(target, ANSWER_SECONDS, (self.host, 0)))
        self._streams[target].sendall(message)

    def _await(self, branch: str, method: str, seconds: float) -> Message | None:
        def find() -> Message | None:
            for each in self.responses:
                if branch in each.header("via") and each.header("cseq").endswith(method) and each.status >= 200:
                    return each
            return None

        with self._came:
            self._came.wait_for(lambda: find() is not None, seconds)
            return find()

    # ------------------------------------------------------------ what came

    def count(self, method: str) -> int:
        """How many requests of a method came, each counted once however often it was sent."""
        return len({each.header("via") for each in self.requests if each.method == method})

    def dialog(self) -> Dialog:
        """The call that it has answered; AssertionError unless there is exactly one."""
        assert len(self.dialogs) == 1, f"{len(self.dialogs)} calls were answered"
        return next(iter(self.dialogs.values()))

    def _read_datagrams(self) -> None:
        while True:
            try:
                data, source = self._socket.recvfrom(65_535)
            except OSError:
                return
            self._take(data, source)

    def _accept(self) -> None:
        while True:
            try:
                stream, source = self._socket.accept()
            except OSError:
                return
            self._keep(source, stream)

    def _keep(self, peer: Address, stream: socket.socket) -> None:
        stream.settimeout(None)
        self._streams[peer] = stream
        self._spawn(lambda: self._read_stream(peer, stream))

    def _read_stream(self, peer: Address, stream: socket.socket) -> None:
        buffer = b""
        while True:
            try:
                data = stream.recv(65_535)
            except OSError:
                return
            if not data:
                return
            buffer += data
            while (end := buffer.find(b"\r\n\r\n")) >= 0:
                length = int(parse(buffer[: end + 4], peer).header("content-length") or 0)
                if len(buffer) < end + 4 + length:
                    break
                message, buffer = buffer[: end + 4 + length], buffer[end + 4 + length :]
                self._take(message, peer)

    def _take(self, data: bytes, source: Address) -> None:
        if not data.strip():
            return  # a keep-alive
        message = parse(data, source)
        kept = self.requests if message.method else self.responses
        with self._came:
            if len(kept) < MAX_KEPT:
                kept.append(message)
            self._came.notify_all()
        if message.method and message.method != "ACK":
            for reply in self.answer(message):
                self._reply(message, reply)

    def _reply(self, request: Message, reply: Reply) -> None:
        to = request.header("to")
        if "tag=" not in to:
            to += f";tag={self.tag}"
        headers: list[tuple[str, str]] = [("Via", value) for value in request.all("via")]
        headers += [("From", request.header("from")), ("To", to)]
        headers += [("Call-ID", request.header("call-id")), ("CSeq", request.header("cseq"))]
        given = {"Contact": f"<{self.uri}>"} | dict(reply.headers)
        if request.method == "INVITE" and 200 <= reply.status < 300 and "tag=" not in request.header("to"):
            self.dialogs[request.header("call-id")] = Dialog(request, self.tag)
        line = f"SIP/2.0 {reply.status} Because"
        with contextlib.suppress(OSError):  # who asked may be gone
            self.send(request.source, render(line, [*headers, *given.items()], reply.body))

    def _spawn(self, run: Callable[[], None]) -> None:
        threading.Thread(target=run, daemon=True).start()


def render(first_line: str, headers: Mapping[str, str] | Sequence[tuple[str, str]], body: str) -> bytes:
    """A message as it goes on the wire."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    lines = [first_line, *(f"{name}: {value}" for name, value in pairs), f"Content-Length: {len(body.encode())}"]
    return "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n" + body.encode()
