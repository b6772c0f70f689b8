"""Many videos: a list, an engine that does them, and a record of what became of each.

`Batch` is to many videos what `jointvos.runs.segment_video` is to one; `jointvos batch` is one user
of it.
"""

from jointvos.batch.engine import Engine
from jointvos.batch.events import (
    BatchEvent,
    Begins,
    Ended,
    Failures,
    Looked,
    VideoEnded,
    VideoPaused,
    VideoProgress,
)
from jointvos.batch.local import LocalEngine
from jointvos.batch.record import Entry, ObjectSummary, Record
from jointvos.batch.rows import Row, read_rows
from jointvos.batch.run import Batch

__all__ = [
    "Batch",
    "BatchEvent",
    "Begins",
    "Ended",
    "Engine",
    "Entry",
    "Failures",
    "LocalEngine",
    "Looked",
    "ObjectSummary",
    "Record",
    "Row",
    "VideoEnded",
    "VideoPaused",
    "VideoProgress",
    "read_rows",
]
