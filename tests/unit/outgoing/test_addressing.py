"""What of a configured URL may be shown."""

from __future__ import annotations

import pytest

from orchestrator.outgoing.addressing import without_password


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://bob:secret@h.example/a?b=c#d", "https://bob:***@h.example/a?b=c#d"),
        ("HTTPS://bob:se:c@ret@h.example", "HTTPS://bob:***@h.example"),
        ("https://:secret@h.example", "https://:***@h.example"),
        ("https://bob@h.example/", "https://bob@h.example/"),
        ("https://h.example:8080/a:b@c", "https://h.example:8080/a:b@c"),
        ("https://h.example/?x=a:b@c", "https://h.example/?x=a:b@c"),
    ],
)
def test_a_url_without_its_password(url: str, shown: str) -> None:
    """The rest stands as it was configured."""
    assert without_password(url) == shown
