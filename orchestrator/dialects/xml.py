"""XML out: elements in order, always well-formed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from xml.sax.saxutils import escape, quoteattr

MIMETYPE: Final = "application/xml"

_UNSPEAKABLE: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 has no way to carry, escaped or not: https://www.w3.org/TR/xml/#charsets"""


def element(name: str, content: object, attributes: Sequence[tuple[str, object]] = ()) -> str:
    """Write an element. `content`: pairs of names and contents in order, elements that are made already (`Markup`), or
    a value: None is an empty element, a boolean `true` or `false`."""
    start = "".join(f" {key}={quoteattr(_text(value))}" for key, value in attributes)
    inside = _inside(content)
    return f"<{name}{start}>{inside}</{name}>" if inside else f"<{name}{start}/>"


def resource(name: str, values: Mapping[str, Any], order: Iterable[str] = ()) -> str:
    """Write a resource: its properties, and those of a property, in camel case; in another order than theirs if one is
    given, which need not name all."""
    return element(name, [(camel(key), _properties(values[key])) for key in order or values])


class Markup(str):
    """Text that is XML already."""

    __slots__ = ()


def elements(made: Iterable[str]) -> Markup:
    """Write elements one after the other, as a content."""
    return Markup("".join(made))


def document(root: str) -> bytes:
    """Write a whole document."""
    return f"<?xml version='1.0' encoding='UTF-8'?>\n{root}".encode()


def camel(key: str) -> str:
    """Return `call_sid` as XML names it: `CallSid`."""
    return "".join(word.capitalize() for word in key.split("_"))


def _properties(value: Any) -> object:
    return [(camel(key), text) for key, text in value.items()] if isinstance(value, dict) else value


def _inside(content: object) -> str:
    if isinstance(content, Markup):
        return content
    if isinstance(content, (list, tuple)):
        return "".join(element(name, value) for name, value in content)
    return escape(_text(content))


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return _UNSPEAKABLE.sub("\ufffd", str(value))
