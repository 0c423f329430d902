"""What an event costs. The bound stands a tenth above what was counted when it was set."""

from __future__ import annotations

import redis

from orchestrator.domain.events import ParticipantMuted, ParticipantUnmuted
from tests.unit.calls import count_calls
from tests.unit.listener.test_committer import NOW, World, happened

PEOPLE = 100
MOST_CALLS = 145
"""A mute or an unmute of a batch of 200 in one conference, with its callback. What looks for a
call in the whole batch takes as many as the batch is long (docs/adr/0024)."""


def test_an_event_of_a_large_batch_takes_few_calls(client: redis.Redis) -> None:
    world = World(client)
    people = [world.create() for _ in range(PEOPLE)]
    for number, one in enumerate(people):
        world.join(one, number + 1)
    batch = [happened(one, event) for one in people for event in (ParticipantMuted(NOW), ParticipantUnmuted(NOW))]

    calls = count_calls(lambda: world.committer.commit_events(batch)) / len(batch)

    assert world.kinds(people[0].conference_sid).count("participant-unmute") == PEOPLE
    assert calls <= MOST_CALLS
