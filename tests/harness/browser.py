"""A browser at the end of two pipes: Chromium, told what to do in its DevTools protocol, JSON with a NUL behind it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
from types import TracebackType
from typing import Any, Final, Self

from tests.harness.polling import eventually

CHROMIUM: Final = shutil.which("chromium")

FLAGS: Final = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required",
    "--remote-debugging-pipe",
)  # fmt: skip

SEEK: Final = """(async () => {
    const player = document.querySelector('video, audio'), wait = ms => new Promise(done => setTimeout(done, ms));
    player.muted = true;
    await player.play();
    await wait(400);
    const before = player.currentTime, sought = new Promise(done => player.addEventListener('seeked', done));
    player.currentTime = player.duration / 2;
    await sought;
    const from = player.currentTime;
    await wait(600);
    return {before, from, after: player.currentTime, duration: player.duration};
})()"""
"""Play for a moment, go to the middle, play on: where it was each time, in seconds."""


class Browser:
    """One page. `ranges`: the Content-Range of what came with 206, by URL, in order."""

    def __init__(self) -> None:
        assert CHROMIUM is not None
        self.ranges: list[tuple[str, str]] = []
        self._home = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        commands, self._say = os.pipe()
        self._hear, answers = os.pipe()
        redirected = f'exec 3<&{commands} 4>&{answers}; exec "$@"'
        self._process = subprocess.Popen(
            ["/bin/bash", "-c", redirected, "bash", CHROMIUM, *FLAGS, f"--user-data-dir={self._home.name}"],
            pass_fds=(commands, answers),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(commands)
        os.close(answers)
        self._buffer, self._count, self._session = b"", 0, ""

    def __enter__(self) -> Self:
        (page,) = (one for one in self.do("Target.getTargets")["targetInfos"] if one["type"] == "page")
        self._session = self.do("Target.attachToTarget", targetId=page["targetId"], flatten=True)["sessionId"]
        self.do("Network.enable")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        os.close(self._say)
        os.close(self._hear)
        self._home.cleanup()

    def play_and_seek(self, url: str) -> dict[str, float]:
        """What SEEK says of the player that the browser shows a file in."""
        self.do("Page.navigate", url=url)
        is_ready = "(document.querySelector('video, audio') || {}).duration > 0"
        eventually(lambda: self._evaluate(is_ready) is True, f"{url} can be played")
        found: dict[str, float] = self._evaluate(SEEK)
        return found

    def _evaluate(self, script: str) -> Any:
        answer = self.do("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        return answer["result"].get("value")

    def do(self, method: str, **parameters: Any) -> Any:
        """One command of https://chromedevtools.github.io/devtools-protocol."""
        self._count += 1
        asked = {"id": self._count, "method": method, "params": parameters}
        if self._session:
            asked["sessionId"] = self._session
        os.write(self._say, json.dumps(asked).encode() + b"\0")
        while (answer := self._read()).get("id") != self._count:
            self._note(answer)
        assert "error" not in answer, answer["error"]
        return answer["result"]

    def _note(self, event: dict[str, Any]) -> None:
        if event.get("method") == "Network.responseReceived":
            response = event["params"]["response"]
            if response["status"] == 206:
                headers = {name.lower(): value for name, value in response["headers"].items()}
                self.ranges.append((response["url"], headers["content-range"]))

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            data = os.read(self._hear, 1 << 16)
            assert data, "the browser has gone"
            self._buffer += data
        text, _, self._buffer = self._buffer.partition(b"\0")
        found: dict[str, Any] = json.loads(text)
        return found
