"""A worker dies between two gateways of a trunk: the next one tries what has not been tried, once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conftest import make_switch
from tests.harness.rigged import HurriedStack, await_death, repair, rig
from tests.harness.rtp import RtpPort
from tests.harness.sip import Agent, answers
from tests.harness.stack import RealSwitch
from tests.scenarios.test_trunks import dial, make_trunk, says, tries

DIES_BEFORE_IT_DIALS_THE_SECOND = """
import orchestrator.dialling.sessions as sessions
reserve = sessions.Sessions.reserve
sessions.Sessions.reserve = lambda self, who: die() if who.gateways_left == 1 else reserve(self, who)
"""
DIES_WHEN_IT_HAS_DIALLED_THE_SECOND = """
import orchestrator.store.dials as dials
finish = dials.DialStore.finish
dials.DialStore.finish = lambda self, call, at, left=0: die() if left == 1 else finish(self, call, at, left)
"""


@pytest.fixture
def stack(switch_name: str, tmp_path: Path) -> Iterator[HurriedStack]:
    switch = make_switch(switch_name, tmp_path / "switch")
    if not isinstance(switch, RealSwitch):
        pytest.skip("the sandbox has no SIP")
    running = HurriedStack(switch, tmp_path)
    with running:
        yield running


@pytest.mark.parametrize("death", [DIES_BEFORE_IT_DIALS_THE_SECOND, DIES_WHEN_IT_HAS_DIALLED_THE_SECOND])
def test_a_worker_that_dies_between_two_gateways(stack: HurriedStack, death: str) -> None:
    """Each gateway is tried once, the third is the one that answers, and the call is told of once."""
    rig(stack.workers[0], death)
    with ExitStack() as agents:
        rtp = agents.enter_context(RtpPort())
        refusing = [agents.enter_context(Agent(says(503))) for _ in range(2)]
        third = agents.enter_context(Agent(answers("127.0.0.1", rtp.port)))
        made = dial(stack, make_trunk(stack, *(gateway.address for gateway in (*refusing, third))))
        await_death(stack.workers[0])
        repair(stack)
        stack.receiver.await_kind(made.conference_sid, "participant-join", seconds=30)
        stack.client().calls(made.call_sid).update(status="completed")
        stack.receiver.await_kind(made.call_sid, "call completed")

        assert [tries(gateway) for gateway in (*refusing, third)] == [1, 1, 1]
    kinds = stack.receiver.kinds(made.call_sid)
    assert [kind for kind in kinds if kind.startswith("call ")] == [
        "call initiated", "call in-progress", "call completed"
    ]  # fmt: skip
