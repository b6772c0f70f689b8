"""Data sets on disk as lists of sequences."""

from jointvos.datasets.archive import as_folder
from jointvos.datasets.dataset import SequenceFailure, VOSDataset
from jointvos.datasets.davis import davis_dataset, open_davis
from jointvos.datasets.folders import open_folders, predicted_files
from jointvos.datasets.lvos import lvos_dataset
from jointvos.datasets.mose import mose_dataset
from jointvos.datasets.reading import read_image, read_labels, read_size
from jointvos.datasets.sequence import VOSObject, VOSSequence
from jointvos.datasets.youtubevos import youtubevos_dataset

__all__ = [
    "SequenceFailure",
    "VOSDataset",
    "VOSObject",
    "VOSSequence",
    "as_folder",
    "davis_dataset",
    "lvos_dataset",
    "mose_dataset",
    "open_davis",
    "open_folders",
    "predicted_files",
    "read_image",
    "read_labels",
    "read_size",
    "youtubevos_dataset",
]
