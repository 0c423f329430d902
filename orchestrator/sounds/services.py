"""What a look at a lane needs, put together once for each worker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from orchestrator.domain.conference import Conference, Participant
from orchestrator.domain.events import AnnouncementEnded, AnnouncementFailed
from orchestrator.sounds.loading import Loader
from orchestrator.sounds.stage import Stages
from orchestrator.store.outbox import Lane
from orchestrator.store.sounds import SoundStore

FetchParameters = Callable[[str, Conference, Participant | None], Sequence[tuple[str, str]]]
"""(dialect, conference, who listens; None: all) -> what goes along with a request for a document."""
Tell = Callable[[Lane, AnnouncementEnded | AnnouncementFailed], None]


@dataclass(frozen=True, slots=True)
class Services:
    """What a look needs. `tell` makes an announcement's end a fact."""

    store: SoundStore
    stages: Stages
    loader: Loader
    fetch_parameters: FetchParameters
    tell: Tell
