"""What a result depends on, as plain values that tell two runs apart."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from jointvos.config import to_dict
from jointvos.errors import ConfigError

if TYPE_CHECKING:
    from jointvos.inference import VideoSegmenter
    from jointvos.media import MaskPrompts, Refinement
    from jointvos.model import JointNet

Fingerprint: TypeAlias = dict[str, str]


def fingerprint(
    source: Path,
    prompts: "MaskPrompts",
    session: "VideoSegmenter",
    refine: "Refinement",
    **options: object,
) -> Fingerprint:
    """All that decides about the results of a run, in words.

    The input is told by size and time of change, for reading a long film twice takes long; masks
    and weights by their content.

    Raises:
        ConfigError: The input cannot be read twice.
    """
    import torch

    import jointvos

    values: dict[str, object] = {
        "version": f"jointvos {jointvos.__version__}, torch {torch.__version__}",
        "input": _of_source(source),
        "masks": _of_masks(prompts),
        "model": _of_model(session.net),
        "device": f"{session.device.type}, {session.dtype or 'fp32'}",
        **{f"--{name.replace('_', '-')}": value for name, value in options.items()},
        **{f"--{name.replace('_', '-')}": value for name, value in asdict(refine).items()},
        **to_dict(session.config),
    }
    return {name: str(value) for name, value in values.items()}


def require_same(saved: Mapping[str, str], now: Mapping[str, str], folder: Path) -> None:
    """Refuse to go on with another run.

    Raises:
        ConfigError: Something differs.
    """
    names = dict.fromkeys([*saved, *now])
    changed = [name for name in names if saved.get(name) != now.get(name)]
    if not changed:
        return
    told = "; ".join(
        f"{name} was {saved.get(name, 'nothing')}, is {now.get(name, 'nothing')}"
        for name in changed[:3]
    )
    more = f" (and {len(changed) - 3} more)" if len(changed) > 3 else ""
    raise ConfigError(
        f"{folder} is of another run: {told}{more}; give the same command, or leave out --resume "
        "to begin anew"
    )


def _of_source(source: Path) -> str:
    if not (source.is_file() or source.is_dir()):
        raise ConfigError(f"--resume reads the input again, which {source} does not allow")
    if source.is_file():
        status = source.stat()
        return f"{source.name}, {status.st_size} bytes, changed {status.st_mtime_ns}"
    files = sorted(path for path in source.iterdir() if path.is_file())
    listing = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    return f"{len(files)} files, {_short(repr(listing).encode())}"


def _of_masks(prompts: "MaskPrompts") -> str:
    words = [f"{box}={box.id}" for box in prompts.boxes]
    for prompt in prompts.given:
        place = "first" if prompt.place is None else prompt.place.text
        words.append(f"{place}: ids {prompt.ids}, {_short(prompt.labels.tobytes())}")
    return "; ".join(words)


def _of_model(net: "JointNet") -> str:
    import torch

    digest = hashlib.sha256()
    for name, tensor in sorted(net.state_dict().items()):
        digest.update(name.encode())
        values = tensor.detach().cpu().contiguous().flatten()
        digest.update(values.view(torch.uint8).numpy().data)
    return f"{net.config.name}, {digest.hexdigest()[:16]}"


def _short(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
