"""Whom an account may call, and as whom."""

from __future__ import annotations

import pytest

from orchestrator.dialling.policies import check_policy
from orchestrator.errors import BadParameter
from orchestrator.policy import OutboundPolicy

FREE = OutboundPolicy()
LISTED = OutboundPolicy(("1", "44", "19005551"), ("1900", "44"), ("15550009999",))


@pytest.mark.parametrize(
    ("to", "code"),
    [
        ("+15550001000", None),
        ("15550001000", 21211),  # of which country is the carrier's to say
        ("9005550000", 21211),
        ("+19005550000", 21216),
        ("+19005551000", None),  # the longer of two prefixes
        ("+442071234567", 21216),  # of two that are equal the one that refuses
        ("+4930123456", 21215),
        ("client:+49", None),
        ("sip:bob@pbx.example.com", None),
        ("sip:pbx.example.com", None),
        ("sip:+15550001000@carrier.example.com", None),
        ("sip:+19005550000@carrier.example.com", 21216),
        ("sip:%2B1-900.555(0000)@carrier.example.com:5080;transport=tcp?x=y", 21216),
        ("sips:+4930123456;ext=1@carrier.example.com", 21215),
        ("sip:+1!9005550000@carrier.example.com", 21211),
        ("sip:19005550000@carrier.example.com", 21211),
        ("sip:0019005550000@carrier.example.com", 21211),
        ("sip:%31900-5550000;phone-context=+1@carrier.example.com", 21211),
    ],
)
def test_the_longest_prefix_decides_who_may_be_called(to: str, code: int | None) -> None:
    """Refused: 21216; not among those that are allowed: 21215; without a plus sign: 21211. Also behind `sip:`;
    numbers only."""
    check_policy(FREE, to, "+15550009999", None)
    if code is None:
        check_policy(LISTED, to, "+15550009999", None)
        return
    with pytest.raises(BadParameter) as refused:
        check_policy(LISTED, to, "+15550009999", None)
    assert refused.value.code == code


@pytest.mark.parametrize("to", ["+15550001000", "sip:bob@pbx.example.com", "client:bob"])
@pytest.mark.parametrize(
    ("from_", "caller_id"),
    [
        ("+15550008888", None),
        ("client:15550008888", None),
        ("1-555-000.8888", None),
        ("0015550009999", None),
        ("15550009999", "+15550008888"),
        ("15550009999", "client:15550008888"),
    ],
)
def test_a_number_that_is_not_the_accounts_is_shown_to_nobody(to: str, from_: str, caller_id: str | None) -> None:
    """21210, for From and for CallerId, whoever is called; a name is no number."""
    check_policy(FREE, to, from_, caller_id)
    check_policy(LISTED, to, "client:15550009999", "alice")
    with pytest.raises(BadParameter) as refused:
        check_policy(LISTED, to, from_, caller_id)

    assert refused.value.code == 21210
    assert refused.value.message.startswith("CallerId" if caller_id else "From")


def test_only_refusals_leave_the_rest_allowed() -> None:
    assert OutboundPolicy(refused_prefixes=("1900",)).judge("+4930123456") == "allowed"
    assert OutboundPolicy(refused_prefixes=("1900",)).judge("+19001") == "refused"
