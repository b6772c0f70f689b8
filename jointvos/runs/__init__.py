"""One video, from a job to its outputs; knows no terminal.

`segment_video(job)` carries a `SegmentJob` out and yields what happens: see `events`. The command
`jointvos segment` is one user of it, a Python program another.
"""

from jointvos.runs.events import (
    Event,
    Finished,
    Notice,
    ObjectLost,
    Opened,
    Progress,
    SegmentedFrame,
)
from jointvos.runs.job import Direction, SegmentJob
from jointvos.runs.outputs import Outputs
from jointvos.runs.run import SegmentRun, segment_video
from jointvos.runs.session import LoadedModel, SessionSpec

__all__ = [
    "Direction",
    "Event",
    "Finished",
    "LoadedModel",
    "Notice",
    "ObjectLost",
    "Opened",
    "Outputs",
    "Progress",
    "SegmentJob",
    "SegmentRun",
    "SegmentedFrame",
    "SessionSpec",
    "segment_video",
]
