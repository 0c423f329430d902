"""XML without what makes XML dangerous: a small tree from expat, which is told to refuse every DOCTYPE.

Entities, external subsets and their expansion all have to be declared in a DOCTYPE, so without one there are none
(docs/adr/0006). Expat reads nothing but the bytes that it is given, and works in time linear in them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final
from xml.parsers import expat  # a DOCTYPE is refused below

from orchestrator.twiml.verbs import DocumentError

MAX_BYTES: Final = 64 * 1024
MAX_DEPTH: Final = 16
MAX_ELEMENTS: Final = 2_000
_ENCODINGS: Final = frozenset({"utf-8", "utf8", "utf-16", "us-ascii", "ascii", "iso-8859-1", "latin1", "latin-1"})
"""Those that expat itself reads. What Python would add are 8-bit tables, and names such as utf-7 that it chokes on."""


@dataclass(slots=True)
class Element:
    """`text` is all text inside, that of `children` included; `own_text` is without it."""

    name: str
    attributes: dict[str, str]
    children: list[Element] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)
    own_pieces: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """With every run of white space as one space."""
        return " ".join("".join(self.pieces).split())

    @property
    def own_text(self) -> str:
        """Without white space around it."""
        return "".join(self.own_pieces).strip()


def parse_xml(body: bytes) -> Element:
    """The root element. Raises DocumentError: 11750 for more than 64 kB, 12100 for what is no XML or has a DOCTYPE."""
    if len(body) > MAX_BYTES:
        raise DocumentError(11750, f"The document is larger than {MAX_BYTES} bytes")
    builder = _Builder()
    try:
        builder.parser.Parse(body, True)
    except expat.ExpatError as error:
        raise DocumentError(12100, f"The document is no XML: {error}") from error
    except (ValueError, LookupError) as error:  # encodings that expat asks Python about
        raise DocumentError(12100, "The document's encoding is unknown") from error
    if builder.root is None:
        raise DocumentError(12100, "The document is no XML: no element found")
    return builder.root


class _Builder:
    def __init__(self) -> None:
        self.root: Element | None = None
        self._open: list[Element] = []
        self._elements = 0
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.XmlDeclHandler = self._check_encoding
        self.parser.StartDoctypeDeclHandler = self._refuse_doctype
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._add_text

    def _check_encoding(self, _version: str, encoding: str | None, _standalone: int) -> None:
        if encoding is not None and encoding.lower() not in _ENCODINGS:
            raise DocumentError(12100, "The document's encoding is not UTF-8, UTF-16, ISO-8859-1 or US-ASCII")

    def _refuse_doctype(self, *_: object) -> None:
        raise DocumentError(12100, "The document has a DOCTYPE; TwiML has none")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._elements += 1
        if len(self._open) >= MAX_DEPTH or self._elements > MAX_ELEMENTS:
            raise DocumentError(12100, f"More than {MAX_DEPTH} levels or {MAX_ELEMENTS} elements")
        element = Element(name, attributes)
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)

    def _end(self, _name: str) -> None:
        self._open.pop()

    def _add_text(self, text: str) -> None:
        self._open[-1].own_pieces.append(text)
        for element in self._open:  # at most MAX_DEPTH
            element.pieces.append(text)
