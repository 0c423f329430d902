"""What a document is written in: byte order mark, header, declaration, in this order (RFC 7303, section 3). Pure."""

from __future__ import annotations

import codecs
import re
from typing import Final

from orchestrator.twiml.verbs import DocumentError

_MARKS: Final = (
    # UTF-32's little-endian mark begins as UTF-16's does.
    (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"), (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip
_NULLS: Final = (
    # A document begins with ASCII, so its first NULs tell without a mark (XML 1.0, appendix F).
    (rb"\0\0", "utf-32-be"), (rb".\0\0\0", "utf-32-le"), (rb"\0", "utf-16-be"), (rb".\0", "utf-16-le"),
)  # fmt: skip
_EBCDIC: Final = "<?xml".encode("cp037")
"""The same in every EBCDIC, as is the rest of a declaration."""

_DECLARED: Final = re.compile(rb"""\s*<\?xml[^>]*?\sencoding\s*=\s*["']([A-Za-z][A-Za-z0-9._-]*)["']""")
_NO_CHARSETS: Final = frozenset({"utf-7", "idna", "punycode", "unicode-escape", "raw-unicode-escape", "mbcs", "oem"})
"""Codecs of Python's that XML does not know, or that take quadratic time."""

_WIDE: Final = ("utf-16", "utf-32")
"""What would have had NULs. Who declares one and writes none means UTF-8, as in HTML: .NET's StringWriter does."""


def decode_xml(body: bytes, charset: str = "") -> str:
    """Decode a document to text; `charset` is its header's. Raises DocumentError 12100.

    A header's charset that is not known, or not true, means nothing. One that the document declares does.
    """
    if marked := _marked(body):
        return _decode(body, marked)
    unmarked = next((encoding for start, encoding in _NULLS if re.match(start, body, re.DOTALL)), "")
    if unmarked:  # whatever is said about it
        return _decode(body, unmarked)
    named = find_charset(charset)
    if named and not named.startswith(_WIDE):
        try:
            return body.decode(named)
        except UnicodeError:
            pass
    start = body[:1024]
    declared = _DECLARED.match(start.decode("cp037").encode("latin-1") if start.startswith(_EBCDIC) else start)
    if declared is None:
        return _decode(body, "utf-8")
    encoding = find_charset(declared[1].decode("ascii"))
    if not encoding:
        raise DocumentError(12100, "The document's encoding is unknown")
    return _decode(body, "utf-8" if encoding.startswith(_WIDE) else encoding)


def decode_text(body: bytes, charset: str = "") -> str:
    """Plain text; what is not written in its charset is shown as such."""
    return body.decode(_marked(body) or charset or "utf-8", "replace")


def _marked(body: bytes) -> str:
    return next((encoding for mark, encoding in _MARKS if body.startswith(mark)), "")


def find_charset(name: str) -> str:
    """Find Python's name of a charset; '' if there is none that text may be written in."""
    try:
        found = codecs.lookup(name).name if name.isascii() and name.isprintable() else ""
        b"text".decode(found or "undefined", "replace")  # refuses what is no character encoding: zip, rot13
    except (LookupError, UnicodeError, ValueError):
        return ""
    return "" if found.replace("_", "-") in _NO_CHARSETS else found


def _decode(body: bytes, encoding: str) -> str:
    try:
        return body.decode(encoding)
    except UnicodeError as error:
        raise DocumentError(12100, f"The document is not written in {encoding}") from error
