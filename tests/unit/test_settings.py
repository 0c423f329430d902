"""Settings: their defaults, what is refused, and that every wrong variable is named at once."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

import pytest

from orchestrator.freeswitch.addresses import NodeAddress
from orchestrator.settings import Settings, SettingsError, load_settings


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def load(monkeypatch: pytest.MonkeyPatch, **variables: str) -> Settings:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return load_settings()


def test_without_any_variable_the_defaults_hold() -> None:
    """Nothing has to be set to start a process."""
    settings = load_settings()

    assert settings.redis_url == settings.rq_url == "redis://127.0.0.1:6379/0"
    assert (settings.bind_host, settings.bind_port) == ("127.0.0.1", 8080)
    assert settings.public_url == "http://127.0.0.1:8080"
    assert settings.freeswitch_nodes == ()
    assert (settings.outbound_route, settings.client_route) == ("", "")
    assert settings.sip_route == "sofia/internal/{address}"


def test_nodes_are_a_comma_separated_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spaces and empty parts do not count."""
    settings = load(monkeypatch, FREESWITCH_NODES=" a=127.0.0.1:8021, b_2=fs.example:65535 ,")

    assert settings.freeswitch_nodes == (NodeAddress("a", "127.0.0.1", 8021), NodeAddress("b_2", "fs.example", 65535))


@pytest.mark.parametrize(
    "text",
    ["127.0.0.1:8021", "a=host", "a=:8021", "a=host:port", "a=host:65536", "a b=host:1", "a/b=host:1",
     "=host:1", "a=h:1,a=i:2", "x" * 33 + "=h:1", "a=ho st:1"],
)  # fmt: skip
def test_a_node_that_is_not_name_host_port_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Also a name that is given twice: commands would go to one node and its events come from another."""
    with pytest.raises(SettingsError, match="FREESWITCH_NODES"):
        load(monkeypatch, FREESWITCH_NODES=text)


@pytest.mark.parametrize("text", ["8080", "host", "host:", ":8080", "host:65536", "ho st:80", "host:8x"])
def test_an_address_that_is_not_host_port_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """The API says at its start that it cannot listen there."""
    with pytest.raises(SettingsError, match="ORCHESTRATOR_BIND"):
        load(monkeypatch, ORCHESTRATOR_BIND=text)


def test_an_ipv6_address_keeps_its_colons(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the last colon divides host and port; port 0 lets the kernel choose."""
    settings = load(monkeypatch, ORCHESTRATOR_BIND="[::1]:0")

    assert (settings.bind_host, settings.bind_port) == ("[::1]", 0)


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("OUTBOUND_ROUTE", "sofia/gateway/carrier/{number}"),
        ("SIP_ROUTE", "sofia/external/{address}"),
        ("CLIENT_ROUTE", "user/{name}"),
    ],
)
def test_a_route_needs_its_own_placeholder_once(monkeypatch: pytest.MonkeyPatch, name: str, good: str) -> None:
    """And nothing that would end the dial string, or begin a second one, after the value is put in."""
    placeholder = good[good.index("{") :]
    bad = [
        "sofia/gateway/carrier/1", good + placeholder, good.replace("{", "{x"), f"{good} x", f"{good}|user/1",
        f"{{a=b}}{good}", f"{good}\n",
    ]  # fmt: skip

    assert getattr(load(monkeypatch, **{name: good}), name.lower()) == good
    for text in bad:
        with pytest.raises(SettingsError, match=name):
            load(monkeypatch, **{name: text})


def test_a_route_may_be_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then that kind of address is not dialled at all."""
    assert load(monkeypatch, SIP_ROUTE="").sip_route == ""


def test_every_wrong_variable_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """One start shows all that has to be put right."""
    with pytest.raises(SettingsError) as caught:
        load(monkeypatch, ORCHESTRATOR_BIND="x", FREESWITCH_NODES="y", CLIENT_ROUTE="z")

    assert sorted(problem.partition(":")[0] for problem in caught.value.problems) == [
        "CLIENT_ROUTE",
        "FREESWITCH_NODES",
        "ORCHESTRATOR_BIND",
    ]


def test_the_password_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """A settings object may end up in a log or a traceback."""
    settings = load(monkeypatch, FREESWITCH_PASSWORD="very-secret")

    assert settings.freeswitch_password == "very-secret"
    assert "very-secret" not in repr(settings)


def test_rq_has_a_redis_that_is_no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would fail at its first pipeline, not at the start."""
    cluster = "redis+cluster://r1:6379,r2:6379"

    assert load(monkeypatch, REDIS_URL=cluster, QUEUE_REDIS_URL="redis://queue:6379/1").redis_url == cluster
    with pytest.raises(SettingsError, match="QUEUE_REDIS_URL"):
        load(monkeypatch, REDIS_URL=cluster, QUEUE_REDIS_URL="")


