"""Many videos on one machine: a list, worker processes, and a record of what became of each.

`Batch` is to many videos what `jointvos.runs.segment_video` is to one; `jointvos batch` is one user
of it.
"""

from jointvos.batch.events import (
    BatchEvent,
    Begins,
    Ended,
    Looked,
    VideoEnded,
    VideoPaused,
    VideoProgress,
)
from jointvos.batch.record import Entry, ObjectSummary, Record
from jointvos.batch.rows import Row, read_rows
from jointvos.batch.run import Batch

__all__ = [
    "Batch",
    "BatchEvent",
    "Begins",
    "Ended",
    "Entry",
    "Looked",
    "ObjectSummary",
    "Record",
    "Row",
    "VideoEnded",
    "VideoPaused",
    "VideoProgress",
    "read_rows",
]
