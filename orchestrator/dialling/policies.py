"""Holds a create against its account's outbound policy, before anything is dialled."""

from __future__ import annotations

from orchestrator.errors import BadParameter
from orchestrator.freeswitch.dial_string import PHONE_NUMBER
from orchestrator.policy import OutboundPolicy


def check_policy(policy: OutboundPolicy, to: str, from_: str, caller_id: str | None) -> None:
    """Refuse a number that the account may not call, or may not show, whoever is called.

    Raises BadParameter (21210, 21215, 21216).
    """
    if PHONE_NUMBER.fullmatch(to):
        verdict = policy.judge(to)
        if verdict == "refused":
            raise BadParameter("To: this account may not call numbers like this", code=21216)
        if verdict == "not-allowed":
            raise BadParameter("To: this account may call only numbers that its operator allows", code=21215)
    for name, number in (("From", from_), ("CallerId", caller_id)):
        if number is not None and PHONE_NUMBER.fullmatch(number) and not policy.may_show(number):
            raise BadParameter(f"{name}: this account may not call as this number", code=21210)
