"""SECURITY.md names the tests that prove its claims; a test that was renamed or deleted proves nothing."""

from __future__ import annotations

import re

import pytest

from tests.harness.freeswitch import REPOSITORY

PAGE = (REPOSITORY / "SECURITY.md").read_text("utf-8")
NAMED = re.findall(r"`((?:scenarios|unit)/[\w/]+\.py)(?:::(\w+))?`", PAGE)
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| **")]


@pytest.mark.parametrize(("path", "test"), NAMED)
def test_what_is_named_as_proof_is_there(path: str, test: str) -> None:
    """The file, and the test in it."""
    text = (REPOSITORY / "tests" / path).read_text("utf-8")

    assert f"\ndef {test or 'test_'}" in text


def test_every_row_has_a_proof() -> None:
    """An attack of the table without a test is a claim."""
    attacks = [row for row in ROWS if not row.startswith("| Attack")]

    assert len(attacks) > 20
    assert [row for row in attacks if not re.search(r"`(scenarios|unit)/\w+", row)] == []
