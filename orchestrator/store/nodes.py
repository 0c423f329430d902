"""What each node's listener last saw, for operators and `orchestrator check`; and questions to it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any, Final

import redis

from orchestrator.store import keys
from orchestrator.store.connection import redis_errors

MOST_QUESTIONS: Final = 1_000
QUESTION_SECONDS: Final = 10
"""By then whoever asked has long given up."""


@dataclass(frozen=True, slots=True)
class Question:
    """Somebody waits until the relations of a conference are what its state says."""

    conference_sid: str
    token: str


class NodeStore:
    """One hash per node; it vanishes when its listener falls silent."""

    def __init__(self, client: redis.Redis) -> None:
        self._redis: Any = client

    def save_node(self, name: str, **facts: str) -> None:
        """Write what is known of a node now; `listener` names the process that wrote it."""
        with redis_errors():
            pipe = self._redis.pipeline(transaction=True)
            pipe.hset(keys.node(name), mapping=facts)
            pipe.expire(keys.node(name), keys.NODE_SECONDS)
            pipe.execute()

    def load_node(self, name: str) -> dict[str, str]:
        """What the node's listener wrote last; empty if there is no listener."""
        with redis_errors():
            return dict(self._redis.hgetall(keys.node(name)))

    # ------------------------------------------------------------ questions to the listener

    def ask_to_relate(self, name: str, conference_sid: str, seconds: float) -> bool:
        """Have the node's listener set the relations of a conference; True when it has, False if it did not in time."""
        question = Question(conference_sid, secrets.token_hex(8))
        with redis_errors():
            pipe = self._redis.pipeline(transaction=False)
            pipe.rpush(keys.questions(name), f"{question.conference_sid} {question.token}")
            pipe.ltrim(keys.questions(name), -MOST_QUESTIONS, -1)
            pipe.expire(keys.questions(name), QUESTION_SECONDS)
            pipe.execute()
            answer = self._redis.blpop([keys.answer(name, question.token)], timeout=seconds)
        return answer is not None and answer[1] == "done"

    def next_question(self, name: str, seconds: float) -> Question | None:
        """For the listener: the next question, waiting for it."""
        with redis_errors():
            found = self._redis.blpop([keys.questions(name)], timeout=seconds)
        return Question(*found[1].split(" ")) if found else None

    def give_back(self, name: str, question: Question) -> None:
        """For a listener that stops: the question is the next one again."""
        with redis_errors():
            pipe = self._redis.pipeline(transaction=False)
            pipe.lpush(keys.questions(name), f"{question.conference_sid} {question.token}")
            pipe.expire(keys.questions(name), QUESTION_SECONDS)
            pipe.execute()

    def answer(self, name: str, question: Question, done: bool) -> None:
        """Tell whoever asked."""
        with redis_errors():
            pipe = self._redis.pipeline(transaction=False)
            pipe.rpush(keys.answer(name, question.token), "done" if done else "refused")
            pipe.expire(keys.answer(name, question.token), QUESTION_SECONDS)
            pipe.execute()
