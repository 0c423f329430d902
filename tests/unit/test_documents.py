"""Documents that are drawn from tables say what the tables say."""

from __future__ import annotations

import runpy

import pytest

from tests.harness.freeswitch import REPOSITORY

DOCUMENTS = runpy.run_path(str(REPOSITORY / "docs" / "generate.py"))["DOCUMENTS"]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_drawn_document_is_up_to_date(name: str) -> None:
    """Whoever changes a table runs `python docs/generate.py`."""
    written = (REPOSITORY / "docs" / name).read_text("utf-8")

    assert written == DOCUMENTS[name]()
