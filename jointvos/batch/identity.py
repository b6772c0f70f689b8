"""What the result of a task depends on, as hashes that tell whether it is still the same."""

import hashlib
from pathlib import Path

from jointvos.batch.urls import url_of, version
from jointvos.checkpoints import find_weights
from jointvos.errors import (
    JointVOSError,
    MaskReadError,
    MediaOpenError,
    WeightsError,
    os_errors_as,
)
from jointvos.masks import mask_path
from jointvos.runs import SegmentJob, SessionSpec
from jointvos.runs.fingerprint import digest, in_words, of_source

_WITHOUT_INFLUENCE = {"model", "weights", "on_oom", "device"}
"""Settings of a session that results do not depend on, or that are told otherwise."""


def model_identity(session: SessionSpec) -> str:
    """The model of a session, by the content of its file.

    Raises:
        WeightsNotFound: There is none.
        WeightsError: It cannot be read.
    """
    path = find_weights(session.weights if session.weights is not None else session.model)
    with os_errors_as(WeightsError):
        return _content(path)


def hash_inputs(job: SegmentJob) -> str:
    """The video, by size and time of change, and the masks, by content.

    Files behind URLs are not fetched; what their storage says of their version counts.

    Raises:
        ConfigError: The video is neither a file nor a folder.
        OSError: A mask cannot be read.
        MediaOpenError: The video is not behind its URL.
        MaskReadError: A mask is not behind its URL.
        TransferError: A URL cannot be asked.
    """
    source = Path(job.source)
    url = url_of(source)
    video = of_source(source, job.start_number) if url is None else _version(url, MediaOpenError)
    words = {"input": video}
    for number, text in enumerate(map(str, job.masks)):
        path = mask_path(text)
        if url := url_of(path):
            content = _version(url, MaskReadError)
        else:
            content = of_source(path) if path.is_dir() else _content(path)
        before, _, after = text.rpartition(str(path))
        words[f"mask {number}"] = f"{before}{content}{after}"
    return digest(words)


def hash_settings(job: SegmentJob, model: str, folder: Path) -> str:
    """All options that decide about results, and where they go.

    Args:
        job: What is done.
        model: `model_identity` of its session.
        folder: That of the batch; it may be moved together with the outputs in it.
    """
    session = {
        key: value for key, value in vars(job.session).items() if key not in _WITHOUT_INFLUENCE
    }
    outputs = dict(vars(job.outputs))
    del outputs["overwrite"]
    outputs |= {key: relative(path, folder) for key, path in job.outputs.paths().items()}
    words = {
        "model": model,
        "boxes": tuple(job.boxes),
        "points": tuple(job.points),
        "no_points": tuple(job.no_points),
        "objects": None if job.objects is None else sorted(map(str, job.objects)),
        "names": sorted(job.names.items()),
        "remap": sorted(job.remap.items()),
        "direction": job.direction,
        "start": job.start,
        "end": job.end,
        "raw": job.raw,
        "hwaccel": job.hwaccel,
        **{f"refine {key}": value for key, value in vars(job.refine).items()},
        **{f"session {key}": value for key, value in session.items()},
        **{f"output {key}": value for key, value in outputs.items()},
    }
    return digest(in_words(words))


def relative(path: Path, folder: Path) -> str:
    """A path as it is seen from the folder of a batch; others, and URLs, as they are."""
    if url := url_of(path):
        return url
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)


def _version(url: str, missing: type[JointVOSError]) -> str:
    try:
        return version(url)
    except FileNotFoundError:
        raise missing(f"{url} does not exist") from None


def _content(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]
