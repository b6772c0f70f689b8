"""Sessions: everything that changes during a video."""

from jointvos.inference.segmenter import VideoSegmenter

__all__ = ["VideoSegmenter"]
