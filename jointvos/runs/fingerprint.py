"""What results depend on, as plain words that tell two runs apart.

Runs of one video and of a data set that are continued compare it word by word and name what
differs; where one word is enough, it is the `digest`.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import jointvos
from jointvos.config import to_dict
from jointvos.errors import ConfigError, OtherRun
from jointvos.files.sequences import images_of, is_pattern
from jointvos.masks import MaskPrompts
from jointvos.runs.job import SegmentJob
from jointvos.runs.session import LoadedModel

if TYPE_CHECKING:
    from jointvos.model import JointNet

Fingerprint: TypeAlias = dict[str, str]


def of_model(model: LoadedModel) -> Fingerprint:
    """The network, by the content of its weights, and how and where it runs."""
    import torch

    values: dict[str, object] = {
        "version": f"jointvos {jointvos.__version__}, torch {torch.__version__}",
        "model": _of_net(model.net),
        "without": model.spec.without,
        "device": f"{model.device.type}, {model.dtype or 'fp32'}",
        "compiled": model.spec.compiled,
        **to_dict(model.config),
    }
    return in_words(values)


def of_job(job: SegmentJob, prompts: MaskPrompts, model: LoadedModel) -> Fingerprint:
    """All that decides about the results of a job.

    The input is told by size and time of change, for reading a long video twice takes long; masks
    and weights by their content.

    Raises:
        ConfigError: The input cannot be read twice.
    """
    options = {
        "probabilities": job.outputs.need_probabilities,
        "start": job.start,
        "end": job.end,
        "raw": job.raw,
        "hwaccel": job.hwaccel,
        "direction": job.direction,
        **asdict(job.refine),
    }
    return {
        "input": of_source(Path(job.source), job.start_number),
        "masks": _of_masks(prompts),
        **in_words(options),
        **of_model(model),
    }


def in_words(values: Mapping[str, object]) -> Fingerprint:
    """Any values as part of a fingerprint."""
    return {name: str(value) for name, value in values.items()}


def digest(fingerprint: Fingerprint) -> str:
    """A fingerprint as one word, SHA-256."""
    return hashlib.sha256(json.dumps(fingerprint, sort_keys=True).encode()).hexdigest()


def require_same(
    saved: Mapping[str, str],
    now: Mapping[str, str],
    folder: Path,
    hint: str = "use the settings of that run, or leave out `resume` to start over",
) -> None:
    """Refuse to go on with another run.

    Raises:
        OtherRun: Something differs.
    """
    names = dict.fromkeys([*saved, *now])
    changed = [name for name in names if saved.get(name) != now.get(name)]
    if not changed:
        return
    told = "; ".join(
        f"`{name}` was {saved.get(name, 'nothing')}, is {now.get(name, 'nothing')}"
        for name in changed[:3]
    )
    more = f" (and {len(changed) - 3} more)" if len(changed) > 3 else ""
    raise OtherRun(f"{folder} is from another run: {told}{more}", hint=hint)


def of_source(source: Path, start_number: int | None = None) -> str:
    """An input that can be read twice, by names, sizes and times of change.

    Args:
        source: A file, a folder of images or a pattern of their names.
        start_number: Images of a folder or pattern before it are left out; None leaves out none.

    Raises:
        ConfigError: It is none of them.
    """
    if source.is_file():
        status = source.stat()
        return f"{source.name}, {status.st_size} bytes, changed {status.st_mtime_ns}"
    if source.is_dir():
        files = sorted(path for path in source.rglob("*") if path.is_file())
    elif is_pattern(source):
        files = images_of(source)
    else:
        raise ConfigError(f"`resume` reads the input again, which {source} does not allow")
    within = source if source.is_dir() else source.parent
    listing = [
        (str(path.relative_to(within)), path.stat().st_size, path.stat().st_mtime_ns)
        for path in files
    ]
    first = "" if start_number is None else f" from number {start_number}"
    return f"{len(files)} files{first}, {_short(repr(listing).encode())}"


def _of_masks(prompts: MaskPrompts) -> str:
    words = [f"{cut.option} {cut}={cut.id}" for cut in prompts.cuts]
    for prompt in prompts.all:
        place = "first" if prompt.place is None else prompt.place.text
        words.append(f"{place}: IDs {prompt.ids}, {_short(prompt.labels.tobytes())}")
    return "; ".join(words)


def _of_net(net: "JointNet") -> str:
    import torch

    content = hashlib.sha256()
    for name, tensor in sorted(net.state_dict().items()):
        content.update(name.encode())
        values = tensor.detach().cpu().contiguous().flatten()
        content.update(values.view(torch.uint8).numpy().data)
    return f"{net.config.name}, {content.hexdigest()[:16]}"


def _short(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
