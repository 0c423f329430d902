"""`python -m tests.bench.timed_metrics PATH work …`: an `orchestrator` command that writes into a file, each time that
it reports, how much CPU time its metrics have taken, and how much all. What the clock itself takes counts as theirs.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402 - gevent patches first
import sys  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import prometheus_client  # noqa: E402
from prometheus_client.metrics import MetricWrapperBase  # noqa: E402

from orchestrator import cli, metrics  # noqa: E402

path, *arguments = sys.argv[1:]
spent = 0.0


def timed(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*given: Any, **named: Any) -> Any:
        global spent  # noqa: PLW0603 - one process, one sum
        began = time.thread_time()
        try:
            return function(*given, **named)
        finally:
            spent += time.thread_time() - began

    return call


def written(function: Callable[[], str]) -> Callable[[], str]:
    def call() -> str:
        text = function()
        Path(path + ".new").write_text(json.dumps({"metrics": spent, "all": time.process_time()}), "utf-8")
        Path(path + ".new").rename(path)
        return text

    return call


MetricWrapperBase.labels = timed(MetricWrapperBase.labels)  # type: ignore[method-assign]
prometheus_client.Counter.inc = timed(prometheus_client.Counter.inc)  # type: ignore[method-assign]
prometheus_client.Histogram.observe = timed(prometheus_client.Histogram.observe)  # type: ignore[method-assign]
metrics.exposition = written(timed(metrics.exposition))
sys.exit(cli.main(arguments))
