"""Lists what an operator does by the console: a row each, with the question that is asked before."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from orchestrator.domain.commands import UpdateParticipant
from orchestrator.errors import NotFound
from orchestrator.services.account_operations import AccountOperations
from orchestrator.services.all_services import Services
from orchestrator.services.node_operations import NodeOperations
from orchestrator.store.callbacks import CallbackFilter
from orchestrator.store.history import History

Given = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Hands:
    """Holds the services that actions are done with."""

    services: Services
    history: History
    accounts: AccountOperations
    nodes: NodeOperations


@dataclass(frozen=True, slots=True)
class Action:
    """`question` names what is given; `needs` are its names; `do` returns what came of it."""

    question: str
    button: str
    needs: tuple[str, ...]
    do: Callable[[Hands, Given], str]


def _end(hands: Hands, given: Given) -> str:
    conference = hands.history.load_conference(given["conference"])
    if conference is None:
        raise NotFound("The conference was not found")
    hands.services.conferences.end_conference(conference.account_sid, conference.conference_sid)
    return "ended"


def _owner(hands: Hands, given: Given) -> tuple[str, str, str]:
    call = hands.history.load_call(given["call"])
    if call is None:
        raise NotFound("The call was not found")
    return call.account_sid, call.conference_sid, call.call_sid


def _remove(hands: Hands, given: Given) -> str:
    hands.services.participants.remove_participant(*_owner(hands, given))
    return "removed"


def _mute(hands: Hands, given: Given) -> str:
    hands.services.updates.update_participant(*_owner(hands, given), UpdateParticipant(muted=True))
    return "muted"


def _unmute(hands: Hands, given: Given) -> str:
    hands.services.updates.update_participant(*_owner(hands, given), UpdateParticipant(muted=False))
    return "unmuted"


def _resume(hands: Hands, given: Given) -> str:
    hands.services.callback_log.resume_receiver(given["account"], given["host"])
    return "resumed"


def _replay(hands: Hands, given: Given) -> str:
    replayed = hands.services.callback_log.replay_all(given["account"], CallbackFilter(state="dead"))
    return f"{replayed.number} replayed" + ("" if replayed.next_after_ms is None else ", there are more")


def _set_status(status: str) -> Callable[[Hands, Given], str]:
    return lambda hands, given: hands.accounts.update_account(given["account"], status).status


def _set_state(state: str) -> Callable[[Hands, Given], str]:
    return lambda hands, given: hands.nodes.set_state(given["node"], state).state


ACTIONS: Final[Mapping[str, Action]] = {
    "end": Action("End conference {conference} and hang up on everybody in it?", "End it", ("conference",), _end),
    "remove": Action("Hang up on {call}?", "Hang up", ("call",), _remove),
    "mute": Action("Mute {call}?", "Mute", ("call",), _mute),
    "unmute": Action("Let {call} be heard again?", "Unmute", ("call",), _unmute),
    "resume": Action("Send to {host} again, for account {account}?", "Resume", ("account", "host"), _resume),
    "replay": Action("Send all dead letters of {account} again?", "Replay", ("account",), _replay),
    "suspend": Action("Refuse all requests of {account}?", "Suspend", ("account",), _set_status("suspended")),
    "cordon": Action(
        "Give {node} no new conferences? Those that it has go on.", "Cordon", ("node",), _set_state("cordoned")
    ),
    "uncordon": Action("Give {node} new conferences again?", "Uncordon", ("node",), _set_state("active")),
    "admit": Action("Accept requests of {account} again?", "Resume", ("account",), _set_status("active")),
}
