"""What a delivery costs. The bound stands a tenth above what was counted when it was set."""

from __future__ import annotations

from tests.unit.callbacks.bench import Bench
from tests.unit.calls import count_calls

CALLBACKS = 50
MOST_CALLS = 450
"""A callback: read, signed, posted, and its outcome kept with the next one read (docs/adr/0024)."""


def test_a_delivery_takes_few_calls(bench: Bench) -> None:
    bench.put("warm")
    bench.drain()
    tokens = [f"token {number}" for number in range(CALLBACKS)]
    bench.put(*tokens)

    calls = count_calls(bench.drain) / CALLBACKS

    assert bench.tokens() == ["warm", *tokens]
    assert calls <= MOST_CALLS
