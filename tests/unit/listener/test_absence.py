"""When a node that is away counts as lost."""

from __future__ import annotations

import pytest

from orchestrator.listener.absence import AGAIN_SECONDS, DOWN_SECONDS, SILENT_SECONDS, Absence


def test_a_node_whose_host_refuses_is_lost_soon() -> None:
    """And says so again and again, for somebody may dial who has not noticed."""
    absence = Absence()

    assert not absence.is_loss(0.0, is_down=True)
    assert not absence.is_loss(DOWN_SECONDS - 0.1, is_down=True)
    assert absence.is_loss(DOWN_SECONDS, is_down=True)
    assert not absence.is_loss(DOWN_SECONDS + 0.1, is_down=True)
    assert absence.is_loss(DOWN_SECONDS + AGAIN_SECONDS, is_down=True)


def test_a_node_that_is_silent_is_not_lost_before_long() -> None:
    """People may be talking there."""
    absence = Absence()

    assert not absence.is_loss(0.0, is_down=False)
    assert not absence.is_loss(SILENT_SECONDS - 0.1, is_down=False)
    assert absence.is_loss(SILENT_SECONDS, is_down=False)


@pytest.mark.parametrize("was_back", [True, False])
def test_only_refusals_in_a_row_count(was_back: bool) -> None:
    """It was there in between, or did not answer: whoever refuses has to do so all the time."""
    absence = Absence()
    absence.is_loss(0.0, is_down=True)
    if was_back:
        absence.end()
    else:
        absence.is_loss(1.0, is_down=False)

    assert not absence.is_loss(DOWN_SECONDS + 0.5, is_down=True)
