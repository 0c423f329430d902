"""Relations between members: read, compared, and set in an order in which nobody hears what they may not."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.freeswitch.client import CommandRefused
from orchestrator.freeswitch.commands import DeafenMember, MuteMember, Relate
from orchestrator.freeswitch.relations import (
    Order,
    Pair,
    SetRelations,
    Together,
    changes_of,
    execute,
    keep_apart,
    parse_relations,
)
from tests.unit.examples import CF, UUID


class Room:
    """A conference that keeps relations as FreeSWITCH 1.10 does, and answers as it does (freeswitch-facts.md)."""

    def __init__(self, apart: set[Pair] | None = None, gone: frozenset[int] = frozenset()) -> None:
        self.apart = set(apart or ())
        self.gone = gone
        self.refused: set[Pair] = set()
        self.heard: list[str] = []

    def api(self, text: str) -> str:
        self.heard.append(text)
        words = text.split()
        if words[2] == "get-uuid":
            if int(words[3]) in self.gone:
                raise CommandRefused("-ERR Non-Existant ID")
            return UUID
        if words[2] != "relate":
            return "+OK\n"
        if words[3:] == ["0"]:
            lines = [f"{pair.listener} -> {pair.speaker} SPEAK NOHEAR NOSENDVIDEO " for pair in sorted(self.apart)]
            return "\n".join(lines) + "\n" if lines else "+OK No relationships\n"
        listeners, speakers = ([int(number) for number in word.split(",")] for word in words[3:5])
        assert len(listeners) <= 100, "what stands behind the hundredth is dropped without a word"
        assert len(speakers) <= 100
        replies = []
        for listener in listeners:
            for speaker in speakers:
                if {listener, speaker} & self.gone or Pair(listener, speaker) in self.refused:
                    replies.append(f"-ERR relationship {listener}->{speaker} not found.")
                elif words[5] == "nohear":
                    self.apart.add(Pair(listener, speaker))
                    replies.append(f"+OK {listener}->{speaker} nohear set")
                else:
                    self.apart.discard(Pair(listener, speaker))
                    replies.append(f"+OK relationship {listener}->{speaker} cleared.")
        return "\n".join(replies) + "\n"


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("4 -> 8 SPEAK NOHEAR NOSENDVIDEO \n", {Pair(4, 8)}),
        ("4 -> 8 SPEAK NOHEAR NOSENDVIDEO \n6 -> 8 SPEAK NOHEAR NOSENDVIDEO \n", {Pair(4, 8), Pair(6, 8)}),
        ("4 -> 8 NOSPEAK NOHEAR NOSENDVIDEO \n", {Pair(4, 8)}),
        ("4 -> 8 NOSPEAK HEAR NOSENDVIDEO \n", set()),
        ("4 -> 8 SPEAK HEAR SENDVIDEO \n", set()),
        ("1234567 -> 1234568 SPEAK NOHEAR SENDVIDEO \n", {Pair(1234567, 1234568)}),
        ("+OK No relationships\n", set()),
        ("", set()),
    ],
)
def test_the_listing_is_read(text: str, pairs: set[Pair]) -> None:
    """As FreeSWITCH 1.10.12 prints it, with a space at the end of each line."""
    assert parse_relations(text) == pairs


PAIRS = st.frozensets(
    st.builds(Pair, st.integers(1, 12), st.integers(1, 4)).filter(lambda pair: pair.listener != pair.speaker),
    max_size=30,
)


def wanted_of(pairs: frozenset[Pair], everybody: range = range(1, 13)) -> SetRelations:
    """Coaches 1 to 4, each heard by those of `everybody` that `pairs` does not keep from it."""
    speakers = frozenset(range(1, 5))
    all_pairs = {Pair(one, other) for one in everybody for other in speakers if one != other}
    return SetRelations(CF, apart=pairs, together=frozenset(all_pairs - pairs), speakers=speakers)


@given(PAIRS, PAIRS)
def test_relations_become_what_is_wanted_whatever_they_were(current: frozenset[Pair], apart: frozenset[Pair]) -> None:
    """Exactly; the switch's own list counts, not what we believe. A second time there is nothing to do."""
    room = Room(set(current))
    execute(wanted_of(apart), room.api)
    asked = len(room.heard)
    execute(wanted_of(apart), room.api)

    assert room.apart == apart
    assert room.heard[0] == f"conference {CF} relate 0"
    assert len(room.heard) == asked + 1


@given(PAIRS, PAIRS)
def test_nobody_hears_meanwhile_whom_they_may_hear_neither_before_nor_after(
    current: frozenset[Pair], apart: frozenset[Pair]
) -> None:
    """What is missing first, then what is too much: a coach who moves on is heard by nobody for a moment."""
    room = Room(set(current))
    changes = changes_of(wanted_of(apart), current)
    for change in changes:
        execute(change, room.api)

        assert room.apart >= current & apart

    assert changes == sorted(changes, key=lambda change: change.hears)


def test_one_who_has_joined_this_moment_goes_on_not_hearing_a_coach() -> None:
    """Its admission has related it already, and what was read before does not know it."""
    room = Room({Pair(99, 1)})
    execute(wanted_of(frozenset()), room.api)

    assert room.apart == {Pair(99, 1)}


