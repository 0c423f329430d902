"""Orders of more than one command: relations between members, and what must not happen without what comes before it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from orchestrator.freeswitch.client import CommandRefused
from orchestrator.freeswitch.commands import MOST_RELATED, ListRelations, MemberUuid, Relate, SwitchCommand


class Pair(NamedTuple):
    """The member `listener` does not hear the member `speaker`."""

    listener: int
    speaker: int


@dataclass(frozen=True, slots=True)
class SetRelations:
    """Have the coaches, `speakers`, heard by nobody but those in `together`: what is missing first, then what is too
    much. Whoever is not known here yet, having joined this moment, goes on not hearing a coach."""

    conference_sid: str
    apart: frozenset[Pair] = frozenset()
    together: frozenset[Pair] = frozenset()
    speakers: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Together:
    """In order; the first that the switch refuses ends them, because the rest must not happen without it."""

    orders: tuple[Order, ...]


Order = SwitchCommand | SetRelations | Together
Api = Callable[[str], str]
"""An API command -> what the switch says. Raises CommandRefused, NodeUnavailable."""

_NOT_FOUND: Final = re.compile(r"-ERR relationship (\d+)->(\d+) not found", re.ASCII)
_RELATION: Final = re.compile(r"(\d+) -> (\d+) .*\bNOHEAR\b", re.ASCII)


def execute(order: Order, api: Api) -> None:
    """Have the switch do it. Raises CommandRefused if it did not do all of it, NodeUnavailable."""
    if isinstance(order, Together):
        for part in order.orders:
            execute(part, api)
    elif isinstance(order, SetRelations):
        for change in changes_of(order, _list_relations(order.conference_sid, api)):
            execute(change, api)
    elif isinstance(order, Relate):
        _relate(order, api)
    else:
        api(order.render())


def _list_relations(conference_sid: str, api: Api) -> frozenset[Pair]:
    """Nothing at all is an answer, too: relations of members who have left count, and are not listed."""
    try:
        return parse_relations(api(ListRelations(conference_sid).render()))
    except CommandRefused as error:
        if "no reply" not in str(error):
            raise
        return frozenset()


def _relate(order: Relate, api: Api) -> None:
    """The switch answers with a line for each pair. One of which somebody has just left needs no relation."""
    try:
        reply = api(order.render())
    except CommandRefused as error:
        reply = str(error)
    for line in reply.splitlines():
        refused = _NOT_FOUND.match(line)
        if refused is not None:
            members = (int(refused[1]), int(refused[2]))
            if all(_is_member(order.conference_sid, member, api) for member in members):
                raise CommandRefused(line)
        elif not line.startswith("+OK"):
            raise CommandRefused(line)


def _is_member(conference_sid: str, member_id: int, api: Api) -> bool:
    try:
        api(MemberUuid(conference_sid, member_id).render())
    except CommandRefused:
        return False
    return True


def parse_relations(text: str) -> frozenset[Pair]:
    """The answer to ListRelations."""
    return frozenset(Pair(int(match[1]), int(match[2])) for match in _RELATION.finditer(text))


def changes_of(order: SetRelations, current: frozenset[Pair]) -> list[Relate]:
    """What is to be said, the relations being `current`. Nobody hears meanwhile whom they may hear neither before nor
    after."""
    sid, missing = order.conference_sid, order.apart - current
    stale = {pair for pair in current if pair in order.together or pair.speaker not in order.speakers}
    return [
        *(relate for speaker, group in _by_speaker(missing) for relate in keep_apart(sid, group, (speaker,))),
        *(
            Relate(sid, some, (speaker,), hears=True)
            for speaker, group in _by_speaker(stale)
            for some in _chunks(group)
        ),
    ]


def keep_apart(conference_sid: str, listeners: tuple[int, ...], speakers: tuple[int, ...]) -> Iterator[Relate]:
    """The commands after which none of `listeners` hears any of `speakers`; none if one of the groups is empty."""
    for some in _chunks(listeners):
        for others in _chunks(speakers):
            yield Relate(conference_sid, some, others, hears=False)


def _by_speaker(pairs: Iterable[Pair]) -> list[tuple[int, tuple[int, ...]]]:
    groups: dict[int, list[int]] = {}
    for pair in sorted(pairs):
        groups.setdefault(pair.speaker, []).append(pair.listener)
    return [(speaker, tuple(group)) for speaker, group in groups.items()]


def _chunks(members: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    for start in range(0, len(members), MOST_RELATED):
        yield members[start : start + MOST_RELATED]
