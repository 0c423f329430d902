"""What of a configured URL may be shown."""

from __future__ import annotations

import pytest

from orchestrator.outgoing.addressing import join_urls, without_password


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


@pytest.mark.parametrize("url", ["https://h.example/next?", "https://h.example/x;?a", "http://h.example/a/../b?%7e#c"])
def test_a_whole_url_in_a_document_stays_byte_for_byte(url: str) -> None:
    """A receiver compares the signature with one of what it has written; what browsers take out is taken out."""
    assert join_urls("https://h.example/doc", url) == url
    assert join_urls("https://h.example/doc", url.replace("example", "exam\n\tple")) == url
    assert join_urls("https://h.example/doc", url.replace("http", "HTTP")) == url
    assert join_urls("https://h.example/a/doc?b", "../c") == "https://h.example/c"
