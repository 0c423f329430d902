"""What must not lie about: in the database, in logs, in answers, in files that everybody may read."""

from __future__ import annotations

import base64
import json
import urllib.request
from collections.abc import Callable
from typing import Any, Final

import pytest
import redis

from orchestrator.sids import is_sid
from tests.harness.polling import eventually
from tests.harness.stack import RealSwitch, Stack

SECRET: Final = "hunter2hunter2"


def everything_in(client: Any) -> str:
    """All keys with what is in them; one that has gone since it was listed has nothing in it."""
    read: dict[bytes, Callable[[bytes], Any]] = {
        b"string": client.get,
        b"hash": client.hgetall,
        b"list": lambda key: client.lrange(key, 0, -1),
        b"set": client.smembers,
        b"zset": lambda key: client.zrange(key, 0, -1),
        b"stream": client.xrange,
        b"none": lambda _: None,
    }
    return "\n".join(f"{key} {read[client.type(key)](key)}" for key in client.scan_iter("*"))


def test_passwords_of_a_call_are_not_kept(stack: Stack) -> None:
    """Neither CallToken nor SipAuthPassword is in Redis, or in a log, while a call is on its way, or later."""
    settings = stack.call_settings(
        to="+15550003000",
        sip_auth_username="bob",
        sip_auth_password=SECRET,
        call_token=SECRET,
    )
    made = stack.client().conferences("passwords").participants.create(**settings)
    client: Any = redis.Redis.from_url(stack.environment["REDIS_URL"])
    kept = everything_in(client)
    stack.receiver.await_kind(made.conference_sid, "conference-end")
    kept += everything_in(client)
    client.close()

    assert is_sid("CA", made.call_sid)
    assert made.call_sid in kept
    assert SECRET not in kept
    for process in (stack.api, stack.listener, *stack.workers):
        assert SECRET not in process.log()


def test_the_password_of_a_callbacks_url_is_not_shown(stack: Stack) -> None:
    """The callback needs it, so it is kept; but no log and no answer has it, nor what an operator lists."""
    url = stack.receiver.url().replace("://", f"://bob:{SECRET}@")
    settings = stack.call_settings(to="+15550003000", status_callback=url, conference_status_callback=url)
    made = stack.client().conferences("a url").participants.create(**settings)
    stack.receiver.await_kind(made.call_sid, "call busy")
    account = ("--account", stack.account_sid)
    wanted = ("callbacks", "list", *account, "--call", made.call_sid, "--state", "delivered", "--json")
    listed = eventually(lambda: stack.orchestrator(*wanted), "it is delivered")
    shown = stack.orchestrator("callbacks", "show", *account, json.loads(listed.splitlines()[0])["id"])
    path = f"/v1/Accounts/{stack.account_sid}/Callbacks?CallSid={made.call_sid}"
    request = urllib.request.Request(stack.base_url + path)
    basic = base64.b64encode(f"{stack.account_sid}:{stack.auth_token}".encode()).decode()
    request.add_header("Authorization", f"Basic {basic}")
    with urllib.request.urlopen(request, timeout=5) as response:
        answered = response.read().decode()

    assert "bob:***@" in shown
    assert "bob:***@" in answered
    assert SECRET not in listed + shown + answered
    for process in (stack.api, stack.listener, *stack.workers):
        assert SECRET not in process.log()


def test_only_its_owner_reads_the_event_sockets_password(stack: Stack) -> None:
    """FreeSWITCH leaves its configuration, with the password in it, beside its log (freeswitch.xml.fsxml). Started as
    freeswitch-conf/README.md says, no file of its directories that has the password is readable for others."""
    if not isinstance(stack.switch, RealSwitch):
        pytest.skip("the sandbox writes no files")
    node = stack.switch
    files = [path for path in node.directory.rglob("*") if path.is_file()]
    holding = [path for path in files if node.password.encode() in path.read_bytes()]

    assert holding, "where has it gone?"
    assert {path.name: path.stat().st_mode & 0o077 for path in holding} == {path.name: 0 for path in holding}
