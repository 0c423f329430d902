"""A real name server on UDP that answers as a test wants it to, and keeps what it was asked."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Mapping, Sequence

import dns.flags
import dns.message
import dns.rcode
import dns.resolver
import dns.rrset

Answer = Sequence[str] | dns.rcode.Rcode | None
"""Lines as in a zone file, an error, or silence."""

Zone = Mapping[tuple[str, str], Answer]


class DnsServer:
    """`answer` gets a name without its last dot, and "A" or "AAAA"."""

    def __init__(self, answer: Callable[[str, str], Answer]) -> None:
        self.answer = answer
        self.asked: list[tuple[str, str]] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def zone(self, zone: Zone) -> None:
        """Answer with these; an unknown name does not exist, a known one has no other records."""
        names = {name for name, _ in zone}
        self.answer = lambda name, kind: zone.get((name, kind), [] if name in names else dns.rcode.NXDOMAIN)

    def questions(self, kind: str = "A") -> list[str]:
        return [name for name, asked_kind in self.asked if asked_kind == kind]

    def client(self, **settings: object) -> dns.resolver.Resolver:
        made = dns.resolver.Resolver(configure=False)
        made.nameservers, made.port = ["127.0.0.1"], self.port
        for name, value in settings.items():
            setattr(made, name, value)
        return made

    def stop(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waking:
            waking.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join(5)
        self._socket.close()

    def _serve(self) -> None:
        while True:
            wire, peer = self._socket.recvfrom(4096)
            if not wire:
                return
            threading.Thread(target=self._reply, args=(wire, peer), daemon=True).start()

    def _reply(self, wire: bytes, peer: tuple[str, int]) -> None:
        query = dns.message.from_wire(wire)
        (question,) = query.question
        name, kind = question.name.to_text(omit_final_dot=True), question.rdtype.name
        self.asked.append((name, kind))
        answer = self.answer(name, kind)
        if answer is None:
            return
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        if isinstance(answer, dns.rcode.Rcode):
            response.set_rcode(answer)
        else:
            for line in answer:
                owner, ttl, record_kind, value = line.split(maxsplit=3)
                response.answer.append(dns.rrset.from_text(owner, int(ttl), "IN", record_kind, value))
        self._socket.sendto(response.to_wire(), peer)
