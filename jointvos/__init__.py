"""Joint inductive and transductive video object segmentation.

`segment_video` carries a `SegmentJob` out, files in and files out; `VideoSegmenter` is the session
for arrays. Everything is loaded on first use, so that `import jointvos` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jointvos.checkpoints import load_model
    from jointvos.inference import VideoSegmenter
    from jointvos.masks import Refinement
    from jointvos.runs import (
        Event,
        Finished,
        Notice,
        ObjectLost,
        Opened,
        Outputs,
        Progress,
        SegmentedFrame,
        SegmentJob,
        SessionSpec,
        segment_video,
    )

HOMES = {
    "Event": "runs",
    "Finished": "runs",
    "Notice": "runs",
    "ObjectLost": "runs",
    "Opened": "runs",
    "Outputs": "runs",
    "Progress": "runs",
    "Refinement": "masks",
    "SegmentJob": "runs",
    "SegmentedFrame": "runs",
    "SessionSpec": "runs",
    "VideoSegmenter": "inference",
    "load_model": "checkpoints",
    "segment_video": "runs",
}

__version__ = "0.1.0"
__all__ = [
    "Event",
    "Finished",
    "Notice",
    "ObjectLost",
    "Opened",
    "Outputs",
    "Progress",
    "Refinement",
    "SegmentJob",
    "SegmentedFrame",
    "SessionSpec",
    "VideoSegmenter",
    "__version__",
    "load_model",
    "segment_video",
]


def __getattr__(name: str) -> Any:
    if name in HOMES:
        return getattr(import_module(f"jointvos.{HOMES[name]}"), name)
    raise AttributeError(f"module 'jointvos' has no attribute {name!r}")
