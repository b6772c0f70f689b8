"""Joint inductive and transductive video object segmentation.

`VideoSegmenter` is the session; everything is loaded on first use, so that `import jointvos`
costs nothing.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jointvos.checkpoints.load import load_model
    from jointvos.inference.segmenter import VideoSegmenter

__version__ = "0.1.0"
__all__ = ["VideoSegmenter", "__version__", "load_model"]


def __getattr__(name: str) -> Any:
    if name == "VideoSegmenter":
        from jointvos.inference.segmenter import VideoSegmenter

        return VideoSegmenter
    if name == "load_model":
        from jointvos.checkpoints.load import load_model

        return load_model
    raise AttributeError(f"module 'jointvos' has no attribute {name!r}")
