"""The stack in containers: every setting reaches the process that reads it, and no container has more than it needs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import pytest
import yaml

from orchestrator.check import MODULES
from orchestrator.settings import Settings
from tests.harness.freeswitch import NODE_CONFIGURATION, REPOSITORY

FILES: Final = ("compose.yaml", "compose.host-network.yaml", "compose.metrics.yaml", "compose.secrets.yaml")
OURS: Final = ("api", "console", "detector", "listener", "worker")
SERVICES: Final = (*OURS, "freeswitch", "redis")
METRICS: Final = ("grafana", "prometheus")
FIXED: Final = {
    "ORCHESTRATOR_BIND",  # in the image: all addresses of the container
    "FREESWITCH_ESL_PORT",  # what is published or connected to has its usual number inside the container
    "FREESWITCH_SIP_PORT",
    "FREESWITCH_SIP_TLS_PORT",
}

BUCKETS: Final = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"}
"""What boto3 reads, for those that read and write recordings."""


class _Loader(yaml.SafeLoader):
    """Knows `!reset`, with which one compose file takes back what another one says."""


_Loader.add_constructor("!reset", lambda loader, node: None)


def text_of(name: str) -> str:
    return (REPOSITORY / "docker" / name).read_text("utf-8")


def services_of(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.load(text_of(name), _Loader)["services"]  # noqa: S506 - a SafeLoader of our own
    return loaded


def settings_of_nodes() -> set[str]:
    """The environment variables that FreeSWITCH's configuration reads."""
    texts = [path.read_text("utf-8") for path in NODE_CONFIGURATION.rglob("*.xml")]
    return {name for text in texts for name in re.findall(r"\$\{?#?(FREESWITCH_[A-Z_]+)", text)}


def settings_in(document: str, heading: str) -> set[str]:
    """The names in the first column of the table whose heading begins so."""
    _, found, below = document.partition(f"\n{heading}")
    assert found, heading
    cells = [line.split("|")[1] for line in below.split("\n\n")[0].splitlines() if line.startswith("| `")]
    return {name for cell in cells for name in re.findall(r"`([A-Z_]+)`", cell)}


def taken() -> Iterator[str]:
    """The variables that compose takes from .env or the shell."""
    for name in FILES:
        yield from re.findall(r"(?<!\$)\$\{([A-Z_]+)", text_of(name))
        for service in services_of(name).values():
            yield from (key for key, value in service.get("environment", {}).items() if value is None)


@pytest.mark.parametrize("service", OURS)
def test_every_setting_reaches_every_command(service: str) -> None:
    """`check` says what is set, in whichever container it is asked; a setting that is forgotten here cannot be set."""
    given = set(services_of("compose.yaml")[service]["environment"])
    known = {field.upper() for field in Settings.model_fields}

    assert known - FIXED - given == set()
    assert given - known == (BUCKETS if service in ("api", "console", "worker") else set())


def test_every_setting_of_the_node_reaches_freeswitch() -> None:
    """freeswitch-conf reads the environment of the container."""
    given = set(services_of("compose.yaml")["freeswitch"]["environment"])

    assert len(settings_of_nodes()) > 5
    assert settings_of_nodes() - FIXED - given == set()
    assert given - settings_of_nodes() == set()


def test_every_setting_is_in_the_readmes() -> None:
    """README.md's table has the product's own, docker/README.md's what can be set in .env, and nothing else."""
    product = (REPOSITORY / "README.md").read_text("utf-8")

    assert settings_in(product, "| Setting |") == {field.upper() for field in Settings.model_fields}
    assert settings_in(text_of("README.md"), "| Variable |") == set(taken())


def test_every_setting_of_the_node_is_in_its_readme() -> None:
    """freeswitch-conf/README.md's table."""
    document = (NODE_CONFIGURATION / "README.md").read_text("utf-8")

    assert settings_in(document, "| Variable |") == settings_of_nodes()


@pytest.mark.parametrize(
    ("service", "file"),
    [*((name, "compose.yaml") for name in SERVICES), *((name, "compose.metrics.yaml") for name in METRICS)],
)
def test_no_container_has_more_than_it_needs(service: str, file: str) -> None:
    """No capabilities and no way back to them, nothing to write to but memory and volumes, bounds on memory, processes
    and threads."""
    asked = services_of(file)[service]

    assert asked["cap_drop"] == ["ALL"]
    assert asked.get("cap_add", []) == (["SYS_NICE"] if service == "freeswitch" else [])
    assert asked["security_opt"] == ["no-new-privileges:true"]
    assert asked["read_only"] is True
    assert set(asked["deploy"]["resources"]["limits"]) == {"memory", "pids"}
    assert all("size=" in mount for mount in asked.get("tmpfs", []))


@pytest.mark.parametrize("file", FILES)
def test_no_read_only_container_has_a_secret_that_is_no_file(file: str) -> None:
    """Compose copies any other into the container, which then does not start."""
    known = yaml.load(text_of(file), _Loader).get("secrets", {})  # noqa: S506 - a SafeLoader of our own
    asked = {name for service in services_of(file).values() for name in service.get("secrets", [])}

    assert asked == set(known)
    assert [name for name, secret in known.items() if set(secret) != {"file"}] == []