def test_rq_may_have_a_redis_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """QUEUE_REDIS_URL is for RQ only."""
    settings = load(monkeypatch, QUEUE_REDIS_URL="redis://queue:6379/1")

    assert settings.rq_url == "redis://queue:6379/1"
    assert settings.redis_url == "redis://127.0.0.1:6379/0"


def test_the_public_url_has_no_slash_at_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths are put behind it."""
    assert load(monkeypatch, ORCHESTRATOR_PUBLIC_URL="https://api.example/").public_url == "https://api.example"


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        (
            "ORCHESTRATOR_MEDIA_URL",
            "http://api:8080",
            ["api:8080", "http://api:8080/x y", "file:///etc", "http://a/{b}"],
        ),
        ("STOCK_MUSIC", "local_stream://moh", ["two words", "${x}", "{a=b}file", "it's", "say:hello", "x\ny"]),
        ("DETECTION_DIR", "/run/detection-1.d", ["relative", "/a b", "/a/{x}", "/a\n", "/a,b", "/a//b", "/a/"]),
        ("TTS_COMMAND", "piper --model /voices/{language}.onnx", ["", "piper {model}", "piper {", "piper 'x"]),
    ],
)
def test_what_reaches_a_switch_or_a_shell_is_checked(
    monkeypatch: pytest.MonkeyPatch, name: str, good: str, bad: list[str]
) -> None:
    """The operator's own words, too: a slip in one of them would break every sound."""
    assert getattr(load(monkeypatch, **{name: good}), name.lower()) == good
    for text in bad:
        with pytest.raises(SettingsError, match=name):
            load(monkeypatch, **{name: text})


def test_hosts_of_sip_addresses_are_a_comma_separated_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names, `*.` in front for all below, addresses; one that is none is named."""
    assert load(monkeypatch).sip_hosts == ()
    assert load(monkeypatch, SIP_HOSTS="PBX.example.com., *.example.net,10.1.2.3,2001:db8::1").sip_hosts == (
        "pbx.example.com",
        "*.example.net",
        "10.1.2.3",
        "2001:db8::1",
    )
    for text in ("a b", "*", "a.*.b", "sip:pbx", "10.0.0.0/8"):
        with pytest.raises(SettingsError, match="SIP_HOSTS: "):
            load(monkeypatch, SIP_HOSTS=text)


def test_routes_behind_nat_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the kind of `To` that they are for."""
    assert load(monkeypatch).nat_routes == frozenset()
    assert load(monkeypatch, NAT_ROUTES="sip, Number").nat_routes == {"sip", "number"}
    with pytest.raises(SettingsError, match="NAT_ROUTES: "):
        load(monkeypatch, NAT_ROUTES="true")


def test_private_networks_are_a_comma_separated_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """None without the variable; a part that is none is quoted."""
    assert load(monkeypatch).allowed_private_networks == ()
    assert load(monkeypatch, ALLOWED_PRIVATE_NETWORKS="10.1.0.0/16, ::1").allowed_private_networks == (
        ip_network("10.1.0.0/16"),
        ip_network("::1/128"),
    )
    for text in ("10.1.0.1/16", "10.1.0.0/33", "localhost"):
        with pytest.raises(SettingsError, match=f"ALLOWED_PRIVATE_NETWORKS: .*'{text}'"):
            load(monkeypatch, ALLOWED_PRIVATE_NETWORKS=text)


def test_a_setting_may_be_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As secrets of containers are; the variable itself comes first, and a file that is not there is said."""
    secret = tmp_path / "secret"
    secret.write_text("from a file\n")
    monkeypatch.delenv("FREESWITCH_PASSWORD", raising=False)
    monkeypatch.setenv("FREESWITCH_PASSWORD_FILE", str(secret))
    assert load_settings().freeswitch_password == "from a file"
    monkeypatch.setenv("FREESWITCH_PASSWORD", "named")
    assert load_settings().freeswitch_password == "named"
    monkeypatch.delenv("FREESWITCH_PASSWORD")
    monkeypatch.setenv("FREESWITCH_PASSWORD_FILE", str(tmp_path / "nowhere"))
    with pytest.raises(SettingsError, match="FREESWITCH_PASSWORD_FILE"):
        load_settings()


def test_callbacks_are_kept_as_long_as_they_are_tried() -> None:
    with pytest.raises(ValueError, match="RETENTION_DAYS"):
        Settings(retention_days=0.5)
    assert Settings(retention_days=0.5, callback_give_up_seconds=3_600).retention_seconds == 43_200
