"""Our model files: safetensors whose header says how the network is built.

The header's `format` is "jointvos/1" and its `model` the `ModelConfig` as JSON; other entries are
notes. Loading is all or nothing: every tensor of the network, no other, of its shape, finite.
"""

import json
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor
from torch.overrides import TorchFunctionMode

from jointvos.checkpoints.content import SAFETENSORS, kind_of, listing, refuse
from jointvos.checkpoints.registry import find_weights
from jointvos.config import INFERENCE, ModelConfig, from_dict, to_dict
from jointvos.errors import IncompatibleWeights, OutputError
from jointvos.model import JointNet

FORMAT = "jointvos/1"
HALF_EXEMPT = ("learner.filter_reg",)
"""Squared where it is used, so it stays in fp32, as all vectors do."""


def load_model(weights: str | Path | None = None) -> JointNet:
    """The network of a model file, in eval mode, fp32, on the CPU.

    Args:
        weights: Name or path of a model; by default the best installed (see `registry`).

    Raises:
        WeightsNotFound: There is no such model.
        IncompatibleWeights: The file is damaged, foreign, or not what its header says.
    """
    path = find_weights(weights)
    if (kind := kind_of(path)) != SAFETENSORS:
        raise refuse(path, kind, "a model of jointvos")
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            net = _described(file.metadata() or {}, path)
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return fill(net, state, path)
    except SafetensorError as error:
        raise IncompatibleWeights(
            f"{path} is damaged or cut off ({_first_line(error)}); fetch or install it again"
        ) from error


def save_model(
    net: JointNet, path: Path, *, half: bool = False, metadata: Mapping[str, str] | None = None
) -> None:
    """Write a network to a model file, which appears (or is replaced) only when it is complete.

    Args:
        net: The network.
        path: The file, by convention *.safetensors.
        half: Store matrices and kernels in fp16. Vectors (biases, normalisation, whose variances
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
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            file.write(save(state, notes))
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        partial.unlink(missing_ok=True)


def skeleton(config: ModelConfig) -> JointNet:
    """The network of a configuration without any values: its tensors are on the meta device."""
    with torch.device("meta"), _WithoutSampling():
        return JointNet(config)


def fill(net: JointNet, state: Mapping[str, Tensor], source: Path) -> JointNet:
    """Give a skeleton the values of a state dict; it comes back in eval mode, fp32, on the CPU.

    The tensors are copied, so that the network survives whatever later happens to the file that
    they may be mapped from.

    Raises:
        IncompatibleWeights: Names, shapes or values do not fit; the message names `source`.
    """
    _compare(net.state_dict(), state, f"{source} does not fit the network {net.config.name!r}")
    copies = {
        name: tensor.detach().to("cpu", torch.float32, copy=True) for name, tensor in state.items()
    }
    if broken := [name for name, tensor in copies.items() if not _is_finite(tensor)]:
        raise IncompatibleWeights(f"{source} has NaN or infinite values in {listing(broken)}")
    net.load_state_dict(copies, assign=True)
    return net.eval()


class _WithoutSampling(TorchFunctionMode):
    """Leaves out normal sampling, slow even without data, of weights that are replaced anyway."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        return args[0] if func is torch.Tensor.normal_ else func(*args, **(kwargs or {}))


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
            raise ValueError("the configuration is no table")
        config = from_dict(ModelConfig, values)
        if config.inference not in INFERENCE:
            raise ValueError(f"no inference preset {config.inference!r}")
        return skeleton(config)
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        raise IncompatibleWeights(
            f"{path} describes no network of this version: {_first_line(error)}"
        ) from error


def _compare(expected: Mapping[str, Tensor], found: Mapping[str, Tensor], problem: str) -> None:
    faults = []
    if missing := [name for name in expected if name not in found]:
        faults.append(f"missing {listing(missing)}")
    if unexpected := [name for name in found if name not in expected]:
        faults.append(f"unexpected {listing(unexpected)}")
    if faults:
        raise IncompatibleWeights(f"{problem}: {'; '.join(faults)}")
    wrong = [
        f"{name} is {list(found[name].shape)}, expected {list(tensor.shape)}"
        for name, tensor in expected.items()
        if found[name].shape != tensor.shape
    ]
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise IncompatibleWeights(f"{problem}: {'; '.join(wrong[:3])}{more}")
    if odd := [name for name in expected if not found[name].is_floating_point()]:
        raise IncompatibleWeights(f"{problem}: no floating-point values in {listing(odd)}")


def _halved(name: str, tensor: Tensor) -> Tensor:
    if tensor.ndim < 2 or name in HALF_EXEMPT:
        return tensor
    half = tensor.half()
    return half if _is_finite(half) else tensor


def _is_finite(tensor: Tensor) -> bool:
    """A finite sum needs finite terms and is six times as fast; it may overflow, so look again."""
    return bool(tensor.sum().isfinite()) or bool(tensor.isfinite().all())


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
