"""Documents that are drawn from tables say what the tables say."""

from __future__ import annotations

import re
import runpy

import pytest

from orchestrator.callbacks.plan import PLAN
from orchestrator.dialects.twilio.schemas import CREATE, CREATE_CALLBACKS, UPDATE
from tests.harness.freeswitch import REPOSITORY

DOCUMENTS = runpy.run_path(str(REPOSITORY / "docs" / "generate.py"))["DOCUMENTS"]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_drawn_document_is_up_to_date(name: str) -> None:
    """Whoever changes a table runs `python docs/generate.py`."""
    written = (REPOSITORY / "docs" / name).read_text("utf-8")

    assert written == DOCUMENTS[name]()


def test_the_wire_contract_names_what_a_client_may_send_and_is_told() -> None:
    """Every parameter, every word of a subscription, every callback kind."""
    named = set(re.findall(r"[\w-]+", (REPOSITORY / "docs/wire-contract.md").read_text("utf-8")))
    words = {word for row in CREATE_CALLBACKS for word in (row.url, *row.words)}

    assert {*CREATE, *UPDATE, *words, *(row.kind for row in PLAN.values())} - named == set()
