"""What a run writes: what is refused early, and the sinks."""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from fractions import Fraction
from functools import partial
from itertools import combinations, permutations
from pathlib import Path
from typing import get_args

from jointvos.errors import ConfigError, OutputError
from jointvos.files.staged import TwoPhaseSink
from jointvos.masks import (
    Background,
    as_grey,
    cut_out,
    draw_overlay,
    foreground,
    matte,
    read_background,
    to_8_bit,
)
from jointvos.media.writing import (
    MATTE_FORMATS,
    STDOUT,
    AlphaFolderSink,
    AlphaVideoSink,
    CompositeSink,
    CropSink,
    Edges,
    Kind,
    LumaRange,
    MaskVideoSink,
    MatteFolderSink,
    MatteVideoSink,
    OverlaySink,
    Pixels,
    PngSequenceSink,
    ProbabilityFolderSink,
    ProbabilityVideoSink,
    StatsSink,
    StreamSink,
    coco_sink,
    draw_composite,
)
from jointvos.types import VOID, Frame, FrameResult, VideoInfo

PATHS = ("png", "overlay", "mask_video", "matte", "alpha", "soft", "crop", "stats", "coco")
STREAMED = ("overlay", "mask_video", "matte", "alpha")
ID = "{id}"
"""Stands for the object ID in the name of a matte."""


