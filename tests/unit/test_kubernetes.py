"""The example for Kubernetes: what runs there is given what compose gives it. No cluster has seen it."""

from __future__ import annotations

import re
from typing import Any, Final

import pytest
import yaml

from orchestrator.settings import Settings
from tests.harness.freeswitch import NODE_CONFIGURATION
from tests.unit.test_compose import services_of, text_of

CONTAINERS: Final = {"api": "api", "console": "console", "detect": "detector", "listen": "listener", "work": "worker"}
"""Of Kubernetes, and what compose calls them."""


def items_of(kind: str) -> list[dict[str, Any]]:
    return [item for item in yaml.safe_load(text_of("kubernetes.yaml"))["items"] if item["kind"] == kind]


def pods() -> list[dict[str, Any]]:
    return [item["spec"]["template"]["spec"] for kind in ("DaemonSet", "Deployment") for item in items_of(kind)]


def container(name: str) -> dict[str, Any]:
    (found,) = (one for pod in pods() for one in pod["containers"] if one["name"] == name)
    return dict(found)


def secret_names() -> set[str]:
    """What the head says that the Secret has."""
    return set(re.findall(r"^#     ([A-Z_]+) ", text_of("kubernetes.yaml"), re.MULTILINE))


def mounts_of(one: dict[str, Any]) -> set[str]:
    return {mount["mountPath"] for mount in one["volumeMounts"]}


@pytest.mark.parametrize("name", CONTAINERS)
def test_our_processes_get_what_compose_gives_them(name: str) -> None:
    """Its fixed values, and all that it requires; nothing that no process knows."""
    one, theirs = container(name), services_of("compose.yaml")[CONTAINERS[name]]
    (settings,) = (item["data"] for item in items_of("ConfigMap"))
    fixed = {key: value for key, value in theirs["environment"].items() if value is not None and "${" not in value}

    assert one["args"] == theirs["command"]
    assert one["envFrom"] == [{"configMapRef": {"name": "orchestrator"}}, {"secretRef": {"name": "orchestrator"}}]
    assert {key: settings[key] for key in fixed} == fixed
    required = {key for key, value in theirs["environment"].items() if value is not None}
    assert required - set(settings) - secret_names() == set()
    assert set(settings) | secret_names() <= {field.upper() for field in Settings.model_fields}
    assert one["livenessProbe"]["exec"]["command"] == theirs["healthcheck"]["test"][1:]


def test_freeswitch_gets_what_compose_gives_it() -> None:
    """Its settings, its command, its whole configuration and its check; and of secrets its password only."""
    one, theirs = container("freeswitch"), services_of("compose.yaml")["freeswitch"]
    given = {row["name"]: row for row in one["env"]}

    assert set(given) == set(theirs["environment"])
    assert given["FREESWITCH_ESL_ACL"]["value"] == theirs["environment"]["FREESWITCH_ESL_ACL"]
    assert given["FREESWITCH_ESL_ADDRESS"]["valueFrom"] == {"fieldRef": {"fieldPath": "status.hostIP"}}
    assert "envFrom" not in one
    assert one["command"] == theirs["entrypoint"]
    assert one["readinessProbe"]["exec"]["command"][2] == theirs["healthcheck"]["test"][1].replace("$$", "$")
    volumes = {volume["name"]: volume for volume in pods()[0]["volumes"]}
    paths = {row["path"] for row in volumes["conf"]["configMap"]["items"]}
    assert paths == {str(path.relative_to(NODE_CONFIGURATION)) for path in NODE_CONFIGURATION.rglob("*.xml")}
    in_memory = {mount.partition(":")[0] for mount in theirs["tmpfs"]}
    assert mounts_of(one) == in_memory | {mount.removesuffix(":ro").rpartition(":")[2] for mount in theirs["volumes"]}


def test_a_detector_is_beside_each_switch_and_reads_what_it_writes() -> None:
    """It listens to that node only."""
    (pod,) = (pod for pod in pods() if pod["containers"][0]["name"] == "freeswitch")
    mounted = [
        {mount["name"] for mount in one["volumeMounts"] if mount["mountPath"] == "/run/detection"}
        for one in pod["containers"]
    ]

    assert [one["name"] for one in pod["containers"]] == ["freeswitch", "detect"]
    assert mounted == [{"detection"}, {"detection"}]
    own = {row["name"]: row.get("value") for row in container("detect")["env"]}
    assert own["FREESWITCH_NODES"] == "$(HOST_NAME)=$(HOST_ADDRESS):8021"


def test_no_pod_has_more_than_it_needs_and_may_write_where_it_has_to() -> None:
    """A new volume is root's, and our image is not: the group is what both share."""
    for pod in pods():
        assert pod["securityContext"]["fsGroup"] == 10001
        names = {volume["name"] for volume in pod["volumes"]}
        for one in pod["containers"]:
            confined = one["securityContext"]
            assert confined["capabilities"]["drop"] == ["ALL"]
            assert confined["readOnlyRootFilesystem"] is True
            assert confined["allowPrivilegeEscalation"] is False
            assert confined["runAsUser"] == (0 if one["name"] == "freeswitch" else 10001)
            assert {mount["name"] for mount in one["volumeMounts"]} & {"tmp", "switch-tmp"}
            assert {mount["name"] for mount in one["volumeMounts"]} <= names
            assert one["resources"]["limits"]["memory"]
