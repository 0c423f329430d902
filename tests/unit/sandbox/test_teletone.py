"""How long tones are. The numbers are those of the real one's done events, which count everything twice."""

from __future__ import annotations

import pytest

from orchestrator.sandbox.teletone import atoi, tone_samples


@pytest.mark.parametrize(
    ("specification", "milliseconds"),
    [
        ("%(200,100,440)", 300),
        ("%(500,0,350,440)", 500),
        ("%(0,300,440)", 300),
        ("%(200,0,440);%(100,0,500)", 300),
        ("v=-7;%(100,0,400)", 100),
        ("L=2;%(100,50,440)", 300),
        ("%(100,50,440);L=3;%(50,0,200)", 600),
        ("l=3;%(100,0,440);%(100,0,440)", 400),
        ("d=100;w=50;1", 150),
        ("1(30,20)", 50),
        ("12", 625),
        ("", 0),
        ("garbage", 0),
        ("%(100,100)", 0),
        ("%(100,0,0)", 0),
        ("%(100,0,400", 1037.5),
        ("%(500,0,350,440);l=2", 1125),
    ],
)
def test_lengths(specification: str, milliseconds: float) -> None:
    """On and off times; repeats within; touch tones, a quarter of a second each; and what is no tone is nothing."""
    assert tone_samples(specification) / 8 == milliseconds


@pytest.mark.parametrize(("text", "number"), [("12", 12), (" 7x", 7), ("-1", -1), ("x", 0), ("", 0)])
def test_numbers_as_c_reads_them(text: str, number: int) -> None:
    """As far as they go, else 0."""
    assert atoi(text) == number
