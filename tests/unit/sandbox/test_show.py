"""What a snapshot of the channels says."""

from __future__ import annotations

import json

from tests.unit.sandbox.client import Client


def test_none(client: Client) -> None:
    """An empty list has no rows at all."""
    assert client.api("show channels as json") == '{"row_count": 0}\n'
    assert client.api("show channels") == "\n0 total.\n"
    assert client.api("show channels count") == "\n0 total.\n"
    assert client.api("show channels count as json") == '{"row_count":0,"rows":[]}'
    assert client.api("show nonsense").startswith("-USAGE: codec|endpoint|")


def test_channels_tell_their_state_and_what_they_run(client: Client) -> None:
    """One that rings and one in a conference."""
    ringing = client.originate("+15550004000")
    client.event("CHANNEL_PROGRESS", ringing)
    joined, _ = client.join("+15550001000", "CFx")

    shown = json.loads(client.api("show channels as json"))

    assert shown["row_count"] == 2
    rows = {row["uuid"]: row for row in shown["rows"]}
    assert (rows[ringing]["callstate"], rows[ringing]["application"]) == ("RINGING", "")
    assert (rows[joined]["callstate"], rows[joined]["application"]) == ("ACTIVE", "conference")
    assert rows[joined]["application_data"] == "CFx@orchestrator"
    lines = client.api("show channels").splitlines()
    assert lines[0].startswith("uuid,direction,created,")
    assert lines[-1] == "2 total."
