"""A small dialect of the tests' own: it is spoken by being registered, and shows what a dialect has to bring."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import orjson

from orchestrator.callbacks.plan import Callback
from orchestrator.dialects import twilio
from orchestrator.dialects.base import Answer, Asked, Page, Parameters
from orchestrator.dialects.twilio import callbacks, serializers, signature
from orchestrator.domain.conference import Conference, Participant
from orchestrator.errors import ApiError


def read_sid(kind: str, text: str) -> str:
    """`conf-…` for CF, and so on: the kind in words, then the digits backwards."""
    word = _WORDS.get(kind, "?")
    return kind + text.removeprefix(word)[::-1] if text.startswith(word) else text


def write_sid(sid: str) -> str:
    return _WORDS[sid[:2]] + sid[2:][::-1] if sid[:2] in _WORDS and len(sid) == 34 else sid


_WORDS: Final = {"AC": "acct-", "CF": "conf-", "CA": "call-"}


def _shouted(body: dict[str, Any]) -> dict[str, Any]:
    return {key.upper(): value for key, value in body.items()}


def _one(asked: Asked, participant: Participant) -> dict[str, Any]:
    return _shouted(serializers.serialize_participant(asked, participant))


def _answer(body: Any, status: int = 200) -> Answer:
    return Answer(orjson.dumps(body), "application/vnd.shout+json", status)


def _conference(asked: Asked, conference: Conference) -> Answer:
    return _answer(_shouted(serializers.serialize_conference(asked, conference)))


def _conferences(asked: Asked, page: Page[Conference]) -> Answer:
    rows = [_shouted(serializers.serialize_conference(asked, row)) for row in page.rows]
    return _answer(_shouted(serializers.serialize_page("conferences", page, rows)))


def _participants(asked: Asked, page: Page[Participant]) -> Answer:
    rows = [_one(asked, row) for row in page.rows]
    return _answer(_shouted(serializers.serialize_page("participants", page, rows)))


def _error(_: Asked, error: ApiError) -> Answer:
    body = {"WRONG": error.message.upper(), "CODE": error.code}
    return replace(_answer(body, error.http_status), headers={"WWW-Authenticate": "Basic"})


def _callback(callback: Callback) -> Parameters:
    return _loud(callbacks.serialize_callback(callback))


def _fetch(conference: Conference, participant: Participant | None) -> Parameters:
    return _loud(callbacks.serialize_fetch(conference, participant))


def _loud(parameters: Parameters) -> Parameters:
    return [(name.upper(), write_sid(value)) for name, value in parameters]


DIALECT: Final = replace(
    twilio.DIALECT,
    name="shout",
    prefixes=("/shout/v9",),
    representations={"": "json"},
    link_suffix=lambda asked: "",
    read_sid=read_sid,
    write_sid=write_sid,
    render_account=lambda asked, account: _answer(_shouted(serializers.serialize_account(asked, account))),
    render_conference=_conference,
    render_conferences=_conferences,
    render_participant=lambda asked, participant, _: _answer(_one(asked, participant)),
    render_participants=_participants,
    render_error=_error,
    serialize_callback=_callback,
    serialize_fetch=_fetch,
    sign=lambda token, url, parameters: {"X-Shout": signature.sign(token, url, parameters)},
)
