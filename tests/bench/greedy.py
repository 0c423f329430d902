"""A tenant that takes all it can: many connections, each asking again as soon as it is answered. Prints what it got, as
JSON, when it is told to stop."""

from __future__ import annotations

import http.client
import json
import os
import signal
import threading
from base64 import b64encode
from collections import Counter
from urllib.parse import urlencode

CONNECTIONS = 64

HOST, SID, TOKEN = os.environ["GREEDY_HOST"], os.environ["GREEDY_SID"], os.environ["GREEDY_TOKEN"]
API = f"/2010-04-01/Accounts/{SID}"
OWN = f"/v1/Accounts/{SID}"
FORM = {"From": "+15550009999", "To": "+15550004000", "Timeout": "60", "CallToken": "x" * 8_000}
ASKS = (
    ("create", "POST", f"{API}/Conferences/greedy%20{{number}}/Participants.json", FORM),
    ("a filter that matches nothing", "GET", f"{API}/Conferences.json?FriendlyName=nothing&PageSize=1000", None),
    ("a list of callbacks", "GET", f"{OWN}/Callbacks?Kind=participant-mute&PageSize=200", None),
    ("a bulk replay", "POST", f"{OWN}/Callbacks/Replay", {"State": "delivered"}),
    ("a read", "GET", f"{API}.json", None),
)

_got: Counter[str] = Counter()
_stopping = threading.Event()


def _ask_for_ever(number: int) -> None:
    connection = http.client.HTTPConnection(HOST, timeout=30)
    headers = {"Authorization": "Basic " + b64encode(f"{SID}:{TOKEN}".encode()).decode()}
    headers["Content-Type"] = "application/x-www-form-urlencoded"
    while not _stopping.is_set():
        name, method, path, form = ASKS[number % len(ASKS)]
        try:
            connection.request(method, path.format(number=number), urlencode(form) if form else None, headers)
            answer = connection.getresponse()
            body = json.loads(answer.read())
            code = f" {body['code']}" if answer.status >= 400 else ""
            _got[f"{name}: {answer.status}{code}"] += 1
        except (OSError, http.client.HTTPException) as error:
            _got[f"{name}: {type(error).__name__}"] += 1
            connection.close()
        number += 1


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: _stopping.set())
    for number in range(CONNECTIONS):
        threading.Thread(target=_ask_for_ever, args=(number,), daemon=True).start()
    _stopping.wait()
    print(json.dumps(_got), flush=True)


if __name__ == "__main__":
    main()
