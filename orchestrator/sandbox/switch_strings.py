"""FreeSWITCH's own string functions, rule for rule: a dial string must be taken apart as the real one takes it.

Copied from src/switch_utils.c (switch_separate_string, switch_find_end_paren, switch_url_encode) and
src/switch_event.c (switch_event_create_brackets).
"""

from __future__ import annotations

import re

_ESCAPED = {"n": "\n", "r": "\r", "t": "\t", "s": " "}
_URL_UNSAFE = frozenset(b'\r\n #%&+:;<=>?@[\\]^`{|}"')
_ALREADY_ENCODED = re.compile(rb"%[0-9A-F]{2}")
_NUMBER = re.compile(r"\s*[+-]?\d+")
_VARIABLE = re.compile(r"\$\{([^${}]+)\}")
_DECLARED_DELIMITER = "^^"


def atoi(text: str) -> int:
    """C's atoi: the number that the text begins with, else 0."""
    found = _NUMBER.match(text)
    return int(found.group()) if found else 0


def separate_string(text: str, delimiter: str, limit: int = 0) -> list[str]:
    """switch_separate_string: split outside '…' and behind no backslash, then unescape, unquote and strip each part.

    With a `limit` the parts beyond it are lost, as they are in the real one.
    """
    parts = _split_at_blanks(text) if delimiter == " " else _split_at(text, delimiter)
    parts = parts[:limit] if limit else parts
    return [_clean_up(part, "" if delimiter == " " else delimiter) for part in parts]


def _split_at(text: str, delimiter: str) -> list[str]:
    """separate_string_char_delim: a quote without a partner is an ordinary character."""
    parts, start, position, quoted = [], 0, 0, False
    while position < len(text):
        character = text[position]
        if character == "\\":
            position += 1
        elif character == "'" and (quoted or "'" in text[position + 1 :]):
            quoted = not quoted
        elif character == delimiter and not quoted:
            parts.append(text[start:position])
            start = position + 1
        position += 1
    tail = text[start:]
    return [*parts, tail] if tail else parts


def _split_at_blanks(text: str) -> list[str]:
    """separate_string_blank_delim: runs of blanks separate; an open quote runs to the end."""
    parts, current, position, quoted = [], "", 0, False
    while position < len(text):
        character = text[position]
        if character == "\\":
            current += text[position : position + 2]
            position += 2
            continue
        if character == "'":
            quoted = not quoted
        if character == " " and not quoted:
            parts.append(current)
            current = ""
        else:
            current += character
        position += 1
    return [part for part in [*parts, current] if part]


def _clean_up(part: str, delimiter: str) -> str:
    """cleanup_separated_string: drop outer blanks and quotes, resolve the escapes that it knows, keep the others."""
    text, out, end, quoted, position = part.lstrip(" "), "", 0, False, 0
    while position < len(text):
        character, following = text[position], text[position + 1 : position + 2]
        if character == "\\" and following and (following in f"'\"\\{delimiter}" or following in _ESCAPED):
            out += following if following in f"'\"\\{delimiter}" else _ESCAPED[following]
            end = len(out)
            position += 2
            continue
        if character == "'" and (quoted or "'" in text[position + 1 :]):
            quoted = not quoted
            end = len(out) if quoted else end
        else:
            out += character
            end = len(out) if character != " " or quoted else end
        position += 1
    return out[:end] if end else out


def find_end_paren(text: str, opening: str, closing: str) -> int | None:
    """switch_find_end_paren: where the bracket that opens `text` is closed; quotes and escapes do not count."""
    if not text.startswith(opening):
        return None
    depth = 0
    for position, character in enumerate(text):
        if character == opening:
            depth += 1
        elif character == closing:
            depth -= 1
            if depth == 0:
                return position
    return None


def parse_variable_blocks(text: str) -> tuple[dict[str, str], str] | None:
    """The leading {a=b,c=d} blocks of a dial string and what follows; None if one does not end.

    switch_event_create_brackets: a block may name its own delimiter (`^^;`), a later variable replaces an earlier
    one, and an empty value sets nothing.
    """
    variables: dict[str, str] = {}
    rest = text.lstrip(" ")
    while rest.startswith("{"):
        end = find_end_paren(rest, "{", "}")
        if end is None:
            return None
        block, rest = rest[1:end], rest[end + 1 :]
        delimiter = ","
        if block.startswith(_DECLARED_DELIMITER) and len(block) > len(_DECLARED_DELIMITER):
            delimiter, block = block[2], block[3:]
        for assignment in separate_string(block, delimiter, 1024):
            name, equals, value = assignment.partition("=")
            if equals and value:
                variables[_clean_up(name, "=")] = _clean_up(value, "=")
    return variables, rest.lstrip(" ")


def has_variable(text: str) -> bool:
    """switch_string_var_check: whether the text would be expanded."""
    return "${" in text or "$${" in text


def expand_variables(text: str, variables: dict[str, str]) -> str:
    """switch_channel_expand_variables without its API functions: an unknown ${name} becomes nothing; the name may hold
    another one, ${a_${b}}, which is expanded first."""
    while _VARIABLE.search(text):
        text = _VARIABLE.sub(lambda match: variables.get(match.group(1), ""), text)
    return text


def url_encode(text: str) -> str:
    """switch_url_encode as events use it: bytes outside ' '…'~' and unsafe ones; a `%2B` that is one already stays."""
    raw, out, position = text.encode("utf-8", "surrogateescape"), bytearray(), 0
    while position < len(raw):
        byte = raw[position]
        if byte == ord("%") and _ALREADY_ENCODED.match(raw, position):
            out += raw[position : position + 1]
        elif byte < ord(" ") or byte > ord("~") or byte in _URL_UNSAFE:
            out += b"%%%02X" % byte
        else:
            out.append(byte)
        position += 1
    return out.decode("ascii")
