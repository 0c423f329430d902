"""Finding the conference and the subcommand."""

from __future__ import annotations

from tests.unit.sandbox.client import Client


def test_a_conference_that_is_not_there(client: Client) -> None:
    """Any command for it is told so."""
    assert client.api("conference CFx mute all") == "-ERR Conference CFx not found\n"
    assert client.api("conference CFx json_list") == "-ERR Conference CFx not found\n"


def test_a_subcommand_that_is_not_there(client: Client) -> None:
    """And a missing one."""
    client.join("+15550001000", "CFx")

    assert client.api("conference CFx nonsense 1") == "-ERR Conference command 'nonsense' not found.\n"
    assert client.api("conference CFx") == "Conference command, not specified.\nTry 'help'\n"


def test_without_words_the_subcommands_are_listed(client: Client) -> None:
    """With their usage."""
    assert "<conf name> mute <[member_id|all]|last|non_moderator> [<quiet>]\n" in client.api("conference")
