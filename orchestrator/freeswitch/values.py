"""Values of originate's variables: which texts can be carried, and how they are spelt so that each is one value.

Originate takes its argument apart three times: at spaces, what is in braces at commas, each variable at `=`; each time
a backslash is taken off (src/switch_utils.c, cleanup_separated_string). Braces are counted, whatever is before them
(switch_find_end_paren), `${` is expanded, and `:_:` cuts a dial string wherever it stands (src/switch_ivr_originate.c).
"""

from __future__ import annotations

from typing import Final

ANOTHER_ORIGINATE: Final = ":_:"
"""Wherever it stands, FreeSWITCH cuts a dial string there and dials both parts (switch_ivr_originate.c)."""

_SPELT: Final = str.maketrans({"\\": "\\" * 8, "'": "\\" * 7 + "'", ",": "\\,", " ": "\\s"})


def is_carried(text: str) -> bool:
    """Whether a text can be a variable's value: printable, its braces in pairs, and nothing that would be expanded,
    cut off (spaces around it) or take the dial string apart."""
    if not text or not text.isprintable() or text.strip() != text:
        return False
    return "${" not in text and ANOTHER_ORIGINATE not in text and _are_pairs(text)


def _are_pairs(text: str) -> bool:
    depth = 0
    for character in text:
        depth += (character == "{") - (character == "}")
        if depth < 0:
            return False
    return depth == 0


def is_display_name(text: str) -> bool:
    """Whether a text can be the name beside a number: it stands between quotes, and its `%XX` would be decoded
    (mod_sofia/sofia_glue.c, check_decode)."""
    return is_carried(text) and not set(text) & set('"\\%<>')


def spelt(text: str) -> str:
    """Spell a text that `is_carried`, as it stands between originate's braces."""
    return text.translate(_SPELT)
