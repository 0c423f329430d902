"""What playing in a lane needs, put together once for each worker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from orchestrator.domain.conference import Conference, Participant
from orchestrator.domain.events import AnnouncementEnded, AnnouncementFailed
from orchestrator.playback.loading import Loader
from orchestrator.playback.output import Output
from orchestrator.store.lanes import Lane
from orchestrator.store.playback import PlaybackStore

FetchParameters = Callable[[str, Conference, Participant | None], Sequence[tuple[str, str]]]
"""(dialect, conference, who listens; None: all) -> what goes along with a request for a document."""
ReportEnd = Callable[[Lane, AnnouncementEnded | AnnouncementFailed], None]


@dataclass(frozen=True, slots=True)
class Parts:
    """What playing in a lane needs; `report_end` makes an announcement's end a fact."""

    store: PlaybackStore
    output: Output
    loader: Loader
    fetch_parameters: FetchParameters
    report_end: ReportEnd
