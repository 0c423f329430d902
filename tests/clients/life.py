"""The whole life of a conference with an SDK in Python: `life.py twilio|signalwire`, settings as JSON on stdin.

Runs in an environment of its own, with whatever version of the SDK is installed there; prints what it saw as JSON.
"""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

from twilio.base.exceptions import TwilioException, TwilioRestException

settings = json.load(sys.stdin)
if sys.argv[1] == "signalwire":
    from signalwire.rest import Client

    def connect(user: str, token: str) -> Any:
        client = Client(user, token, signalwire_space_url="space.example")
        client.api.base_url = settings["base_url"]
        return client
else:
    from twilio.rest import Client

    def connect(user: str, token: str) -> Any:
        client = Client(user, token)
        client.api.base_url = settings["base_url"]
        return client


def until(what: Callable[[], Any], seconds: float = 20) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = what()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("not in time")


def refused(call: Callable[..., Any], *arguments: Any, **named: Any) -> list[Any]:
    try:
        call(*arguments, **named)
    except TwilioRestException as error:
        return [type(error).__name__, error.status, error.code]
    except TwilioException as error:
        return [type(error).__name__, None, None]
    return ["nothing", None, None]


client = connect(settings["user"], settings["token"])
room = client.conferences("life " + settings["name"])
call = {
    "from_": "+15550009999",
    "to": settings["answers"],
    "status_callback": settings["callback"],
    "status_callback_event": ["initiated", "ringing answered", "completed"],
    "conference_status_callback": settings["callback"],
    "conference_status_callback_event": "start end join leave mute",
}
first = room.participants.create(label="cust 1-1", beep=True, record=False, **call)
second = room.participants.create(label="second", muted=True, **call)
participants = client.conferences(first.conference_sid).participants
until(lambda: client.conferences(first.conference_sid).fetch().status == "in-progress")

seen = {"created": [len(first.call_sid), first.status], "date": first.date_created is not None}
seen["fetched"] = participants("cust 1-1").fetch().call_sid == first.call_sid
seen["muted"] = [second.muted, participants("second").fetch().muted, participants("second").update(muted=False).muted]
seen["muted again"] = participants(first.call_sid).update(muted=True).muted
seen["listed muted"] = [row.call_sid == first.call_sid for row in participants.list(muted=True)]
seen["held"] = [
    participants(first.call_sid).update(hold=True, hold_url=settings["hold_url"]).hold,
    participants(first.call_sid).update(hold=False).hold,
]
coach = participants(second.call_sid).update(coaching=True, call_sid_to_coach=first.call_sid)
seen["coaches"] = [coach.coaching, coach.call_sid_to_coach == first.call_sid]
seen["barges"] = participants(second.call_sid).update(coaching=False, call_sid_to_coach="").coaching
recordings = client.calls(first.call_sid).recordings
made = recordings.create()
until(lambda: client.recordings(made.sid).fetch().start_time)
recorded = [recordings(made.sid).update(status=status).status for status in ("paused", "in-progress")]
time.sleep(0.5)
recorded.append(recordings(made.sid).update(status="stopped").status in ("stopped", "processing"))
until(lambda: client.recordings(made.sid).fetch().status == "completed")
recorded.append([row.sid for row in client.recordings.list(call_sid=first.call_sid)] == [made.sid])
recorded.append(recordings(made.sid).fetch().uri.endswith(f"{made.sid}.json"))
media = f"{settings['base_url']}{settings['prefix']}/Accounts/{settings['user']}/Recordings/{made.sid}.mp3"
answer = client.request("GET", media, auth=(settings["user"], settings["token"]))
recorded.append([answer.status_code, len(answer.text) > 1000])
recorded.append(recordings(made.sid).delete())
seen["recorded"] = [*recorded, refused(client.recordings(made.sid).fetch)]
named = client.conferences.list(friendly_name="life " + settings["name"])
seen["named"] = [row.sid for row in named] == [first.conference_sid]
seen["removed"] = participants("second").delete()
seen["gone"] = refused(participants("second").fetch)
seen["unknown"] = refused(client.conferences(settings["unknown"]).fetch)
seen["bad"] = refused(room.participants.create, from_="+15550009999", to="nobody!")
seen["wrong token"] = refused(connect(settings["user"], "0" * 32).conferences(first.conference_sid).fetch)
pages = []
page = client.conferences(settings["crowd"]).participants.page(page_size=50)
while page is not None:
    pages.append(len(list(page)))
    following = page.next_page_url
    page = client.conferences(settings["crowd"]).participants.get_page(following) if following else None
seen["pages"] = pages
everybody = client.conferences(settings["crowd"]).participants.list(page_size=50)
seen["everybody"] = [len(everybody), len({row.call_sid for row in everybody})]
seen["limit 5000"] = len(client.conferences(settings["crowd"]).participants.list(limit=5000))
ended = client.conferences(first.conference_sid).update(status="completed")
seen["ended"] = [ended.status, client.conferences(first.conference_sid).fetch().status]
seen["sid"] = first.conference_sid
print(json.dumps(seen))
