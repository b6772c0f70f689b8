"""Our model files: safetensors whose header says how the network is built.

The header's `format` is "jointvos/1" and its `model` the `ModelConfig` as JSON; other entries are
notes. Loading is all or nothing: every tensor of the network, no other, of its shape, finite.
"""

import gc
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from jointvos.checkpoints.file_kind import listing
from jointvos.checkpoints.locate import find_weights
from jointvos.checkpoints.record import check_quickly
from jointvos.checkpoints.safetensors_file import (
    compare,
    first_line,
    is_finite,
    read_tensors,
    write_tensors,
)
from jointvos.config import INFERENCE, ModelConfig, from_dict, to_dict
from jointvos.errors import IncompatibleWeights
from jointvos.model import JointNet

FORMAT = "jointvos/1"
HALF_EXEMPT = ("learner.filter_reg",)
"""Squared where it is used, so it stays in fp32, as all vectors do."""


def load_model(weights: str | Path | None = None) -> JointNet:
    """The network of a model file, in eval mode, fp32, on the CPU.

    Args:
        weights: Name or path of a model; by default the best installed (see `locate`).

    Raises:
        WeightsNotFound: There is no such model.
        IncompatibleWeights: The file is damaged, changed, foreign, or not what its header says.
    """
    path = find_weights(weights)
    check_quickly(path)
    with _without_collection():
        notes, state = read_tensors(path)
        return _filled(_described(notes, path), state, path)


def save_model(
    net: JointNet, path: Path, *, half: bool = False, metadata: Mapping[str, str] | None = None
) -> None:
    """Write a network to a model file, which appears (or is replaced) only when it is complete.

    Args:
        net: The network.
        path: The file, by convention *.safetensors.
        half: Store matrices and kernels in fp16. Vectors (biases, normalization, whose variances
            have no fixed range) and the learner's regularisation stay in fp32: they are few and
            sensitive. So does any tensor that would overflow.
        metadata: Further notes for the header.

    Raises:
        OutputError: The file cannot be written.
    """
    state = {
        name: (_halved(name, tensor) if half else tensor).cpu().contiguous()
        for name, tensor in net.state_dict().items()
    }
    notes = {**(metadata or {}), "format": FORMAT, "model": json.dumps(to_dict(net.config))}
    write_tensors(state, path, notes)


def begin_with(net: JointNet, weights: str | Path) -> tuple[Path, list[str]]:
    """Give a network what fits it, by name and shape, of the weights of another.

    Args:
        net: Whatever does not fit stays as it is.
        weights: Name or path of a model.

    Returns:
        The model's file, and the names of the network's tensors that were not in it.

    Raises:
        WeightsNotFound: There is no such model.
        IncompatibleWeights: The file is damaged, changed or foreign, has another backbone, or
            nothing of it fits.
    """
    path = find_weights(weights)
    check_quickly(path)
    notes, state = read_tensors(path)
    theirs = _described(notes, path).config
    if theirs.backbone != net.config.backbone:
        raise IncompatibleWeights(
            f"{path} has the backbone {theirs.backbone}, but {net.config.name!r} has "
            f"{net.config.backbone}",
            hint=f"set the recipe's model to {theirs.name!r}",
        )
    own = net.state_dict()
    fitting = {
        name: tensor
        for name, tensor in state.items()
        if name in own and own[name].shape == tensor.shape
    }
    if not fitting:
        raise IncompatibleWeights(f"{path} has nothing that fits the network {net.config.name!r}")
    if broken := [name for name, tensor in fitting.items() if not is_finite(tensor)]:
        raise IncompatibleWeights(f"{path} has NaN or infinite values in {listing(broken)}")
    net.load_state_dict(fitting, strict=False)
    return path, [name for name in own if name not in fitting]


def skeleton(config: ModelConfig) -> JointNet:
    """The network of a configuration without any values: its tensors are on the meta device."""
    with torch.device("meta"), _WithoutValues():
        return JointNet(config)


def fill(net: JointNet, state: Mapping[str, Tensor], source: Path) -> JointNet:
    """Give a skeleton copies of the values of a state dict; it comes back in eval mode, fp32.

    Raises:
        IncompatibleWeights: Names, shapes or values do not fit; the message names `source`.
    """
    return _filled(net, state, source, copy=True)


def _filled(
    net: JointNet, state: Mapping[str, Tensor], source: Path, *, copy: bool = False
) -> JointNet:
    compare(net.state_dict(), state, f"{source} does not fit the network {net.config.name!r}")
    values = {
        name: tensor.detach().to("cpu", torch.float32, copy=copy) for name, tensor in state.items()
    }
    if broken := [name for name, tensor in values.items() if not is_finite(tensor)]:
        raise IncompatibleWeights(f"{source} has NaN or infinite values in {listing(broken)}")
    net.load_state_dict(values, assign=True)
    return net.eval()


@contextmanager
def _without_collection() -> Iterator[None]:
    """Keeps the garbage collector from walking all of torch again and again: half of the time."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


class _WithoutValues(TorchFunctionMode):
    """Leaves out what sets first values, slow even without data: they are replaced anyway."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if func is torch.Tensor.normal_:
            return args[0]
        if getattr(func, "__module__", None) == torch.nn.init.__name__:
            return kwargs["tensor"]
        return func(*args, **kwargs)


def _described(metadata: Mapping[str, str], path: Path) -> JointNet:
    """The skeleton that a file's header describes."""
    found = metadata.get("format", "none")
    if found != FORMAT:
        raise IncompatibleWeights(
            f"{path} has the format mark {found[:40]!r}, expected {FORMAT!r}; it is no model of "
            "jointvos, or one of another version"
        )
    try:
        values = json.loads(metadata.get("model", ""))
        if not isinstance(values, dict):
            raise ValueError("the configuration is not a table")
        config = from_dict(ModelConfig, values)
        if config.inference not in INFERENCE:
            raise ValueError(f"no inference preset {config.inference!r}")
        return skeleton(config)
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        raise IncompatibleWeights(
            f"{path} describes no network of this version: {first_line(error)}"
        ) from error


def _halved(name: str, tensor: Tensor) -> Tensor:
    if tensor.ndim < 2 or name in HALF_EXEMPT:
        return tensor
    half = tensor.half()
    return half if is_finite(half) else tensor
