"""Data sets on disk as lists of sequences."""

from jointvos.datasets.davis import open_davis
from jointvos.datasets.reading import read_image, read_labels
from jointvos.datasets.sequence import VOSSequence

__all__ = ["VOSSequence", "open_davis", "read_image", "read_labels"]
