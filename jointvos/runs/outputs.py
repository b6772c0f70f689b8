"""What a run writes: what is refused early, and the sinks."""

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations, permutations
from pathlib import Path
from typing import get_args

from jointvos.errors import ConfigError, OutputError
from jointvos.files.staged import TwoPhaseSink
from jointvos.masks import (
    Background,
    Legend,
    as_gray,
    cut_out,
    foreground,
    matte,
    read_background,
    to_8_bit,
)
from jointvos.media.writing import (
    ALPHA_FORMATS,
    ALPHA_IMAGES,
    NARROWEST,
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
    choose_format,
    coco_sink_type,
    draw_composite,
    keeps_depth,
    matte_format,
    overlay_of,
)
from jointvos.types import VOID, Frame, FrameResult, VideoInfo

PATHS = ("png", "overlay", "mask_video", "matte", "alpha", "soft", "crop", "stats", "coco")
STREAMED = ("overlay", "mask_video", "matte", "alpha")
ID = "{id}"
"""Stands for the object ID in the name of a matte."""
_ANY = (1,)
"""Stands for the IDs before the masks are read."""


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
        alpha: The objects alone with straight alpha: .mov, .webm or a folder of RGBA images.
        alpha_format: Of the images in a folder: "png" (8 bit, the default), "png16" (16 bit) or
            "exr" (linear light, premultiplied).
        soft: The probability of every object in gray: a folder or a lossless .mkv.
        crop: A folder, every object cut out along its box.
        stats: .csv or .jsonl, a line per frame and object.
        coco: Masks as run lengths in COCO's layout, .json.
        coco_layout: "coco" (the default) or "ytvis".
        soft_bits: Bits per pixel of `soft`, 8 or 16.
        stream: Format of a video on stdout: "nut" (the default), "y4m", "mkv" or "raw".
        background: What the overlay shows behind the objects instead of tinting them: "blur", a
            color or an image.
        audio: Audio of overlay and alpha, "copy" or "none".
        encoder: Of the overlay.
        crf: Quality of the overlay, lower is better.
        max_width: Most columns of overlay and color masks, which are scaled down to it; 480 by
            default for .gif and .webp.
        legend: Whether names of objects stand in a corner of the overlay, beside their colors; None
            for where they have names. Objects without a name are called "object ID".
        overwrite: Whether outputs may replace files that exist.
    """

    png: str | Path | None = None
    overlay: str | Path | None = None
    mask_video: str | Path | None = None
    matte: str | Path | None = None
    matte_edges: Edges = "soft"
    matte_range: LumaRange = "limited"
    alpha: str | Path | None = None
    alpha_format: str | None = None
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
    legend: bool | None = None
    overwrite: bool = False

    def paths(self) -> dict[str, Path]:
        """What is written where, by the name of the field."""
        named = ((name, getattr(self, name)) for name in PATHS)
        return {name: Path(path) for name, path in named if path is not None}

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

    @property
    def need_depth(self) -> bool:
        """Whether any of them has more than 8 bits."""
        overlay = self.overlay is not None and self.background is None
        deep = ALPHA_FORMATS.get(Path(self.alpha or "").suffix.lower())
        return (
            (overlay and self.encoder is not None and keeps_depth(self.encoder))
            or (deep is not None and deep.deep)
            or self.alpha_format in ("png16", "exr")
        )

    @property
    def need_overlays(self) -> bool:
        """Whether masks drawn over images of 8 bits go to any of them."""
        return self.overlay is not None and self.background is None and not self.need_depth

    def check(self, source: Path, masks: Sequence[Path]) -> None:
        """Refuse what cannot be written, before the input is opened.

        Raises:
            ConfigError: Options contradict each other, or a kind of file does not fit.
            OutputError: Something cannot be written where it should stand.
        """
        named = {f"`{name}`": path for name, path in self.paths().items()}
        piped = [name for name, path in self.paths().items() if path == STDOUT]
        if any(name not in STREAMED for name in piped):
            raise ConfigError(f"`{piped[-1]}='-'`: only videos go to stdout")
        if len(piped) > 1:
            who = " and ".join(name for name, path in named.items() if path == STDOUT)
            raise ConfigError(f"{who} would both go to stdout; name a file for one")
        if self.stream is not None and not piped:
            raise ConfigError("`stream` is for a video on stdout", hint="use it with `overlay='-'`")
        if self.audio not in ("copy", "none"):
            raise ConfigError(f"`audio` is {self.audio!r}, expected copy or none")
        if self.coco_layout is not None and self.coco is None:
            raise ConfigError("`coco_layout` requires `coco`")
        if self.soft is None and self.soft_bits != 8:
            raise ConfigError("`soft_bits` requires `soft`")
        if self.matte is None and (self.matte_edges, self.matte_range) != ("soft", "limited"):
            raise ConfigError("`matte_edges` and `matte_range` require `matte`")
        if self.alpha_format is not None and not (
            self.alpha is not None and is_folder(Path(self.alpha))
        ):
            raise ConfigError("`alpha_format` is for a folder", hint="use it with `alpha=DIR`")
        if self.max_width is not None and self.overlay is None and self.mask_video is None:
            raise ConfigError("`max_width` is for `overlay` and `mask_video`; name one of them")
        if self.legend and (self.overlay is None or self.background is not None):
            raise ConfigError("`legend` requires `overlay` without `background`")
        if self.max_width is not None and self.max_width < NARROWEST:
            raise ConfigError(f"`max_width` is {self.max_width}, expected at least {NARROWEST}")
        if self.matte_edges not in get_args(Edges):
            raise ConfigError(f"`matte_edges` is {self.matte_edges!r}, expected soft or hard")
        if self.matte_range not in get_args(LumaRange):
            raise ConfigError(f"`matte_range` is {self.matte_range!r}, expected limited or full")
        if self.alpha_format not in (None, *ALPHA_IMAGES):
            expected = ", ".join(ALPHA_IMAGES)
            raise ConfigError(f"`alpha_format` is {self.alpha_format!r}, expected {expected}")
        if self.soft is not None and self.soft_bits not in (8, 16):
            raise ConfigError(f"probabilities have 8 or 16 bits, not {self.soft_bits}")
        for option in ("background", "encoder", "crf"):
            if getattr(self, option) is not None and self.overlay is None:
                raise ConfigError(f"`{option}` requires `overlay`")
        if "overlay" in piped and (self.encoder is not None or self.crf is not None):
            raise ConfigError("`encoder` and `crf` are for files; on stdout `stream` decides")
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
        self._refuse_same(_ANY)
        self._check_destinations(source)

    def _refuse_same(self, ids: Sequence[int]) -> None:
        """Refuse names that are the same once they have the IDs of objects in them."""
        paths = [path for path in self.written(ids) if path != STDOUT]
        places = [_real(path) for path in paths]
        if twice := [
            path for path, place in zip(paths, places, strict=True) if places.count(place) > 1
        ]:
            raise ConfigError(f"two outputs would be written to {twice[0]}; give each its own name")

    def _check_destinations(self, source: Path) -> None:
        paths, overwrite = self.paths(), self.overwrite
        stream, layout = self.stream or "nut", self.coco_layout or "coco"
        if path := paths.get("png"):
            PngSequenceSink.check(path, overwrite=overwrite, source=source)
        if path := paths.get("overlay"):
            if self.background is not None:
                read_background(self.background)
            if path == STDOUT:
                StreamSink.check("rgb", stream)
            else:
                choose_format(path, self.encoder, self.crf)
                OverlaySink.check(path, overwrite=overwrite, source=source)
        if path := paths.get("mask_video"):
            if path == STDOUT:
                StreamSink.check("gray", stream)
            else:
                MaskVideoSink.check(path, overwrite=overwrite, source=source)
        if path := paths.get("matte"):
            self._check_matte(path, source, stream)
        if path := paths.get("alpha"):
            if path == STDOUT:
                StreamSink.check("rgba", stream)
            else:
                alpha = AlphaFolderSink if is_folder(path) else AlphaVideoSink
                alpha.check(path, overwrite=overwrite, source=source)
        if path := paths.get("soft"):
            soft = ProbabilityFolderSink if is_folder(path) else ProbabilityVideoSink
            soft.check(path, overwrite=overwrite, source=source)
        if path := paths.get("crop"):
            CropSink.check(path, overwrite=overwrite, source=source)
        if path := paths.get("stats"):
            StatsSink.check(path, overwrite=overwrite, source=source)
        if path := paths.get("coco"):
            coco_sink_type(layout).check(path, overwrite=overwrite, source=source)

    def sinks(
        self, info: VideoInfo, ids: Sequence[int] = (), names: Mapping[int, str] | None = None
    ) -> list[TwoPhaseSink]:
        """Sinks for all of them.

        Args:
            info: The source.
            ids: The objects; if there are IDs above 254, masks need 16 bit.
            names: What they are called, by ID, as far as they have names.

        Raises:
            ConfigError: A kind of file does not fit.
            OutputError: Something cannot be written where it should stand.
        """
        self._refuse_same(ids)
        return list(self._sinks(info, ids, names or {}))

    def _sinks(
        self, info: VideoInfo, ids: Sequence[int], names: Mapping[int, str]
    ) -> Iterator[TwoPhaseSink]:
        paths, source = self.paths(), info.path
        overwrite, sound = self.overwrite, self.audio == "copy"
        wide = max(ids, default=0) >= VOID
        if path := paths.get("png"):
            yield PngSequenceSink(path, overwrite=overwrite, source=source, wide=wide)
        if path := paths.get("overlay"):
            yield self._overlay(info, path, self._legend(info, ids, names))
        if path := paths.get("mask_video"):
            if path == STDOUT:
                yield self._stream(info, "gray16" if wide else "gray")
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
                format = self.alpha_format or "png"
                yield AlphaFolderSink(
                    path,
                    overwrite=overwrite,
                    source=source,
                    format=format,
                    hdr=info.hdr,
                    pixel_aspect=info.sample_aspect_ratio,
                )
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
            yield StatsSink(path, info, overwrite=overwrite, names=names)
        if path := paths.get("coco"):
            kind = coco_sink_type(self.coco_layout or "coco")
            categories = {i: names.get(i, "object") for i in ids}
            yield kind(path, info, overwrite=overwrite, categories=categories)

    def _legend(
        self, info: VideoInfo, ids: Sequence[int], names: Mapping[int, str]
    ) -> Legend | None:
        if self.background is not None or not (names if self.legend is None else self.legend):
            return None
        return Legend({each: names.get(each, "") for each in ids}, info.hdr)

    def _overlay(self, info: VideoInfo, path: Path, legend: Legend | None) -> TwoPhaseSink:
        behind = None
        if self.background is not None:
            behind = read_background(self.background)
        if path == STDOUT:
            return self._stream(info, "rgb", behind, legend=legend)
        sink: Callable[..., TwoPhaseSink] = partial(OverlaySink, legend=legend)
        if behind is not None:
            sink = partial(CompositeSink, background=behind)
        return sink(
            path,
            info,
            overwrite=self.overwrite,
            sound=self.audio == "copy",
            encoder=self.encoder,
            crf=self.crf,
            max_width=self.max_width,
        )

    def _check_matte(self, path: Path, source: Path, stream: str) -> None:
        if path == STDOUT:
            StreamSink.check("gray", stream)
            return
        if ID not in str(path) and re.search(r"%[0-9]*d", path.name):
            raise ConfigError(f"{path}: for a matte per object use {ID} in its name")
        place = _of_objects(path, _ANY)[0]
        if is_folder(place):
            MatteFolderSink.check(place, overwrite=self.overwrite, source=source)
        else:
            matte_format(place, self.matte_range)
            MatteVideoSink.check(place, overwrite=self.overwrite, source=source)

    def _mattes(self, info: VideoInfo, path: Path, ids: Sequence[int]) -> Iterator[TwoPhaseSink]:
        """One for all objects, or one for each."""
        edges, overwrite = self.matte_edges, self.overwrite
        if path == STDOUT:
            hard = edges == "hard"
            yield self._stream(
                info, "gray", image=lambda _, result: to_8_bit(matte(result, hard=hard))
            )
            return
        objects = ids if ID in str(path) else (None,)
        for place, object_id in zip(_of_objects(path, ids), objects, strict=True):
            if is_folder(place):
                yield MatteFolderSink(
                    place, overwrite=overwrite, source=info.path, object_id=object_id, edges=edges
                )
            else:
                yield MatteVideoSink(
                    *(place, info),
                    overwrite=overwrite,
                    object_id=object_id,
                    edges=edges,
                    luma_range=self.matte_range,
                )

    def _stream(
        self,
        info: VideoInfo,
        kind: Kind,
        behind: Background | None = None,
        image: Callable[[Frame, FrameResult], Pixels] | None = None,
        legend: Legend | None = None,
    ) -> TwoPhaseSink:
        def usual(frame: Frame, result: FrameResult) -> Pixels:
            if kind in ("gray", "gray16"):
                return as_gray(result.labels, kind == "gray16", STDOUT)
            if kind == "rgba":
                return cut_out(frame.image, foreground(result))
            if behind is not None:
                return draw_composite(frame, result, behind)
            drawn = overlay_of(frame, result)
            if legend is not None:
                legend.draw(drawn, result.labels)
            return drawn

        sound = self.audio == "copy" and kind in ("rgb", "rgba")
        format = self.stream or "nut"
        return StreamSink(info, image or usual, kind=kind, format=format, sound=sound)


def _of_objects(path: Path, ids: Sequence[int]) -> list[Path]:
    """The path for each object, if it has a place for their IDs; else just that."""
    if ID not in str(path):
        return [path]
    return [Path(str(path).replace(ID, str(each))) for each in ids]


def _real(path: Path) -> Path:
    """Without links, as `Path.resolve` has it, which raises for loops."""
    return Path(os.path.realpath(path))


def is_folder(path: Path) -> bool:
    """Whether a path names a folder: there is one, or it has no suffix."""
    return path.is_dir() or not path.suffix
