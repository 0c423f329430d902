"""What operators saw of a run of chaos: every panel of the board has to show figures; which alerts fired is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.harness.polling import eventually
from tests.harness.prometheus import PROMETHEUS, Prometheus, WatchedConsole, board_expressions
from tests.harness.stack import Stack


@contextmanager
def watched(stack: Stack, folder: Path) -> Iterator[None]:
    """A console of this stack, and a Prometheus that reads it, for as long as this lasts."""
    if PROMETHEUS is None:
        print("no prometheus was found: nobody looks at the board")
        yield
        return
    console = WatchedConsole(stack, stack.directory)
    prometheus = Prometheus(console, folder)
    console.start()
    prometheus.start()
    try:
        eventually(lambda: prometheus.series("orchestrator_processes"), "Prometheus has figures", 60)
        yield
        print(_told(prometheus), flush=True)
    finally:
        prometheus.kill_9()
        console.kill_9()


def _told(prometheus: Prometheus) -> str:
    """The range is the run's: panels show rates of minutes, and whoever looks sees its peak."""
    expressions = board_expressions()
    peaks = {one: prometheus.shown(f"max_over_time(({one})[1h:5s])") for one in expressions}
    empty = [one for one, values in peaks.items() if not values]
    fired = ", ".join(f"{name} {seconds} s" for name, seconds in sorted(prometheus.fired().items()))
    return "\n".join(
        (
            f"the board: {len(expressions) - len(empty)} of {len(expressions)} expressions showed figures",
            *(f"    nothing for {one}" for one in empty),
            f"alerts that fired (`for` left out): {fired or 'none'}",
        )
    )
