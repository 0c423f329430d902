"""The Calls resource with the unmodified SDK: a call from its first ring to long after its end."""

from __future__ import annotations

from typing import Any

import pytest
from twilio.base.exceptions import TwilioRestException

from orchestrator.sids import channel_uuid_of
from tests.harness.freeswitch import FarEnd
from tests.harness.polling import eventually
from tests.harness.stack import Stack


def test_a_call_is_seen_from_ringing_to_its_end(stack: Stack) -> None:
    """Ringing, in progress, completed; its length is that of its last callback. `Status=completed` hangs up, and is
    answered when it has."""
    client = stack.client()
    made = client.conferences("calls").participants.create(
        to="+15550002001", caller_display_name="Desk", **stack.call_settings()
    )
    call = client.calls(made.call_sid)
    eventually(lambda: call.fetch().status == "ringing", "it rings")
    eventually(lambda: call.fetch().status == "in-progress", "it is answered")
    assert made.call_sid in [one.sid for one in client.calls.list(status="in-progress", to="+15550002001")]
    ended = call.update(status="completed")
    told = stack.receiver.await_kind(made.call_sid, "call completed")[0].parameters
    found = client.calls.list(to="+15550002001", from_="+15550009999", start_time_after=made.date_created)

    assert (ended.status, ended.direction, ended.duration) == ("completed", "outbound-api", told["CallDuration"])
    assert ended.start_time >= made.date_created
    assert ended.end_time >= ended.start_time
    assert ended.caller_name == "Desk"
    assert [one.sid for one in found][:1] == [made.call_sid]
    assert stack.switch.api(f"uuid_exists {channel_uuid_of(made.call_sid)}") == "false"
    refused(call, "completed")


def test_a_call_that_rings_is_canceled(stack: Stack) -> None:
    """Only until the answer; a busy one is over."""
    client = stack.client()
    ringing = client.conferences("cancel").participants.create(to=FarEnd.NEVER_ANSWERS, **stack.call_settings())
    stack.receiver.await_kind(ringing.call_sid, "call ringing")
    canceled = client.calls(ringing.call_sid).update(status="canceled")
    stack.receiver.await_kind(ringing.call_sid, "call canceled")
    answered = client.conferences("cancel").participants.create(to=FarEnd.ANSWERS, **stack.call_settings())
    stack.receiver.await_kind(answered.call_sid, "call in-progress")
    busy = client.conferences("cancel").participants.create(to=FarEnd.BUSY, **stack.call_settings())
    stack.receiver.await_kind(busy.call_sid, "call busy")

    assert (canceled.status, canceled.duration) == ("canceled", "0")
    assert client.calls(busy.call_sid).fetch().status == "busy"
    refused(client.calls(answered.call_sid), "canceled")
    refused(client.calls(busy.call_sid), "canceled")
    client.calls(answered.call_sid).update(status="completed")


def refused(call: Any, status: str) -> None:
    with pytest.raises(TwilioRestException) as caught:
        call.update(status=status)
    assert (caught.value.status, caught.value.code) == (400, 21220)
