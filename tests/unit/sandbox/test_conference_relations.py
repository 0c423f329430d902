"""`relate`, answer for answer as the real one gave them."""

from __future__ import annotations

import pytest

from tests.unit.sandbox.client import Client

Trio = tuple[str, str, str]
_USAGE = "relate <member_id>[,<member_id>] <other_member_id>[,<other_member_id>] [nospeak|nohear|clear]"
_NOTHING = "-ERR no reply\n"  # how the event socket spells an empty answer


@pytest.fixture
def trio(client: Client) -> Trio:
    """Three members, the ids 1, 2 and 3."""
    ids = [client.join(f"+1555000100{number}", "CFx")[1] for number in range(3)]
    return ids[0], ids[1], ids[2]


def test_one_line_for_each_pair(client: Client, trio: Trio) -> None:
    """The first list is the outer loop; setting a relation again changes nothing."""
    lines = "+OK 1->2 nospeak set\n+OK 1->3 nospeak set\n+OK 2->2 nospeak set\n+OK 2->3 nospeak set\n"

    assert client.api("conference CFx relate 1,2 2,3 nospeak") == lines
    assert client.api("conference CFx relate 1,2 2,3 nospeak") == lines
    assert client.api("conference CFx relate '1, 2' 3x nohear") == "+OK 1->3 nohear set\n+OK 2->3 nohear set\n"


@pytest.mark.parametrize(
    ("command", "reply"),
    [
        ("99 1 nospeak", "-ERR relationship 99->1 not found.\n"),
        ("1 99,2 nohear", "-ERR relationship 1->99 not found.\n+OK 1->2 nohear set\n"),
        ("1 2,,3 nohear", "+OK 1->2 nohear set\n-ERR relationship 1->0 not found.\n+OK 1->3 nohear set\n"),
        (", 2 nohear", "-ERR relationship 0->2 not found.\n"),
        ("1 all nospeak", "-ERR relationship 1->0 not found.\n"),
        ("1 -1 nospeak", "-ERR relationship 1->4294967295 not found.\n"),
        ("1 2 nospeak,nohear", "+OK 1->2 nospeak,nohear set\n"),
        ("1 2 nospeak more", "+OK 1->2 nospeak set\n"),
        ("1 2 clear", "+OK relationship 1->2 cleared.\n"),
        ("1 99 Clear", "+OK relationship 1->99 cleared.\n"),
        ("99 1 clear", "-ERR relationship 99->1 not found.\n"),
        ("1 2 foo", _USAGE),
        ("1 2 NOSPEAK", _USAGE),
    ],
)
def test_answers(client: Client, trio: Trio, command: str, reply: str) -> None:
    """Both must be there to be related, only the first to be cleared; the other pairs go on."""
    assert client.api(f"conference CFx relate {command}") == reply


def test_listing(client: Client, trio: Trio) -> None:
    """Nothing without a word, `+OK No relationships` if there are none; 0 and words are everybody; the newest first."""
    assert client.api("conference CFx relate") == "+OK No relationships\n"
    assert client.api("conference CFx relate 1") == "+OK No relationships\n"
    client.api("conference CFx relate 1,2 3 nospeak")
    client.api("conference CFx relate 1 2 nohear")

    one = "1 -> 2 SPEAK NOHEAR NOSENDVIDEO \n1 -> 3 NOSPEAK HEAR NOSENDVIDEO \n"
    two = "2 -> 3 NOSPEAK HEAR NOSENDVIDEO \n"
    assert client.api("conference CFx relate") == _NOTHING
    assert client.api("conference CFx relate 3") == _NOTHING
    assert client.api("conference CFx relate 1") == one
    assert client.api("conference CFx relate 2,1") == two + one
    assert client.api("conference CFx relate 0") == two + one
    assert client.api("conference CFx relate x") == two + one


def test_setting_again_replaces(client: Client, trio: Trio) -> None:
    """nohear after nospeak: only nohear, and its place in the list stays."""
    client.api("conference CFx relate 1 2,3 nospeak")

    client.api("conference CFx relate 1 2 nohear")

    listed = "1 -> 3 NOSPEAK HEAR NOSENDVIDEO \n1 -> 2 SPEAK NOHEAR NOSENDVIDEO \n"
    assert client.api("conference CFx relate 1") == listed


def test_clearing_with_0_clears_all_of_one(client: Client, trio: Trio) -> None:
    """And nothing of the others."""
    client.api("conference CFx relate 1,2 3 nospeak")

    assert client.api("conference CFx relate 1 0 clear") == "+OK relationship 1->0 cleared.\n"
    assert client.api("conference CFx relate 0") == "2 -> 3 NOSPEAK HEAR NOSENDVIDEO \n"


def test_the_hundred_and_first_id_is_lost(client: Client, trio: Trio) -> None:
    """Without a word about it."""
    ids = ",".join(["1"] * 100 + ["2"])

    assert client.api(f"conference CFx relate {ids} 3 nospeak") == "+OK 1->3 nospeak set\n" * 100
    assert client.api(f"conference CFx relate 3 {ids} nospeak") == "+OK 3->1 nospeak set\n" * 100


def test_relations_go_with_the_member_that_has_them(client: Client, trio: Trio) -> None:
    """Those that others have about it stay, are listed, and can only be cleared; they hold again if it comes back."""
    client.api("conference CFx relate 1 3 nospeak")
    client.api("conference CFx relate 3 1,2 nospeak")

    client.api("conference CFx transfer CFy@orchestrator 3")
    client.until(lambda: client.labels().count("del-member") == 1)

    stale = "1 -> 3 NOSPEAK HEAR NOSENDVIDEO \n"
    assert client.api("conference CFx relate 0") == stale
    assert client.api("conference CFx relate 1 3 nohear") == "-ERR relationship 1->3 not found.\n"
    client.until(lambda: client.labels().count("add-member") == 4)
    client.api("conference CFy transfer CFx@orchestrator 3")
    client.until(lambda: client.labels().count("add-member") == 5)
    assert client.api("conference CFx relate 0") == stale
    assert client.api("conference CFx relate 1 3 clear") == "+OK relationship 1->3 cleared.\n"
    assert client.api("conference CFx relate 0") == "+OK No relationships\n"
