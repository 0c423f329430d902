"""The console in a real browser: a conference appears, changes and ends before an operator's eyes, who does it all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.store.connection import connect
from orchestrator.store.receivers import ReceiverStore
from tests.harness.freeswitch import REPOSITORY
from tests.harness.polling import eventually
from tests.harness.receiver import Receiver
from tests.harness.stack import Process, Stack, free_port

sync_api = pytest.importorskip("playwright.sync_api", reason="make browser")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
AXE = REPOSITORY / "var" / "browser" / "node_modules" / "axe-core" / "axe.min.js"
EVIL = "<img src=x onerror=alert(1)>"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]

pytestmark = pytest.mark.skipif(CHROMIUM is None or not AXE.exists(), reason="make browser")


@pytest.fixture
def console(stack: Stack, tmp_path: Path) -> Iterator[str]:
    """Where a console of this stack listens."""
    bind = f"127.0.0.1:{free_port()}"
    process = Process("console", ["console"], stack.environment | {"CONSOLE_BIND": bind}, tmp_path)
    process.start()
    try:
        eventually(lambda: "console_starting" in process.log(), "the console is up")
        yield f"http://{bind}"
    finally:
        process.kill_9()


@pytest.fixture
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


class Eyes:
    """A page, and what its browser complains of."""

    def __init__(self, page: Any, pictures: Path | None) -> None:
        self.page = page
        self.complaints: list[str] = []
        self._pictures = pictures
        page.on(
            "console", lambda line: self.complaints.append(line.text) if line.type in ("error", "warning") else None
        )
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _hear(self, line: Any) -> None:
        if line.type in ("error", "warning"):
            self.complaints.append(line.text)

    def sees(self, text: str) -> None:
        self.page.locator("main", has_text=text).first.wait_for(timeout=5_000)

    def check(self, name: str = "") -> None:
        """Nothing keeps anybody out, by axe's rules; and a picture, if they are wanted."""
        self.page.evaluate(AXE.read_text())
        found = self.page.evaluate(f"axe.run(document, {{runOnly: {RULES}}})")
        assert [(one["id"], one["nodes"][0]["html"]) for one in found["violations"]] == []
        if name and self._pictures is not None:
            self.page.screenshot(path=self._pictures / name)

    def does(self, link: str) -> None:
        """Follow a link of an action, and say yes."""
        self.page.click(link)
        self.check()
        self.page.click("main button.act")


def test_an_operator_sees_and_does_it_all(stack: Stack, console: str, browser: Any) -> None:
    """What happens is seen within a second of it; a label that is HTML stays text; each action is done and noted; no
    page keeps anybody out, has a script of its own, or complains."""
    pictures = Path(os.environ["PICTURES"]) if "PICTURES" in os.environ else None
    eyes = Eyes(browser.new_page(viewport={"width": 1200, "height": 900}), pictures)
    eyes.page.goto(console)
    alone = stack.call_settings(to="+15550002001")
    people = stack.client().conferences("Seen by operators").participants
    alice, evil = people.create(label="alice", **alone), people.create(label=EVIL, **alone)
    sid = alice.conference_sid

    eyes.page.wait_for_selector(f"#{sid}", timeout=5_000)
    eyes.sees("in-progress")
    eyes.sees(EVIL)
    assert eyes.page.locator("main img").count() == 0
    eyes.check("console.png")
    eyes.page.click(f"#{sid}")
    eyes.sees("participant-join")
    eyes.check()
    eyes.does(f"#mute-{alice.call_sid}")
    eyes.sees("Unmute")
    eventually(lambda: stack.client().conferences(sid).participants(alice.call_sid).fetch().muted, "she is muted")
    eyes.sees("participant-mute")
    eyes.check("console-conference.png")
    eyes.does(f"#mute-{alice.call_sid}")
    eventually(lambda: not stack.client().conferences(sid).participants(alice.call_sid).fetch().muted, "she is heard")
    eyes.sees("talking")
    eyes.does(f"#remove-{evil.call_sid}")
    eyes.sees("ended: completed")
    eyes.does("#end")
    eyes.sees("conference ended")
    eyes.page.fill("#q", alice.call_sid)
    eyes.page.press("#q", "Enter")
    eyes.sees("conference ended")
    assert eyes.page.url == f"{console}/conferences/{sid}"
    eyes.page.goto(console)
    eyes.does(f"#suspend-{stack.account_sid}")
    eyes.sees("suspended")
    eyes.does(f"#admit-{stack.account_sid}")
    eyes.sees("active")
    eyes.does("#cordon-fs1")
    eyes.sees("cordoned")
    eyes.does("#uncordon-fs1")
    eyes.page.goto(f"{console}/audit")
    for action in ("cordon", "mute", "unmute", "remove", "end", "suspend", "admit"):
        eyes.sees(action)
    eyes.check()
    assert eyes.complaints == []


def test_an_operator_has_dead_letters_sent_again_and_a_receiver_tried_again(
    stack: Stack, console: str, browser: Any
) -> None:
    """What was given up comes when its receiver has changed its mind; one that is paused is paused no more."""
    eyes = Eyes(browser.new_page(viewport={"width": 1200, "height": 900}), None)
    receiver, account_sid = Receiver(stack.auth_token, lambda _: 410), stack.account_sid
    receiver.start()
    settings = stack.call_settings(to="+15550002001", conference_status_callback=receiver.url())
    sid = stack.client().conferences("Given up").participants.create(label="alice", **settings).conference_sid
    receiver.await_kind(sid, "participant-join")
    eyes.page.goto(f"{console}/conferences/{sid}")
    eyes.sees("dead: http-410")
    receiver.answer = lambda _: 200
    receiver.received.clear()
    eyes.page.goto(console)
    eyes.does(f"#replay-{account_sid}")
    receiver.await_kind(sid, "participant-join")

    store = ReceiverStore(connect(stack.environment["REDIS_URL"]))
    store.save_failure(account_sid, "h:80", 0, 1)
    for number in range(25):
        store.save_failure(account_sid, "h:80", number, 120_000 + number)
    eyes.page.goto(console)
    eyes.does(f'a[id^="resume-{account_sid}-"]:has-text("h:80")')
    eventually(lambda: store.load_receiver(account_sid, "h:80") is None, "it is not known to fail any more")
    eyes.page.goto(f"{console}/audit")
    for action in ("replay", "resume"):
        eyes.sees(action)
    stack.client().conferences(sid).update(status="completed")
    receiver.await_kind(sid, "conference-end")
    receiver.stop()
    assert eyes.complaints == []


def test_it_is_usable_on_a_phone_in_the_dark_and_by_keyboard(stack: Stack, console: str, browser: Any) -> None:
    """Nothing is wider than the screen; everything is reached by Tab, the content first."""
    eyes = Eyes(browser.new_page(viewport={"width": 390, "height": 800}, color_scheme="dark"), None)
    eyes.page.goto(console)
    eyes.check()
    eyes.page.keyboard.press("Tab")
    first = eyes.page.evaluate("document.activeElement.textContent")
    for _ in range(20):
        eyes.page.keyboard.press("Tab")
        if eyes.page.evaluate("document.activeElement.id") == f"suspend-{stack.account_sid}":
            break
    else:
        raise AssertionError("the account's action cannot be reached by Tab")

    assert first == "To the content"
    assert eyes.page.evaluate("document.documentElement.scrollWidth") == 390
    eyes.page.keyboard.press("Enter")
    eyes.sees("Refuse all requests")
    assert eyes.complaints == []
