"""The command line, as an operator types it: what it prints, what it refuses, and its exit status."""

from __future__ import annotations

import json
import pkgutil
import re
from collections.abc import Callable, Iterator

import pytest
import redis
import structlog

from orchestrator import cli
from orchestrator.cli import main
from orchestrator.limits import TABLE
from orchestrator.policy import OutboundPolicy
from orchestrator.store.accounts import Account, AccountStore
from orchestrator.store.receivers import ReceiverStore
from tests.unit.records import ACCOUNT
from tests.unit.store.test_callbacks import Shelf

TOKEN = "b" * 32
NO_COMMANDS = {"printing"}
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(redis_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    monkeypatch.setenv("REDIS_URL", redis_url)

    def call(*words: str) -> tuple[int, str, str]:
        status = main(words)
        said = capsys.readouterr()
        return status, said.out.strip(), said.err.strip()

    yield call
    structlog.reset_defaults()


def table(text: str) -> list[dict[str, str]]:
    """The rows of what a list prints, by its headings."""
    headings, *rows = (re.split(r" {2,}", line) for line in text.splitlines() or [""])
    return [dict(zip(headings, row, strict=True)) for row in rows]


@pytest.fixture
def account(run: Run) -> str:
    assert run("account", "create", "--sid", ACCOUNT, "--token", TOKEN) == (0, f"{ACCOUNT} {TOKEN} active", "")
    return ACCOUNT


def test_every_command_has_a_row_and_a_file_of_its_name() -> None:
    assert {module.name for module in pkgutil.iter_modules(cli.__path__)} - NO_COMMANDS == set(cli.COMMANDS)


def test_an_account_is_made_once_and_its_token_is_not_replaced_by_accident(run: Run, account: str) -> None:
    again = run("account", "create", "--sid", account, "--token", TOKEN)
    other = run("account", "create", "--sid", account, "--token", "c" * 32)

    assert again == (0, f"{ACCOUNT} {TOKEN} active", "")
    assert (other[0], other[1]) == (1, "")
    assert "exists" in other[2]


@pytest.mark.parametrize(
    "words",
    [
        ("--sid", "AC1"),
        ("--sid", ACCOUNT.lower()),
        ("--token", "short"),
        ("--token", "a" * 31 + "-"),
        ("--token", "a" * 129),
        ("--name", "n" * 65),
    ],
)
def test_a_sid_token_or_name_that_could_not_be_used_is_refused(run: Run, words: tuple[str, str]) -> None:
    status, out, err = run("account", "create", *words)

    assert (status, out) == (1, "")
    assert err.startswith(f"orchestrator: {words[0]}")


def test_an_accounts_policy_is_shown_and_changed_list_by_list(run: Run, account: str, client: redis.Redis) -> None:
    """What is not named stays; `any` and `none` empty a list; what is no number is refused, and nothing changed."""
    first = run("account", "policy", "--account", account, "--allow-prefixes", "+1,44", "--caller-ids", "+15550009999")
    second = run("account", "policy", "--account", account, "--refuse-prefixes", "+1900", "--caller-ids", "any")
    wrong = run("account", "policy", "--account", account, "--allow-prefixes", "+1,x")
    nobody = run("account", "policy", "--account", "AC" + "9" * 32)

    assert [line.split()[:2] for line in first[1].splitlines()] == [
        ["--allow-prefixes", "+1,+44"], ["--refuse-prefixes", "none"], ["--caller-ids", "+15550009999"]
    ]  # fmt: skip
    assert AccountStore(client).load_policy(account) == OutboundPolicy(("1", "44"), ("1900",), ())
    assert (second[0], wrong[0], wrong[1], nobody[0]) == (0, 1, "", 1)
    assert "--allow-prefixes: has to be" in wrong[2]


def test_a_trunk_is_made_listed_changed_and_deleted(run: Run, account: str, client: redis.Redis) -> None:
    """`create` prints its SID first; what is not named stays; what is no gateway is refused, and nothing written."""
    of_account = ("--account", account)
    made = run("trunk", "create", *of_account, "--name", "carriers", "--gateway", "10.0.0.1:5060", "--gateway",
               "sbc.example.com:5061;transport=tls,1,10")  # fmt: skip
    trunk_sid = made[1].split()[0]
    (listed,) = table(run("trunk", "list", *of_account)[1])
    as_json = json.loads(run("trunk", "list", *of_account, "--json")[1])
    changed = run("trunk", "update", *of_account, trunk_sid, "--gateway", "[::1]:5060,2")
    wrong = [
        run("trunk", "create", *of_account, "--gateway", text)
        for text in ("10.0.0.1", "a|b:5060", "h:70000", "h:5060,x", "h:5060;transport=sctp", "${a}:5060")
    ]
    long = run("trunk", "update", *of_account, trunk_sid, "--name", "n" * 65)
    known = AccountStore(client).load_account(account)
    deleted = run("trunk", "delete", *of_account, trunk_sid)
    again = run("trunk", "delete", *of_account, trunk_sid)

    assert made[1] == f"{trunk_sid} 10.0.0.1:5060,0,1 sbc.example.com:5061;transport=tls,1,10 'carriers'"
    gateways = ["10.0.0.1:5060,0,1", "sbc.example.com:5061;transport=tls,1,10"]
    assert listed == {"trunk_sid": trunk_sid, "gateways": " ".join(gateways), "friendly_name": "carriers"}
    assert as_json == listed | {"gateways": gateways}
    assert changed[1] == f"{trunk_sid} [::1]:5060,2,1 'carriers'"
    assert all(status == 1 and "--gateway: " in said for status, _, said in wrong)
    assert (long[0], "--name: takes at most 64" in long[2]) == (1, True)
    assert known is not None
    assert [trunk.trunk_sid for trunk in known.trunks] == [trunk_sid]
    assert (deleted[0], again[0], run("trunk", "list", *of_account)[1]) == (0, 1, "")


def test_a_minted_account_can_be_used(run: Run, client: redis.Redis) -> None:
    sid, token, status = run("account", "create", "--name", "ops")[1].split()
    made = AccountStore(client).load_account(sid)

    assert made is not None
    assert (made.auth_token, made.friendly_name, made.status, status) == (token, "ops", "active", "active")
    assert len(token) == 32
    assert table(run("account", "list")[1]) == [{"account_sid": sid, "status": "active", "friendly_name": "ops"}]
    assert run("accounts", "list") == run("account", "list")
    assert json.loads(run("account", "list", "--json")[1])["account_sid"] == sid


@pytest.mark.parametrize("action", ["rotate-token", "suspend", "resume", "secondary-token", "promote-token"])
def test_an_account_that_is_not_there_is_said(run: Run, action: str) -> None:
    status, out, err = run("account", action, ACCOUNT)

    assert (status, out) == (1, "")
    assert err.startswith("orchestrator: ")


def test_an_account_is_suspended_and_resumed_and_its_tokens_are_exchanged(
    run: Run, account: str, client: redis.Redis
) -> None:
    def known() -> Account:
        found = AccountStore(client).load_account(account)
        assert found is not None
        return found

    assert run("account", "suspend", account)[1] == f"{account} suspended"
    assert run("account", "resume", account)[1] == f"{account} active"
    second = run("account", "secondary-token", account)[1].split()[1]
    assert (known().auth_token, known().secondary_token) == (TOKEN, second)
    assert run("account", "promote-token", account)[1].split()[1] == second
    assert known().auth_token == second
    assert run("account", "rotate-token", account)[1].split()[1] not in (TOKEN, second)


def test_limits_are_shown_changed_and_set_back(run: Run, account: str) -> None:
    row = TABLE[0]

    def shown() -> str:
        lines = run("account", "limits", "--account", account)[1].splitlines()
        return next(line.split()[1] for line in lines if line.startswith(row.option + " "))

    default = shown()
    run("account", "limits", "--account", account, row.option, "7")
    assert shown() == "7"
    run("account", "limits", "--account", account, row.option, "default")
    assert shown() == default == f"{row.default:,}"
    for value in ("x", "1.5", "99999999999999", "\u0661"):
        assert run("account", "limits", "--account", account, row.option, value)[0] == 1, value
    assert run("account", "limits", "--account", "AC" + "9" * 32)[0] == 1


def test_keys_are_made_listed_and_revoked(run: Run, account: str) -> None:
    sid, secret = run("keys", "create", "--account", account, "--name", "ci")[1].split()
    listed = run("keys", "list", "--account", account)[1]
    as_json = run("keys", "list", "--account", account, "--json")[1]

    assert table(listed) == [json.loads(as_json)]
    assert (table(listed)[0]["sid"], table(listed)[0]["friendly_name"]) == (sid, "ci")
    assert secret not in listed + as_json
    assert run("keys", "revoke", "--account", account, sid) == (0, "", "")
    assert run("keys", "list", "--account", account)[1] == ""
    assert run("keys", "revoke", "--account", account, sid)[0] == 1


def test_callbacks_are_listed_shown_and_replayed(run: Run, account: str, client: redis.Redis) -> None:
    shelf = Shelf(client)
    token = "11111111-1111-1111-1111-111111111111"
    shelf.put(token)
    shelf.settle("dead", "http-404")
    shelf.put(token.replace("1", "2"))
    name = f"{shelf.lane.sid}.{token}"

    assert (
        run("callbacks", "list", "--account", account, "--state", "dead", "--json")[1].split('"id":"')[1][:71] == name
    )
    assert "http-404" in run("callbacks", "list", "--account", account)[1]
    assert json.loads(run("callbacks", "show", "--account", account, name)[1])["attempts"][0]["status"] == 404
    assert json.loads(run("callbacks", "replay", "--account", account, name)[1])["state"] == "waiting"
    refused = run("callbacks", "replay", "--account", account, name)
    assert (refused[0], "waits to be delivered already" in refused[2]) == (1, True)
    assert run("callbacks", "replay", "--account", account)[1] == "0 replayed"
    assert run("callbacks", "replay", "--account", account, "--state", "waiting")[0] == 1
    assert run("callbacks", "list", "--account", account, "--state", "gone")[0] == 1


def test_receivers_are_listed_and_resumed(run: Run, account: str, client: redis.Redis) -> None:
    assert run("receivers", "list", "--account", account) == (0, "", "")
    ReceiverStore(client).save_failure(account, "app.example:80", 0, 1_000)
    (shown,) = table(run("receivers", "list", "--account", account)[1])
    as_json = json.loads(run("receivers", "list", "--account", account, "--json")[1])

    assert (shown["host"], shown["failures"], shown["paused_until"]) == ("app.example:80", "1", "-")
    assert (as_json["host"], as_json["failures"], as_json["paused_until"]) == ("app.example:80", 1, None)
    assert run("receivers", "resume", "--account", account, "app.example:443")[0] == 1


def test_settings_that_are_wrong_are_said_before_anything_is_done(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_BIND", "nonsense")
    status, out, err = run("account", "list")

    assert (status, out) == (1, "")
    assert "ORCHESTRATOR_BIND" in err