def test_who_is_no_coach_any_more_is_heard_by_everybody() -> None:
    """Also by members that nobody knows."""
    room = Room({Pair(99, 1), Pair(4, 1), Pair(4, 2)})
    execute(SetRelations(CF, apart=frozenset({Pair(4, 2)}), speakers=frozenset({2})), room.api)

    assert room.apart == {Pair(4, 2)}


@pytest.mark.parametrize(("count", "chunks"), [(1, [1]), (100, [100]), (101, [100, 1]), (250, [100, 100, 50])])
def test_long_lists_are_cut(count: int, chunks: list[int]) -> None:
    """FreeSWITCH drops what stands behind the hundredth member of a list."""
    members = tuple(range(2, count + 2))
    apart = keep_apart(CF, members, (1,))
    speakers = keep_apart(CF, (1,), members)
    changed = changes_of(SetRelations(CF), frozenset(Pair(member, 1) for member in members))

    assert [len(relate.listeners) for relate in apart] == chunks
    assert [len(relate.speakers) for relate in speakers] == chunks
    assert [len(relate.listeners) for relate in changed] == chunks


def test_nobody_to_keep_apart_is_no_command() -> None:
    """An empty list would be a syntax error."""
    assert [*keep_apart(CF, (), (1,)), *keep_apart(CF, (1,), ())] == []


# ---------------------------------------------------------------- refusals


def refusing(*starts: str) -> tuple[Callable[[str], str], list[str]]:
    heard: list[str] = []

    def api(text: str) -> str:
        heard.append(text)
        if text.startswith(starts):
            raise CommandRefused("-ERR Non-Existant ID 7")
        return "+OK\n"

    return api, heard


def test_one_refused_pair_refuses_the_relation() -> None:
    """The reply has a line for each pair, and begins with +OK: whoever is admitted behind it would hear the coach."""
    room = Room()
    room.refused = {Pair(9, 8)}

    with pytest.raises(CommandRefused):
        execute(Relate(CF, (4, 9), (8,), hears=False), room.api)

    assert room.apart == {Pair(4, 8)}, "the others are done"


@pytest.mark.parametrize("hears", [False, True])
@pytest.mark.parametrize("gone", [4, 8])
def test_a_pair_of_which_one_has_just_left_needs_no_relation(gone: int, hears: bool) -> None:
    """The switch says which pair it was, and is asked whether both are there."""
    room = Room(gone=frozenset({gone}))

    execute(Relate(CF, (4, 9), (8,), hears=hears), room.api)

    assert room.heard[1].split()[2] == "get-uuid"


@pytest.mark.parametrize("reply", ["-ERR no reply\n", f"-ERR Conference {CF} not found\n", "what is this\n"])
def test_any_other_answer_is_a_refusal(reply: str) -> None:
    """Raised by the connection, or in the text."""

    def raises(_: str) -> str:
        raise CommandRefused(reply)

    for api in (lambda _: reply, raises):
        with pytest.raises(CommandRefused):
            execute(Relate(CF, (4,), (8,), hears=False), api)


def test_together_ends_at_the_first_refusal() -> None:
    """Who could not be kept from hearing a coach does not speak or hear."""
    api, heard = refusing(f"conference {CF} deaf")
    together = Together((MuteMember(CF, 6, True), DeafenMember(CF, 7, True), MuteMember(CF, 7, False)))

    with pytest.raises(CommandRefused):
        execute(together, api)

    assert heard == [f"conference {CF} mute 6", f"conference {CF} deaf 7"]


@pytest.mark.parametrize(
    "first",
    [Relate(CF, (9,), (8,), hears=False), SetRelations(CF, frozenset({Pair(9, 8)}), speakers=frozenset({8}))],
    ids=["one", "all"],
)
def test_a_refused_relation_ends_what_it_was_to_come_before(first: Order) -> None:
    """Also where it is part of a larger whole."""
    room = Room()
    room.refused = {Pair(9, 8)}

    with pytest.raises(CommandRefused):
        execute(Together((Together((first,)), MuteMember(CF, 9, False))), room.api)

    assert f"conference {CF} unmute 9" not in room.heard


def test_everything_of_a_whole_is_done_in_order() -> None:
    """If nothing is refused."""
    room = Room({Pair(1, 2)})
    execute(
        Together((Relate(CF, (7,), (8,), hears=False), SetRelations(CF), MuteMember(CF, 7, False))),
        room.api,
    )

    assert room.apart == set()
    assert room.heard[0] == f"conference {CF} relate 7 8 nohear"
    assert room.heard[-1] == f"conference {CF} unmute 7"


def test_somebody_who_has_just_left_keeps_no_other_relation_from_being_set() -> None:
    """A member goes while the list is on its way: everybody else is kept from hearing the coach all the same."""
    room = Room(gone=frozenset({9}))
    apart = frozenset({Pair(9, 1), Pair(4, 2), Pair(5, 2)})
    execute(SetRelations(CF, apart, speakers=frozenset({1, 2})), room.api)

    assert room.apart == {Pair(4, 2), Pair(5, 2)}
