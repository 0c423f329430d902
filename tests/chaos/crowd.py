"""Conferences come and go while the workers, the listener and Redis are killed with -9 at random moments.

Each round: CONFERENCES conferences of PEOPLE people in the sandbox; everybody joins, is muted, and is gone at the end.
Then every lane has to be whole: numbers without a gap, in order, one join and one leave for each, the end last.
Callbacks that came twice are counted; they must carry the token of the first.
"""

from __future__ import annotations

import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests

from tests.bench.receiver_process import FastReceiver
from tests.harness.freeswitch import FarEnd
from tests.harness.polling import eventually
from tests.harness.stack import Stack


class Killer:
    """Kills one of the parts every second or so, and starts it again.

    On the main thread: the kernel ends a child of ours together with the thread that started it.
    """

    def __init__(self, stack: Stack, seed: int) -> None:
        self._stack = stack
        self._random = random.Random(seed)  # noqa: S311 - chance, not secrets
        self.kills: dict[str, int] = defaultdict(int)

    def run(self, is_over: Callable[[], bool]) -> None:
        while not is_over():
            time.sleep(self._random.uniform(0.5, 2.5))
            victim = self._random.choice(["worker", "listener", "redis"])
            self.kills[victim] += 1
            if victim == "redis":
                self._stack.redis.kill_9()
                time.sleep(self._random.uniform(0.0, 0.5))
                self._stack.redis.start()
                continue
            process = self._stack.listener if victim == "listener" else self._random.choice(self._stack.workers)
            process.kill_9()
            time.sleep(self._random.uniform(0.0, 1.0))
            process.start()


class App:
    """A tenant's app that tries again when it is told 503 or 429, as an SDK's user would."""

    def __init__(self, stack: Stack, receiver: FastReceiver) -> None:
        self._base = f"{stack.base_url}/2010-04-01/Accounts/{stack.account_sid}/Conferences"
        self._local = threading.local()
        self._auth = (stack.account_sid, stack.auth_token)
        self._receiver = receiver

    def _request(self, method: str, path: str, form: dict[str, str] | None = None) -> requests.Response:
        session = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = requests.Session()
            session.auth = self._auth
        deadline = time.monotonic() + 60
        told: dict[str, int] = defaultdict(int)
        while True:
            try:
                answer: requests.Response = session.request(method, f"{self._base}{path}", data=form, timeout=10)
                if answer.status_code not in (429, 503):
                    return answer
                told[f"{answer.status_code} {answer.text[:120]}"] += 1
            except requests.ConnectionError as error:
                told[type(error).__name__] += 1
            if time.monotonic() > deadline:
                raise TimeoutError(f"{method} {path}: told {dict(told)}")
            time.sleep(0.05)

    def run_conference(self, name: str, people: int) -> tuple[str, set[str]]:
        """Fill it, mute everybody, end it; returns its SID and the CallSids that were promised (201)."""
        form = {
            "From": "+15550009999",
            "To": FarEnd.ANSWERS,
            "ConferenceStatusCallback": self._receiver.url(),
            "ConferenceStatusCallbackEvent": "start end join leave mute",
        }
        answers = []
        for number in range(people):
            answer = self._request("POST", f"/{name}/Participants.json", {**form, "Label": f"p{number}"})
            if answer.status_code == 400 and answer.json()["code"] == 16026:
                continue  # an earlier try was told 503 and has been made all the same
            assert answer.status_code == 201, answer.text
            answers.append(answer.json())
        sid = str(answers[0]["conference_sid"])
        for number in range(people):
            self._request("POST", f"/{sid}/Participants/p{number}.json", {"Muted": "true"})
        while self._request("POST", f"/{sid}.json", {"Status": "completed"}).json().get("status") != "completed":
            pass
        return sid, {str(answer["call_sid"]) for answer in answers}


def check(
    rows: list[dict[str, Any]], promised: dict[str, set[str]], told_anew: set[str] | None = None
) -> tuple[int, int]:
    """Returns how many callbacks came, and how many of them again. Raises AssertionError at the first broken lane.
    `told_anew` gets the conferences of which an event came with another token; without, that is an error, too."""
    lanes: dict[str, dict[int, dict[str, Any]]] = defaultdict(dict)
    last_new: dict[str, int] = defaultdict(int)
    again = 0
    for row in rows:
        sid, number = row["ConferenceSid"], int(row["SequenceNumber"])
        if number in lanes[sid]:
            if lanes[sid][number]["token"] != row["token"]:
                assert told_anew is not None, f"{sid} {number}: two tokens"
                told_anew.add(sid)
            again += 1
            continue
        assert number == last_new[sid] + 1, f"{sid}: {number} after {last_new[sid]}"
        last_new[sid] = number
        lanes[sid][number] = row
    for sid, calls in promised.items():
        events = [lanes[sid][number] for number in sorted(lanes[sid])]
        assert events[-1]["StatusCallbackEvent"] == "conference-end", f"{sid}: no end"
        joined = [e["CallSid"] for e in events if e["StatusCallbackEvent"] == "participant-join"]
        left = [e["CallSid"] for e in events if e["StatusCallbackEvent"] == "participant-leave"]
        assert len(set(joined)) == len(joined), f"{sid}: joined twice"
        assert len(set(left)) == len(left), f"{sid}: left twice"
        assert set(joined) <= set(left), f"{sid}: a join without a leave"
        assert calls <= set(left), f"{sid}: promised, and never heard of"
    return len(rows), again


def play(stack: Stack, receiver: FastReceiver, number: int, conferences: int, people: int) -> str:
    """One round; returns a line about it."""
    receiver.forget()
    killer = Killer(stack, number)
    app = App(stack, receiver)
    started = time.monotonic()
    with ThreadPoolExecutor(16) as pool:
        running = [pool.submit(app.run_conference, f"chaos-{number}-{k}", people) for k in range(conferences)]
        killer.run(lambda: all(future.done() for future in running))
    promised = dict(future.result() for future in running)
    wanted = set(promised)

    def all_ended() -> bool:
        ended = {r["ConferenceSid"] for r in receiver.seen() if r["StatusCallbackEvent"] == "conference-end"}
        missing = wanted - ended
        assert not missing, f"{len(missing)} lanes without an end, {sorted(missing)[:2]}"
        return True

    eventually(all_ended, "every lane has its end", 120)
    came, again = check(receiver.seen(), promised)
    kills = ", ".join(f"{count} {what}" for what, count in sorted(killer.kills.items()))
    took = time.monotonic() - started
    people_in = sum(len(calls) for calls in promised.values())
    whole = f"{people_in:,} people, {came:,} callbacks whole and in order, {again} twice"
    return f"round {number}: {whole}; killed: {kills}; {took:.0f} s"