@dataclass(frozen=True)
class Outputs:
    """All that is written, in one pass; paths are None for what is not.

    Attributes:
        png: A folder, one palette PNG per frame, pixel = ID.
        overlay: A video with the objects tinted; audio is copied. `Path("-")` is stdout, for the
            next three too. .gif and .webp are previews for web pages, without audio.
        mask_video: .mkv holds the IDs exactly (gray, lossless), .mp4 shows them in color.
        matte: The objects in white on black: .mp4 (H.264), .mov (ProRes 422 HQ), .mkv (lossless) or
            a folder of PNGs. `{id}` in the name makes one per object.
        matte_edges: Edges of `matte`, "soft" (gray by probability) or "hard".
        matte_range: Luma range of `matte`, "limited" (16 to 235) or "full"; ProRes has limited
            only.
        alpha: The objects alone with straight alpha: .mov, .webm or a folder of RGBA PNGs.
        soft: The probability of every object in gray: a folder or a lossless .mkv.
        crop: A folder, every object cut out along its box.
        stats: .csv or .jsonl, a line per frame and object.
        coco: Masks as run lengths in COCO's layout, .json.
        coco_layout: "coco" (the default) or "ytvis".
        soft_bits: Bits per pixel of `soft`, 8 or 16.
        stream: Format of a video on stdout: "nut" (the default), "y4m", "mkv" or "raw".
        background: What the overlay shows behind the objects instead of tinting them: "blur", a
            color or a picture.
        audio: Audio of overlay and alpha, "copy" or "none".
        encoder: Of the overlay.
        crf: Quality of the overlay, lower is better.
        max_width: Most columns of overlay and color masks, which are scaled down to it; 480 by
            default for .gif and .webp.
        overwrite: Whether outputs may replace files that exist.
    """

    png: str | Path | None = None
    overlay: str | Path | None = None
    mask_video: str | Path | None = None
    matte: str | Path | None = None
    matte_edges: Edges = "soft"
    matte_range: LumaRange = "limited"
    alpha: str | Path | None = None
    soft: str | Path | None = None
    crop: str | Path | None = None
    stats: str | Path | None = None
    coco: str | Path | None = None
    coco_layout: str | None = None
    soft_bits: int = 8
    stream: str | None = None
    background: str | None = None
    audio: str = "copy"
    encoder: str | None = None
    crf: int | None = None
    max_width: int | None = None
    overwrite: bool = False

    def paths(self) -> dict[str, Path]:
        """What is written where, by the name of the field."""
        named = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: Path(named[name]) for name in PATHS if named[name] is not None}

    def files(self) -> list[Path]:
        """The files and folders among the paths: all but stdout."""
        return [path for path in self.paths().values() if path != STDOUT]

    def written(self, ids: Sequence[int]) -> list[Path]:
        """The same with a matte for each of these objects, if that is asked for."""
        paths = self.paths()
        every = [
            _of_objects(path, ids) if name == "matte" else [path] for name, path in paths.items()
        ]
        return [path for each in every for path in each]

    @property
    def need_probabilities(self) -> bool:
        """Whether any of them shows more than labels."""
        soft_matte = self.matte is not None and self.matte_edges == "soft"
        return any((self.alpha, self.soft, self.crop, self.background, soft_matte))

    def check(self, source: Path, masks: Sequence[Path]) -> None:
        """Refuse what cannot be written, before the input is opened.

        Raises:
            ConfigError: Options contradict each other, or a kind of file does not fit.
            OutputError: Something cannot be written where it should stand.
        """
        named = {f"--{name.replace('_', '-')}": path for name, path in self.paths().items()}
        piped = [name for name, path in self.paths().items() if path == STDOUT]
        if any(name not in STREAMED for name in piped):
            raise ConfigError(f"--{piped[-1]} - : only films go to stdout")
        if len(piped) > 1:
            who = " and ".join(name for name, path in named.items() if path == STDOUT)
            raise ConfigError(f"{who} would both go to stdout; name a file for one")
        if self.stream is not None and not piped:
            raise ConfigError("--format is for a film on stdout; use it with -o -")
        if self.audio not in ("copy", "none"):
            raise ConfigError(f"--audio is {self.audio!r}, expected copy or none")
        if self.coco_layout is not None and self.coco is None:
            raise ConfigError("--coco-layout is for --coco, which is not asked for")
        if self.max_width is not None and self.overlay is None and self.mask_video is None:
            raise ConfigError("--max-width is for --overlay and --mask-video; name one of them")
        if self.matte_edges not in get_args(Edges):
            raise ConfigError(f"matte edges are {self.matte_edges!r}, expected soft or hard")
        if self.matte_range not in get_args(LumaRange):
            raise ConfigError(f"matte range is {self.matte_range!r}, expected limited or full")
        soft = self.paths().get("soft", Path())
        if soft.suffix.lower() in MATTE_FORMATS and soft.suffix.lower() != ".mkv":
            raise ConfigError(
                f"--soft {soft}: probabilities go to a folder or a lossless .mkv; for a "
                f"black-and-white video use --matte {soft}"
            )
        for option in ("background", "encoder", "crf"):
            if getattr(self, option) is not None and self.overlay is None:
                raise ConfigError(f"--{option} is for --overlay, which is not asked for")
        if "overlay" in piped and (self.encoder is not None or self.crf is not None):
            raise ConfigError("--encoder and --crf are for files; on stdout --format decides")
        files = {name: _real(path) for name, path in named.items() if path != STDOUT}
        for (one, path), (other, same) in combinations(files.items(), 2):
            if path == same:
                raise ConfigError(f"{one} and {other} both name {named[one]}; give each its own")
        for (one, path), (other, inner) in permutations(files.items(), 2):
            if path in inner.parents:
                raise ConfigError(f"{other} lies in the folder of {one}, which will be replaced")
        for path in named.values():
            for mask in masks:
                if path.is_dir() and _real(path) in (_real(mask), _real(mask).parent):
                    raise OutputError(
                        f"{mask} lies in {path}, which would be replaced; name another folder"
                    )
        # Nothing is written yet by sinks that are merely made, so any film will do.
        self.sinks(VideoInfo(source, 256, 256, Fraction(25), Fraction(1, 25)))

    def sinks(self, info: VideoInfo, ids: Sequence[int] = ()) -> list[TwoPhaseSink]:
        """Sinks for all of them.

        Args:
            info: The source.
            ids: The objects; if there are ids above 254, masks need 16 bit.

        Raises:
            ConfigError: A kind of file does not fit.
            OutputError: Something cannot be written where it should stand.
        """
        sinks = list(self._sinks(info, ids))
        places = [_real(sink.path) for sink in sinks if sink.path != STDOUT]
        if twice := [path for path in places if places.count(path) > 1]:
            raise ConfigError(f"two outputs would be written to {twice[0]}; give each its own name")
        return sinks

    def _sinks(self, info: VideoInfo, ids: Sequence[int]) -> Iterator[TwoPhaseSink]:
        paths, source = self.paths(), info.path
        overwrite, sound = self.overwrite, self.audio == "copy"
        wide = max(ids, default=0) >= VOID
        if path := paths.get("png"):
            yield PngSequenceSink(path, overwrite=overwrite, source=source, wide=wide)
        if path := paths.get("overlay"):
            yield self._overlay(info, path)
        if path := paths.get("mask_video"):
            if path == STDOUT:
                yield self._stream(info, "grey16" if wide else "grey")
            else:
                yield MaskVideoSink(
                    path, info, overwrite=overwrite, wide=wide, max_width=self.max_width
                )
        if path := paths.get("matte"):
            yield from self._mattes(info, path, ids)
        if path := paths.get("alpha"):
            if path == STDOUT:
                yield self._stream(info, "rgba")
            elif is_folder(path):
                yield AlphaFolderSink(path, overwrite=overwrite, source=source)
            else:
                yield AlphaVideoSink(path, info, overwrite=overwrite, sound=sound)
        if path := paths.get("soft"):
            bits = self.soft_bits
            if is_folder(path):
                yield ProbabilityFolderSink(path, overwrite=overwrite, source=source, bits=bits)
            else:
                yield ProbabilityVideoSink(path, info, overwrite=overwrite, bits=bits, ids=ids)
        if path := paths.get("crop"):
            yield CropSink(path, overwrite=overwrite, source=source)
        if path := paths.get("stats"):
            yield StatsSink(path, info, overwrite=overwrite)
        if path := paths.get("coco"):
            layout = self.coco_layout or "coco"
            yield coco_sink(path, info, overwrite=overwrite, layout=layout)

    def _overlay(self, info: VideoInfo, path: Path) -> TwoPhaseSink:
        behind = None
        if self.background is not None:
            behind = read_background(self.background, info.width, info.height)
        if path == STDOUT:
            return self._stream(info, "rgb", behind)
        sink = OverlaySink if behind is None else partial(CompositeSink, background=behind)
        return sink(
            path,
            info,
            overwrite=self.overwrite,
            sound=self.audio == "copy",
            encoder=self.encoder,
            crf=self.crf,
            max_width=self.max_width,
        )

    def _mattes(self, info: VideoInfo, path: Path, ids: Sequence[int]) -> Iterator[TwoPhaseSink]:
        """One for all objects, or one for each; an ID is made up where none is known yet."""
        hard = self.matte_edges == "hard"
        if path == STDOUT:
            yield self._stream(
                info, "grey", picture=lambda _, result: to_8_bit(matte(result, hard=hard))
            )
            return
        if not (own := ID in str(path)) and re.search(r"%[0-9]*d", path.name):
            raise ConfigError(f"--matte {path}: for a matte per object use {ID} in its name")
        for object_id in (ids or (1,)) if own else (None,):
            named = path if object_id is None else _of_object(path, object_id)
            if is_folder(named):
                yield MatteFolderSink(
                    named,
                    overwrite=self.overwrite,
                    source=info.path,
                    object_id=object_id,
                    edges=self.matte_edges,
                )
            else:
                yield MatteVideoSink(
                    named,
                    info,
                    overwrite=self.overwrite,
                    object_id=object_id,
                    edges=self.matte_edges,
                    luma_range=self.matte_range,
                )

    def _stream(
        self,
        info: VideoInfo,
        kind: Kind,
        behind: Background | None = None,
        picture: Callable[[Frame, FrameResult], Pixels] | None = None,
    ) -> TwoPhaseSink:
        def usual(frame: Frame, result: FrameResult) -> Pixels:
            if kind in ("grey", "grey16"):
                return as_grey(result.labels, kind == "grey16", STDOUT)
            if kind == "rgba":
                return cut_out(frame.image, foreground(result))
            if behind is None:
                return draw_overlay(frame.image, result.labels)
            return draw_composite(frame, result, behind)

        sound = self.audio == "copy" and kind in ("rgb", "rgba")
        format = self.stream or "nut"
        return StreamSink(info, picture or usual, kind=kind, format=format, sound=sound)


def _of_objects(path: Path, ids: Sequence[int]) -> list[Path]:
    return [_of_object(path, each) for each in ids] if ID in str(path) else [path]


def _of_object(path: Path, object_id: int) -> Path:
    return Path(str(path).replace(ID, str(object_id)))


def _real(path: Path) -> Path:
    """Without links, as `Path.resolve` has it, which raises for loops."""
    return Path(os.path.realpath(path))


def is_folder(path: Path) -> bool:
    """Whether a path names a folder: there is one, or it has no suffix."""
    return path.is_dir() or not path.suffix