@pytest.mark.parametrize("service", OURS)
def test_a_secret_that_is_in_a_file_is_in_no_variable(service: str) -> None:
    """The variable would come first, and be shown by `docker inspect`; the file is where the setting says it is."""
    asked = services_of("compose.secrets.yaml")[service]
    given = asked["environment"]
    in_files = {name.removesuffix("_FILE"): value for name, value in given.items() if name.endswith("_FILE")}

    assert in_files == {name.upper(): f"/run/secrets/{name}" for name in asked["secrets"]}
    assert {name for name, value in given.items() if value is None} == set(in_files)
    assert set(in_files) <= {field.upper() for field in Settings.model_fields}


def test_no_option_of_redis_is_given_twice() -> None:
    """The last one would win, and the first would be what people read."""
    options = [word for word in services_of("compose.yaml")["redis"]["command"] if word.startswith("--")]

    assert len(options) == len(set(options)) > 3


def test_images_are_named_by_the_operator() -> None:
    """With a digest, which no file of ours could know: there is no default that would be taken without one."""
    files = ("compose.yaml", "compose.metrics.yaml")
    images = [service["image"] for file in files for service in services_of(file).values()]
    images += re.findall(r"BASE_IMAGE: (\S+)", text_of("compose.yaml"))

    foreign = [image for image in images if "ORCHESTRATOR_IMAGE" not in image]
    assert len(foreign) == 5
    assert all(re.match(r"\$\{[A-Z_]+:\?", image) for image in foreign)


def test_redis_is_neither_open_nor_published() -> None:
    """Its password is required, in no program's arguments, and in the URL of everybody who asks it."""
    services = services_of("compose.yaml")
    redis = services["redis"]

    assert "requirepass $$REDISCLI_AUTH" in redis["entrypoint"][2]
    assert redis["environment"]["REDISCLI_AUTH"] == "${REDIS_PASSWORD}"
    assert "ports" not in redis
    assert redis["networks"] == ["state"]
    assert "networks" not in services["freeswitch"]
    for service in OURS:
        for name in ("REDIS_URL", "QUEUE_REDIS_URL"):
            assert re.match(r"redis://:\$\{REDIS_PASSWORD\b", services[service]["environment"][name])


def test_the_image_of_freeswitch_has_a_package_for_each_module() -> None:
    """docker/freeswitch/Dockerfile, of SignalWire's packages: what freeswitch-conf loads, and nothing else."""
    modules = (NODE_CONFIGURATION / "autoload_configs" / "modules.conf.xml").read_text("utf-8")
    loaded = set(re.findall(r'<load module="mod_(\w+)"', modules))
    installed = set(re.findall(r"freeswitch-mod-([\w-]+)", text_of("freeswitch/Dockerfile")))

    assert len(loaded) > 10
    assert {name.replace("-", "_") for name in installed} == loaded


def test_the_token_of_the_image_of_freeswitch_is_in_no_layer() -> None:
    """A build secret, and what is written with it is gone in the same step."""
    text = text_of("freeswitch/Dockerfile")

    assert text.count("RUN ") == 1
    assert "--mount=type=secret,id=signalwire_token,required=true" in text
    assert "ARG TOKEN" not in text
    assert "rm --force /etc/apt/auth.conf.d/freeswitch.conf" in text


def test_the_proxy_says_who_asks_wherever_it_passes_something_on() -> None:
    """A client's own X-Forwarded-For would be believed, for the proxy's address is a trusted one."""
    passing = [block for block in text_of("proxy/nginx.conf").split("location ")[1:] if "proxy_pass " in block]

    assert len(passing) == 2
    for block in passing:
        assert "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;" in block
        assert "proxy_set_header X-Forwarded-Proto $scheme;" in block


def test_a_unit_of_systemd_runs_what_a_container_runs() -> None:
    """With no more rights, and time to finish what is under way."""
    unit = text_of("systemd/orchestrator@.service")

    for line in ("ProtectSystem=strict", "NoNewPrivileges=yes", "CapabilityBoundingSet=", "TimeoutStopSec=30"):
        assert f"\n{line}\n" in unit
    assert "ExecStart=/opt/orchestrator/bin/orchestrator %i\n" in unit


@pytest.mark.parametrize("service", OURS)
def test_every_process_of_ours_has_its_health_looked_at(service: str) -> None:
    """By compose: an image in OCI's format, as Podman and Buildah make it, has no HEALTHCHECK. What is asked is the
    image's own program, and it knows the command."""
    asked = services_of("compose.yaml")[service]
    program = asked["healthcheck"]["test"]
    (text,) = re.findall(r"HEALTHCHECK .*\\\n +CMD (\[.*\])", text_of("Dockerfile"))

    assert program == ["CMD", *yaml.safe_load(text)]
    assert f"COPY docker/healthcheck.py {program[-1]}\n" in text_of("Dockerfile")
    assert f'b"{asked["command"][0]}": ' in text_of("healthcheck.py")


def test_the_health_check_of_freeswitch_names_a_module_that_is_missing() -> None:
    """Every module that calls need, of those that freeswitch-conf loads."""
    check = services_of("compose.yaml")["freeswitch"]["healthcheck"]["test"][1]
    (named,) = re.findall(r"for module in ([^;]+);", check)
    modules = (NODE_CONFIGURATION / "autoload_configs" / "modules.conf.xml").read_text("utf-8")
    loaded = set(re.findall(r'<load module="mod_(\w+)"', modules))

    assert loaded - set(named.split()) == {"console", "event_socket", "logfile"}
    assert set(named.split()) <= loaded
    assert {f"mod_{name}" for name in named.split()} >= set(MODULES)
