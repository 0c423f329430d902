"""The alert rules and the board: each alert fires when its thing is broken, and only then; figures that they name are
figures that there are. promtool judges (Debian: prometheus)."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
import redis
import yaml

from orchestrator import metrics
from orchestrator.freeswitch.addresses import NodeAddress
from orchestrator.listener.listener import Listener
from tests.harness.prometheus import FOLDER, board_expressions
from tests.unit.console.test_console import make_console

PROMTOOL = shutil.which("promtool")
RULES: list[dict[str, Any]] = yaml.safe_load((FOLDER / "alerts.yml").read_text("utf-8"))["groups"][0]["rules"]

Broken = tuple[dict[str, str], dict[str, str]]


def _late(name: str, labels: str, below: str, above: str) -> dict[str, str]:
    """A histogram all of whose observations are between two bounds."""
    rows = {below: "0+0x40", above: "0+10x40", "+Inf": "0+10x40"}
    comma = "," if labels else ""
    return {f'orchestrator_{name}_bucket{{{labels}{comma}le="{bound}"}}': row for bound, row in rows.items()}


FS1 = {"node": "fs1"}
BROKEN: dict[str, Broken] = {
    "ConsoleAway": ({}, {"something_else": "1+0x40"}),
    "NodeAway": (FS1, {'orchestrator_node_up{node="fs1"}': "0+0x40"}),
    "NoWorker": ({"kind": "work"}, {'orchestrator_processes{kind="work"}': "0+0x40"}),
    "NoListener": ({"kind": "listen"}, {'orchestrator_processes{kind="listen"}': "0+0x40"}),
    "NoApi": ({"kind": "api"}, {'orchestrator_processes{kind="api"}': "0+0x40"}),
    "LanesLate": ({"lane": "callbacks"}, {'orchestrator_lanes_late_seconds{lane="callbacks"}': "90+0x40"}),
    "EventsLate": (FS1, _late("event_lag_seconds", 'node="fs1"', "2.0", "5.0")),
    "EventsDropped": (FS1, {'orchestrator_events_dropped_total{node="fs1"}': "0x25 1x15"}),
    "ApiErrors": (
        {},
        {
            'orchestrator_requests_total{status="503"}': "0+1x40",
            'orchestrator_requests_total{status="200"}': "0+10x40",
        },
    ),
    "ApiSlow": ({}, _late("request_seconds", 'route="update_participant"', "1.0", "2.0")),
    "SwitchRefuses": (FS1, {'orchestrator_commands_total{node="fs1",outcome="failed"}': "0+10x40"}),
    "DeadLetters": ({}, {"orchestrator_dead_letters_total": "0x25 1x15"}),
    "ReceiversPaused": ({}, {"orchestrator_receivers_paused": "2+0x40"}),
    "RedisMemory": (
        {},
        {"orchestrator_redis_memory_most_bytes": "100+0x40", "orchestrator_redis_memory_bytes": "90+0x40"},
    ),
    "RedisForgets": ({}, {"orchestrator_redis_appends": "0+0x40"}),
    "RedisSlow": ({}, _late("redis_seconds", "", "0.1", "0.25")),
    "RecordingsFail": ({"status": "failed"}, {'orchestrator_recordings_total{status="failed"}': "0x25 1x15"}),
    "Trouble": (
        {"event": "store_unreachable"},
        {
            'orchestrator_log_lines_total{event="store_unreachable",level="error",instance="a"}': "0+3x40",
            'orchestrator_log_lines_total{event="store_unreachable",level="error",instance="b"}': "_x25 30x15",
        },
    ),
}
"""Alert -> its labels, and the figures (one a minute) of a deployment that has just this trouble."""

HEALTHY = {'orchestrator_processes{kind="console"}': "1+0x40"}


def test_every_alert_is_broken_here() -> None:
    assert [rule["alert"] for rule in RULES] == list(BROKEN)
    assert all(rule["labels"]["severity"] in ("page", "ticket") for rule in RULES)


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not here")
def test_each_alert_fires_when_its_thing_is_broken_and_no_other_does(tmp_path: Path) -> None:
    """By promtool's own engine: half an hour of each trouble."""
    cases = []
    for name, (labels, series) in BROKEN.items():
        given = series if name == "ConsoleAway" else {**HEALTHY, **series}
        expected = [
            {
                "eval_time": "30m",
                "alertname": rule["alert"],
                "exp_alerts": [{"exp_labels": {**labels, **rule["labels"]}}] if rule["alert"] == name else [],
            }
            for rule in RULES
        ]
        rows = [{"series": key, "values": values} for key, values in given.items()]
        cases.append({"interval": "1m", "input_series": rows, "alert_rule_test": expected})
    plain = [{key: value for key, value in rule.items() if key != "annotations"} for rule in RULES]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "all", "rules": plain}]}))
    document = {"rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": cases}
    (tmp_path / "test.yml").write_text(yaml.safe_dump(document))
    for words in (["check", "rules", str(FOLDER / "alerts.yml")], ["test", "rules", str(tmp_path / "test.yml")]):
        done = subprocess.run([str(PROMTOOL), *words], capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr


def test_what_one_event_alerts_of_is_there_before_it(redis_url: str, client: redis.Redis) -> None:
    """At 0, or its first step would be none: an alert on an increase sees no series being born."""
    program = "from orchestrator import metrics; print(metrics.exposition())"
    fresh = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    address, nobody = NodeAddress("fs-new", "127.0.0.1", 1), MagicMock()
    Listener(address, "", nobody, nobody, nobody, nobody, "", nobody)
    deployment = make_console(redis_url, client).web.get("/metrics").text

    assert 'orchestrator_recordings_total{status="failed"} 0.0' in fresh.stdout
    assert 'orchestrator_events_dropped_total{node="fs-new"} 0.0' in metrics.exposition()
    assert "orchestrator_dead_letters_total 0.0" in deployment


def test_every_figure_that_is_named_is_one_that_there_is(redis_url: str, client: redis.Redis) -> None:
    """In a rule, and on the board."""
    there = set(re.findall(r"^# TYPE (\w+)", metrics.exposition(), re.MULTILINE))
    there |= set(re.findall(r"^# TYPE (\w+)", make_console(redis_url, client).web.get("/metrics").text, re.MULTILINE))
    texts = [rule["expr"] for rule in RULES] + board_expressions()
    named = {name for text in texts for name in re.findall(r"\borchestrator_\w+", text)}

    assert len(named) > 15
    assert {re.sub(r"_(bucket|count|sum)$", "", name) for name in named} <= there
