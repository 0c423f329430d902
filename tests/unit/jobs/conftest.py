"""A receiver of callbacks for workers that run as processes of their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.unit.callbacks.web import Web


@pytest.fixture
def web() -> Iterator[Web]:
    made = Web()
    made.start()
    yield made
    made.stop()
