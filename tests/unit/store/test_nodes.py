"""What listeners tell of their nodes, and questions to them."""

from __future__ import annotations

import threading
import time

import pytest
import redis

from orchestrator.errors import Unavailable
from orchestrator.sids import mint_sid
from orchestrator.store import keys
from orchestrator.store.connection import connect
from orchestrator.store.nodes import MOST_QUESTIONS, QUESTION_SECONDS, NodeStore, Question
from tests.unit.patience import PATIENCE

SID = mint_sid("CF")


@pytest.fixture
def nodes(client: redis.Redis) -> NodeStore:
    return NodeStore(client)


def test_a_node_is_unknown_when_its_listener_falls_silent(nodes: NodeStore, client: redis.Redis) -> None:
    """What it said last ends by itself."""
    nodes.save_node("fs1", connected="1")

    assert nodes.load_node("fs1") == {"connected": "1"}
    assert nodes.load_node("fs2") == {}
    assert 0 < client.ttl(keys.node("fs1")) <= keys.NODE_SECONDS


@pytest.mark.parametrize("done", [True, False])
def test_a_question_is_answered_to_whoever_asked(nodes: NodeStore, redis_url: str, done: bool) -> None:
    """Yes, or that the switch has refused."""

    def listen() -> None:
        listener = NodeStore(connect(redis_url))
        question = listener.next_question("fs1", 1)
        assert question is not None
        asked.append(question.conference_sid)
        listener.answer("fs1", question, done)

    asked: list[str] = []
    listening = threading.Thread(target=listen)
    listening.start()
    told = nodes.ask_to_relate("fs1", SID, 1.4)
    listening.join()

    assert (told, asked) == (done, [SID])


def test_a_listener_that_is_away_is_not_waited_for_long(nodes: NodeStore, client: redis.Redis) -> None:
    """Nor is it kept busy with what nobody waits for when it is back."""
    started = time.monotonic()
    told = nodes.ask_to_relate("fs1", SID, 0.2)
    took = time.monotonic() - started

    assert told is False
    assert 0.1 < took < PATIENCE
    assert 0 < client.ttl(keys.questions("fs1")) <= QUESTION_SECONDS


def test_questions_are_bounded_and_the_newest_stay(nodes: NodeStore, client: redis.Redis) -> None:
    """A listener that hangs: those who still wait are the ones who asked last."""
    for number in range(MOST_QUESTIONS):
        client.rpush(keys.questions("fs1"), f"{SID} {number}")
    nodes.ask_to_relate("fs1", SID, 0.01)

    assert client.llen(keys.questions("fs1")) == MOST_QUESTIONS
    assert nodes.next_question("fs1", 0.1) == Question(SID, "1")


def test_questions_are_their_node_s(nodes: NodeStore) -> None:
    """In order, and nothing is none."""
    nodes.ask_to_relate("fs1", SID, 0.01)

    assert nodes.next_question("fs2", 0.01) is None
    asked = nodes.next_question("fs1", 0.1)
    assert asked is not None
    assert asked.conference_sid == SID
    assert nodes.next_question("fs1", 0.01) is None


def test_an_answer_that_nobody_waits_for_ends_by_itself(nodes: NodeStore, client: redis.Redis) -> None:
    """And is nobody else's."""
    question = Question(SID, "0123456789abcdef")
    nodes.answer("fs1", question, True)

    assert 0 < client.ttl(keys.answer("fs1", question.token)) <= QUESTION_SECONDS
    assert nodes.ask_to_relate("fs1", SID, 0.01) is False


def test_with_redis_away_asking_is_unavailable() -> None:
    """503, not a crash."""
    away = NodeStore(connect("redis://127.0.0.1:1/0"))
    for act in (
        lambda: away.ask_to_relate("fs1", SID, 0.1),
        lambda: away.next_question("fs1", 0.1),
        lambda: away.answer("fs1", Question(SID, "x"), True),
    ):
        with pytest.raises(Unavailable):
            act()
