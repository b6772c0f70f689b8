"""The authors' checkpoints into our model files.

Three things change besides the tensors' names: the first convolution is flipped from BGR to RGB
input, the two heads become one convolution, and tensors without effect are dropped, each by its
listed name.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import torch
from torch import Tensor

from jointvos.checkpoints.load import fill, save_model, skeleton
from jointvos.checkpoints.pytorch_file import read_official
from jointvos.checkpoints.record import sha256_of
from jointvos.checkpoints.registry import KNOWN
from jointvos.config import MODELS
from jointvos.errors import IncompatibleWeights

PRESET = "joint-r50"
EXPECTED = "a checkpoint of the official JOINT network"

RENAMED = [
    (r"feature_extractor\.(.+)", r"backbone.\1"),
    (r"transformer\.decoder\.self_attn\.WK\.(\w+)", r"transduction.phi.\1"),
    (r"transformer\.decoder\.cross_attn\.WK\.(\w+)", r"transduction.psi.\1"),
    (r"target_model\.filter_optimizer\.residual_module\.filter_reg", r"learner.filter_reg"),
    (r"label_encoder\.conv_block\.0\.(\w+)", r"label_encoder.stem.\1"),
    (r"label_encoder\.res(\d)_tm\.downsample\.(\w+)", r"label_encoder.head.block\1.shortcut.\2"),
    (r"label_encoder\.res(\d)_tm\.(.+)", r"label_encoder.head.block\1.\2"),
    (
        r"label_encoder\.res(\d)_tr\.downsample\.(\w+)",
        r"label_encoder.transduction_head.block\1.shortcut.\2",
    ),
    (r"label_encoder\.res(\d)_tr\.(.+)", r"label_encoder.transduction_head.block\1.\2"),
    (r"label_encoder\.label_pred_tm\.0\.(\w+)", r"label_encoder.head.encoding.\1"),
    (r"label_encoder\.label_pred_tr\.0\.(\w+)", r"label_encoder.transduction_head.encoding.\1"),
    (r"label_encoder\.samp_w_pred\.(\w+)", r"label_encoder.head.importance.\1"),
    (r"decoder\.TSE\.layer(\d)\.(.+)", r"decoder.levels.\1.encoding.\2"),
    (r"decoder\.RRB(\d)\.layer(\d)\.conv1x1\.(\w+)", r"decoder.levels.\2.refine\1.conv.\3"),
    (r"decoder\.RRB(\d)\.layer(\d)\.bblock\.(.+)", r"decoder.levels.\2.refine\1.residual.\3"),
    (r"decoder\.CAB\.layer(\d)\.convreluconv\.(.+)", r"decoder.levels.\1.attend.gate.\2"),
    (r"decoder\.proj\.layer(\d)\.0\.(\w+)", r"decoder.levels.\1.project.\2"),
    (r"decoder\.project\.conv(\d)\.(\w+)", r"decoder.upsample\1.\2"),
]
"""Official name (whole) to ours; decoder levels count from 0 here and from 1 there."""

HEADS = (
    "transformer.feature_adjustor.0.weight",
    "target_model.feature_extractor.0.weight",
)
"""Transduction first, as in `JointNet.heads`."""

DROPPED = re.compile(
    r"transformer\.(encoder\.self_attn|decoder\.self_attn|decoder\.cross_attn)\.WV\.(weight|bias)"
    r"|transformer\.encoder\.self_attn\.WK\.(weight|bias)"  # the same module as the decoder's
    r"|.+\.num_batches_tracked"
)
"""Value projections that nothing uses, the second listing of phi, and BatchNorm's counters."""


def convert(path: Path, name: str, target: Path) -> None:
    """Write a checkpoint of the authors as a model; on any error nothing changes.

    Args:
        path: The checkpoint.
        name: What it will be installed as; a known name brings its preset and license along.
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
        "preset": PRESET if known is None else known.preset,
        "license": "unknown" if known is None else known.license,
        "date": datetime.now(UTC).date().isoformat(),
    }


def our_name(official: str) -> str | None:
    """Our name of an official tensor; None for heads and dropped tensors.

    Raises:
        IncompatibleWeights: The name does not belong to the official network.
    """
    if official in HEADS or DROPPED.fullmatch(official):
        return None
    for pattern, name in RENAMED:
        if match := re.fullmatch(pattern, official):
            ours = match.expand(name)
            return re.sub(r"levels\.(\d)", lambda m: f"levels.{int(m[1]) - 1}", ours)
    raise IncompatibleWeights(
        f"unknown tensor {official!r}; expected a checkpoint of the official JOINT network"
    )


def convert_official(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors of the authors' state dict under our names.

    Raises:
        IncompatibleWeights: A name is unknown, or the heads are missing or do not match.
    """
    converted = {}
    for official, tensor in state.items():
        if ours := our_name(official):
            converted[ours] = tensor
    if missing := [name for name in HEADS if name not in state]:
        raise IncompatibleWeights(f"{', '.join(missing)} missing; expected a whole JOINT network")
    heads = [state[name] for name in HEADS]
    if heads[0].shape != heads[1].shape or heads[0].ndim != 4:
        shapes = " and ".join(str(list(head.shape)) for head in heads)
        raise IncompatibleWeights(f"the heads are {shapes}; expected two kernels of one shape")
    converted["heads.weight"] = torch.cat(heads)
    stem = converted.get("backbone.conv1.weight")
    if stem is not None and stem.ndim == 4:
        converted["backbone.conv1.weight"] = stem.flip(1)
    return converted
