"""What a run writes: what is refused early, and the sinks."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import combinations, permutations
from pathlib import Path

from jointvos.errors import ConfigError, OutputError
from jointvos.files.staged import TwoPhaseSink
from jointvos.masks import Background, as_grey, cut_out, draw_overlay, foreground, read_background
from jointvos.media.writing import (
    STDOUT,
    AlphaFolderSink,
    AlphaVideoSink,
    CompositeSink,
    CropSink,
    Kind,
    MaskVideoSink,
    OverlaySink,
    Pixels,
    PngSequenceSink,
    ProbabilityFolderSink,
    ProbabilityVideoSink,
    StatsSink,
    StreamSink,
    coco_sink_type,
    draw_composite,
)
from jointvos.types import VOID, Frame, FrameResult, VideoInfo

PATHS = ("png", "overlay", "mask_video", "alpha", "soft", "crop", "stats", "coco")
STREAMED = ("overlay", "mask_video", "alpha")


@dataclass(frozen=True)
class Outputs:
    """All that is written, in one pass; paths are None for what is not.

    Attributes:
        png: A folder, one palette PNG per frame, pixel = ID.
        overlay: A video with the objects tinted; audio is copied. `Path("-")` is stdout, for the
            two that follow too.
        mask_video: .mkv holds the IDs exactly (gray, lossless), .mp4 shows them in color.
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
        overwrite: Whether outputs may replace files that exist.
    """

    png: str | Path | None = None
    overlay: str | Path | None = None
    mask_video: str | Path | None = None
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
    overwrite: bool = False

    def paths(self) -> dict[str, Path]:
        """What is written where, by the name of the field."""
        named = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: Path(named[name]) for name in PATHS if named[name] is not None}

    def files(self) -> list[Path]:
        """The files and folders among the paths: all but stdout."""
        return [path for path in self.paths().values() if path != STDOUT]

    @property
    def need_probabilities(self) -> bool:
        """Whether any of them shows more than labels."""
        return any((self.alpha, self.soft, self.crop, self.background))

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
            raise ConfigError("`coco_layout` is for `coco`, which is not asked for")
        for option in ("background", "encoder", "crf"):
            if getattr(self, option) is not None and self.overlay is None:
                raise ConfigError(f"`{option}` is for `overlay`, which is not asked for")
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
        self._check_destinations(source)

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
                OverlaySink.check(
                    path,
                    overwrite=overwrite,
                    source=source,
                    encoder=self.encoder,
                    crf=self.crf,
                )
        if path := paths.get("mask_video"):
            if path == STDOUT:
                StreamSink.check("grey", stream)
            else:
                MaskVideoSink.check(path, overwrite=overwrite, source=source)
        if path := paths.get("alpha"):
            if path == STDOUT:
                StreamSink.check("rgba", stream)
            else:
                alpha = AlphaFolderSink if is_folder(path) else AlphaVideoSink
                alpha.check(path, overwrite=overwrite, source=source)
        if path := paths.get("soft"):
            soft = ProbabilityFolderSink if is_folder(path) else ProbabilityVideoSink
            soft.check(path, overwrite=overwrite, source=source, bits=self.soft_bits)
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
            ids: The objects; if there are ids above 254, masks need 16 bit.
            names: What they are called, by id, as far as they have names.

        Raises:
            ConfigError: A kind of file does not fit.
            OutputError: Something cannot be written where it should stand.
        """
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
            yield self._overlay(info, path)
        if path := paths.get("mask_video"):
            if path == STDOUT:
                yield self._stream(info, "grey16" if wide else "grey")
            else:
                yield MaskVideoSink(path, info, overwrite=overwrite, wide=wide)
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
            yield StatsSink(path, info, overwrite=overwrite, names=names)
        if path := paths.get("coco"):
            kind = coco_sink_type(self.coco_layout or "coco")
            categories = {i: names.get(i, "object") for i in ids}
            yield kind(path, info, overwrite=overwrite, categories=categories)

    def _overlay(self, info: VideoInfo, path: Path) -> TwoPhaseSink:
        behind = None
        if self.background is not None:
            behind = read_background(self.background)
        if path == STDOUT:
            return self._stream(info, "rgb", behind)
        overwrite, sound = self.overwrite, self.audio == "copy"
        if behind is None:
            return OverlaySink(
                path, info, overwrite=overwrite, sound=sound, encoder=self.encoder, crf=self.crf
            )
        return CompositeSink(
            *(path, info, behind),
            overwrite=overwrite,
            sound=sound,
            encoder=self.encoder,
            crf=self.crf,
        )

    def _stream(
        self, info: VideoInfo, kind: Kind, behind: Background | None = None
    ) -> TwoPhaseSink:
        def picture(frame: Frame, result: FrameResult) -> Pixels:
            if kind in ("grey", "grey16"):
                return as_grey(result.labels, kind == "grey16", STDOUT)
            if kind == "rgba":
                return cut_out(frame.image, foreground(result))
            if behind is None:
                return draw_overlay(frame.image, result.labels)
            return draw_composite(frame, result, behind)

        sound = self.audio == "copy" and kind in ("rgb", "rgba")
        format = self.stream or "nut"
        return StreamSink(info, picture, kind=kind, format=format, sound=sound)


def _real(path: Path) -> Path:
    """Without links, as `Path.resolve` has it, which raises for loops."""
    return Path(os.path.realpath(path))


def is_folder(path: Path) -> bool:
    """Whether a path names a folder: there is one, or it has no suffix."""
    return path.is_dir() or not path.suffix
