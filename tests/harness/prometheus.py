"""A live Prometheus (Debian: prometheus) with the files of docker/metrics, which reads a console every second.

console = WatchedConsole(stack, directory)
prometheus = Prometheus(console, directory)
assert prometheus.shown("orchestrator_node_up") == ["1"]
"""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from tests.harness.freeswitch import REPOSITORY
from tests.harness.stack import Process, Stack, free_port

PROMETHEUS: Final = shutil.which("prometheus")
FOLDER: Final = REPOSITORY / "docker" / "metrics"
TOKEN: Final = "t" * 48


def board_expressions() -> list[str]:
    """What the panels of the Grafana board ask."""
    board = json.loads((FOLDER / "board.json").read_text("utf-8"))
    return [target["expr"] for panel in board["panels"] for target in panel.get("targets", ())]


class WatchedConsole(Process):
    """The console of a stack, for whoever has the token."""

    def __init__(self, stack: Stack, directory: Path) -> None:
        self.bind = f"127.0.0.1:{free_port()}"
        own = {"CONSOLE_BIND": self.bind, "CONSOLE_TOKEN": TOKEN}
        super().__init__("console", ["console"], stack.environment | own, directory)


class Prometheus:
    """`sooner` is alert -> its bound, and the one here; `for` is left out of all: nobody waits for minutes."""

    def __init__(
        self, console: WatchedConsole, directory: Path, sooner: Mapping[str, tuple[str, str]] | None = None
    ) -> None:
        self._console, self._directory, self._sooner = console, directory, sooner or {}
        self._bind = f"127.0.0.1:{free_port()}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Write its files, and start it; it has figures some seconds later."""
        (self._directory / "token").write_text(TOKEN)
        (self._directory / "alerts.yml").write_text(yaml.safe_dump(self._rules()))
        (self._directory / "prometheus.yml").write_text(yaml.safe_dump(self._settings()))
        with (self._directory / "prometheus.log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    str(PROMETHEUS),
                    f"--config.file={self._directory / 'prometheus.yml'}",
                    f"--storage.tsdb.path={self._directory / 'prometheus'}",
                    f"--web.listen-address={self._bind}",
                ],
                stdout=log,
                stderr=log,
            )

    def kill_9(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _rules(self) -> Any:
        rules = yaml.safe_load((FOLDER / "alerts.yml").read_text("utf-8"))
        for rule in rules["groups"][0]["rules"]:
            rule.pop("for", None)
            bound, sooner = self._sooner.get(rule["alert"], ("", ""))
            assert bound in rule["expr"]
            rule["expr"] = rule["expr"].replace(bound, sooner) if bound else rule["expr"]
        return rules

    def _settings(self) -> Any:
        settings = yaml.safe_load((FOLDER / "prometheus.yml").read_text("utf-8"))
        settings["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
        settings["rule_files"] = [str(self._directory / "alerts.yml")]
        (job,) = settings["scrape_configs"]
        job["authorization"]["credentials_file"] = str(self._directory / "token")
        job["static_configs"] = [{"targets": [self._console.bind]}]
        return settings

    def _ask(self, path: str) -> Any:
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(f"http://{self._bind}/api/v1/{path}", timeout=5) as answer,
        ):
            return json.load(answer)["data"]
        return {}

    def firing(self, name: str) -> list[dict[str, str]]:
        """The labels with which an alert fires now."""
        alerts = self._ask("alerts").get("alerts", [])
        return [one["labels"] for one in alerts if one["labels"]["alertname"] == name and one["state"] == "firing"]

    def series(self, selector: str) -> list[dict[str, str]]:
        """Those that Prometheus has."""
        found: list[dict[str, str]] = self._ask(f"series?match[]={urllib.parse.quote(selector)}")
        return found

    def shown(self, expression: str) -> list[str]:
        """What a panel with this expression shows now."""
        rows = self._ask(f"query?query={urllib.parse.quote(expression)}").get("result", [])
        return [row["value"][1] for row in rows if row["value"][1] != "NaN"]

    def fired(self) -> dict[str, int]:
        """Alert -> for how many seconds it has fired since the start."""
        query = 'count_over_time(ALERTS{alertstate="firing"}[1h])'
        rows = self._ask(f"query?query={urllib.parse.quote(query)}").get("result", [])
        seconds: dict[str, int] = {}
        for row in rows:
            name = row["metric"]["alertname"]
            seconds[name] = max(seconds.get(name, 0), int(row["value"][1]))
        return seconds
