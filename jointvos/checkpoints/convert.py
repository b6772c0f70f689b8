"""The authors' checkpoints into our model files."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from jointvos.checkpoints.load import fill, save_model, skeleton
from jointvos.checkpoints.official import convert_official
from jointvos.checkpoints.pytorch_file import read_official
from jointvos.checkpoints.record import sha256_of
from jointvos.checkpoints.registry import KNOWN
from jointvos.config import MODELS
from jointvos.errors import IncompatibleWeights

PRESET = "joint-r50"
EXPECTED = "a checkpoint of the official JOINT network"


def convert(path: Path, name: str, target: Path) -> None:
    """Write a checkpoint of the authors as a model; on any error nothing changes.

    Args:
        path: The checkpoint.
        name: What it will be installed as; a known name brings its preset and licence along.
        target: The file to write.

    Raises:
        WeightsError: The checkpoint cannot be read.
        IncompatibleWeights: It is not a whole official network.
        OutputError: The model cannot be written.
    """
    known = KNOWN.get(name)
    config = MODELS[PRESET]
    if known is not None and known.inference is not None:
        config = replace(config, inference=known.inference)
    official = read_official(path, EXPECTED)
    try:
        state = convert_official(official)
    except IncompatibleWeights as error:
        raise IncompatibleWeights(f"{path}: {error}") from error
    net = fill(skeleton(config), state, path)
    save_model(net, target, metadata=origin(path, name))


def origin(path: Path, name: str) -> dict[str, str]:
    """Notes for the header of a converted file: where it comes from, and its terms."""
    known = KNOWN.get(name)
    return {
        "source": path.name if known is None else known.file,
        "source_sha256": sha256_of(path),
        "preset": PRESET,
        "licence": "unknown" if known is None else known.licence,
        "date": datetime.now(UTC).date().isoformat(),
    }
