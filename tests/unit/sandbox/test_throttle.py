"""A node that has as many sessions as it may, or made as many in a second: both were seen on the real one."""

from __future__ import annotations

import pytest

from orchestrator.sandbox.throttle import Throttle
from tests.unit.sandbox.client import Client


def test_over_its_sessions_an_originate_fails_after_it_was_accepted(client: Client) -> None:
    """No channel; the job says DESTINATION_OUT_OF_ORDER; `status` says how many there may be."""
    assert client.api("fsctl max_sessions 1") == "+OK max sessions: 1\n"
    client.originate("+15550004000")
    client.event("CHANNEL_CREATE")
    client.originate("+15550004000")

    assert client.job() == "-ERR DESTINATION_OUT_OF_ORDER\n"
    assert "\n1 session(s) - peak 1" in client.api("status")
    assert "\n1 session(s) max\n" in client.api("status")


@pytest.mark.parametrize("per_second", [1, 5, 30])
def test_of_a_seconds_sessions_the_last_is_refused(per_second: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """`sps <= 0` after it was counted down; the next second begins anew."""
    now = [100.0]
    monkeypatch.setattr("orchestrator.sandbox.throttle.time.monotonic", lambda: now[0])
    throttle = Throttle(most=1_000, per_second=per_second)
    assert [throttle.allows(0) for _ in range(per_second + 2)] == [True] * (per_second - 1) + [False] * 3
    now[0] += 1
    assert throttle.allows(0) is (per_second > 1)
