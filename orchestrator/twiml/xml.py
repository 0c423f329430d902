"""XML without what makes XML dangerous: a small tree from expat, which is told to refuse every DOCTYPE.

Entities, external subsets and their expansion all have to be declared in a DOCTYPE, so without one there are none
(docs/adr/0006). Expat reads nothing but the bytes that it is given, and works in time linear in them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final
from xml.parsers import expat  # a DOCTYPE is refused below

from orchestrator.twiml.encoding import decode_xml
from orchestrator.twiml.verbs import DocumentError

MAX_BYTES: Final = 64 * 1024
MAX_DEPTH: Final = 16
MAX_ELEMENTS: Final = 2_000


@dataclass(slots=True)
class Element:
    """`content` is text and elements in order."""

    name: str
    attributes: dict[str, str]
    content: list[str | Element] = field(default_factory=list)

    @property
    def children(self) -> list[Element]:
        """List the elements inside."""
        return [part for part in self.content if isinstance(part, Element)]

    @property
    def own_text(self) -> str:
        """Return the text without that of children, and without white space around it."""
        return "".join(part for part in self.content if isinstance(part, str)).strip()


def parse_xml(body: bytes, charset: str = "") -> Element:
    """The root element; `charset` is the header's. Raises DocumentError: 11750 for more than 64 kB, 12100 for what is
    no XML or has a DOCTYPE."""
    if len(body) > MAX_BYTES:
        raise DocumentError(11750, f"The document is larger than {MAX_BYTES} bytes")
    builder = _Builder()
    try:
        builder.parser.Parse(decode_xml(body, charset).encode(), True)
    except expat.ExpatError as error:
        raise DocumentError(12100, f"The document is no XML: {error}") from error
    except UnicodeEncodeError as error:  # half a character
        raise DocumentError(12100, "The document is no XML: it holds a surrogate") from error
    if builder.root is None:
        raise DocumentError(12100, "The document is no XML: no element found")
    return builder.root


class _Builder:
    def __init__(self) -> None:
        self.root: Element | None = None
        self._open: list[Element] = []
        self._elements = 0
        self.parser = expat.ParserCreate("utf-8")  # whatever the document declares: it has been decoded
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = self._refuse_doctype
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._add_text

    def _refuse_doctype(self, *_: object) -> None:
        raise DocumentError(12100, "The document has a DOCTYPE; TwiML has none")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._elements += 1
        if len(self._open) >= MAX_DEPTH or self._elements > MAX_ELEMENTS:
            raise DocumentError(12100, f"More than {MAX_DEPTH} levels or {MAX_ELEMENTS} elements")
        element = Element(name, attributes)
        if self._open:
            self._open[-1].content.append(element)
        else:
            self.root = element
        self._open.append(element)

    def _end(self, _name: str) -> None:
        self._open.pop()

    def _add_text(self, text: str) -> None:
        self._open[-1].content.append(text)
