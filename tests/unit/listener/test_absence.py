"""When a node that is away counts as lost."""

from __future__ import annotations

import pytest

from orchestrator.listener.absence import AGAIN_SECONDS, CUT_OFF_SECONDS, DOWN_SECONDS, SILENT_SECONDS, Absence


def never() -> float:
    """Nobody has found it away before."""
    return 0.0


def test_a_node_whose_host_refuses_is_lost_soon() -> None:
    """And says so again and again, for somebody may dial who has not noticed."""
    absence = Absence()

    assert not absence.is_loss(0.0, never, is_down=True)
    assert not absence.is_loss(DOWN_SECONDS - 0.1, never, is_down=True)
    assert absence.is_loss(DOWN_SECONDS, never, is_down=True)
    assert not absence.is_loss(DOWN_SECONDS + 0.1, never, is_down=True)
    assert absence.is_loss(DOWN_SECONDS + AGAIN_SECONDS, never, is_down=True)


def test_a_node_that_is_silent_is_not_lost_before_long() -> None:
    """People may be talking there."""
    absence = Absence()

    assert not absence.is_loss(0.0, never, is_down=False)
    assert not absence.is_loss(SILENT_SECONDS - 0.1, never, is_down=False)
    assert absence.is_loss(SILENT_SECONDS, never, is_down=False)


@pytest.mark.parametrize("was_back", [True, False])
def test_only_refusals_in_a_row_count(was_back: bool) -> None:
    """It was there in between, or did not answer: whoever refuses has to do so all the time."""
    absence = Absence()
    absence.is_loss(0.0, never, is_down=True)
    if was_back:
        absence.end()
    else:
        absence.is_loss(1.0, never, is_down=False)

    assert not absence.is_loss(DOWN_SECONDS + 0.5, never, is_down=True)


def test_what_another_has_found_counts() -> None:
    """A node that is handed on while it is silent is lost no later than it would be else."""
    absence = Absence()

    assert not absence.is_loss(0.0, lambda: SILENT_SECONDS - 3, is_down=False)
    assert absence.is_loss(3.0, never, is_down=False)
    assert absence.seconds(3.0) == SILENT_SECONDS


def test_others_shall_try_a_node_that_is_silent_and_none_that_refuses() -> None:
    """Whose host answers that FreeSWITCH does not run."""
    silent, refusing = Absence(), Absence()
    silent.is_loss(0.0, never, is_down=False)
    refusing.is_loss(0.0, never, is_down=True)

    assert not silent.is_cut_off(CUT_OFF_SECONDS - 0.1)
    assert silent.is_cut_off(CUT_OFF_SECONDS)
    assert not refusing.is_cut_off(CUT_OFF_SECONDS)
    silent.end()
    assert not silent.is_cut_off(CUT_OFF_SECONDS)
