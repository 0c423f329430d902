"""Holds a call against its account's outbound policy, before anything is dialled.

What is no number is not judged: names, and what a far end makes of them. See README, "account policy".
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote

from orchestrator.errors import BadParameter
from orchestrator.freeswitch.sip_headers import caller_user
from orchestrator.freeswitch.sip_uri import parse_sip_uri
from orchestrator.policy import OutboundPolicy

_SEPARATORS: Final = str.maketrans("", "", "-.() ")
"""What people write between digits (RFC 3966, section 5.1.1)."""

_DIGITS: Final = re.compile(r"[0-9*#]+", re.ASCII)
_E164: Final = re.compile(r"\+[0-9]+", re.ASCII)


def check_policy(policy: OutboundPolicy, to: str, from_: str, caller_id: str | None) -> None:
    """Refuse a number that the account may not call, or may not show, whoever is called.

    Raises BadParameter (21210, 21211, 21215, 21216).
    """
    called = _called(to)
    if called is not None and (policy.allowed_prefixes or policy.refused_prefixes):
        if _E164.fullmatch(called) is None:  # which country's number it is the far end decides
            raise BadParameter("To: this account may call numbers only as +, country and number (E.164)", code=21211)
        verdict = policy.judge(called)
        if verdict == "refused":
            raise BadParameter("To: this account may not call numbers like this", code=21216)
        if verdict == "not-allowed":
            raise BadParameter("To: this account may call only numbers that its operator allows", code=21215)
    for name, caller in (("From", from_), ("CallerId", caller_id)):
        shown = None if caller is None else _number(caller_user(caller))
        if shown is not None and not policy.may_show(shown):
            raise BadParameter(f"{name}: this account may not call as this number", code=21210)


def _called(to: str) -> str | None:
    """The number in a `To`, also in the user part of a `sip:`; None if there is none."""
    if to.startswith("client:"):
        return None
    if not to.startswith(("sip:", "sips:")):
        return _number(to)
    try:
        return _number(parse_sip_uri(to).user)
    except ValueError:  # whoever looks for its destination refuses it
        return None


def _number(user: str) -> str | None:
    """A user part as the number that a far end takes it for; None of a name."""
    plain = unquote(user).partition(";")[0].translate(_SEPARATORS)
    return plain if plain.startswith("+") or _DIGITS.fullmatch(plain) else None
