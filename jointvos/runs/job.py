"""What a run is asked to do."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from jointvos.errors import ConfigError
from jointvos.masks import (
    Box,
    Clicks,
    IdChange,
    MaskFile,
    MaskPrompts,
    Point,
    Refinement,
    clicks_of,
    mask_path,
    parse_id,
    read_prompts,
)
from jointvos.media.reading import open_source
from jointvos.media.writing import STDOUT
from jointvos.runs.outputs import Outputs
from jointvos.runs.session import SessionSpec
from jointvos.runs.tracing import check_trace
from jointvos.types import FrameSource, VideoInfo

Direction: TypeAlias = Literal["forward", "backward", "both"]


@dataclass(frozen=True)
class SegmentJob:
    """One video, the objects to follow in it, and what is written.

    Attributes:
        source: A video file, a folder of images or a pattern of their names ("f_%04d.png",
            "f_####.exr", "f_*.png"), "-" for stdin, or an address.
        masks: Files of object IDs: "FILE" for the first frame, "FRAME=FILE" for a later one,
            where FRAME is a number, seconds ("4.5s") or a timecode, or a folder of `<frame>.png`.
            New IDs join, known ones are corrected. Also "ID:FILE" and "FILE#IMAGE",
            folders of objects and the files of other tools.
        boxes: Objects to cut out of the first frame, "X,Y,WIDTH,HEIGHT" or "...=ID", in pixels.
        points: Pixels of objects in the first frame, "X,Y" or "X,Y=ID"; those without ID are all of
            one object. Its size is guessed, so look at the mask that comes of it.
        no_points: Pixels that are not of these objects, or not of the one whose ID is given.
        objects: Only these IDs of the masks, or the names of objects; None for all.
        names: What objects are called in the outputs, by ID; else what the masks say.
        remap: New IDs by those of the masks.
        outputs: What is written; nothing by default.
        session: Model and device, and how the video is run through it.
        refine: What is done to results before they are written.
        direction: "forward" from the first mask on, "backward" from the last one to the start, or
            "both" ways from the first one. Frames that are not reached have no objects.
        start: First frame: a number, seconds or a timecode.
        end: The frame after the last, in the same forms.
        start_number: Images of a sequence with lower numbers in their names are left out.
        raw: "WIDTHxHEIGHT@RATE" of an input that is nothing but RGB pixels of 8 bit.
        hwaccel: What decodes the video instead of the CPU, if it can, see `open_source`; "cuda"
            is the GPU of the session.
        allow_network: Whether `source` may be an address.
        first_mask: Where the mask that boxes and points become is saved as a PNG; None for
            nowhere.
        keep_partial: Whether the outputs of a run that ends early are completed with the frames
            that are done.
        resume: Whether what is done is kept in a hidden folder beside the first output, from which
            the same job goes on if it was interrupted.
        checkpoint_every: With `resume`: frames between two states to go on from.
        profile: Where a Chrome trace of some of the first frames goes; None for no trace.
    """

    source: str | Path
    masks: Sequence[str | Path] = ()
    boxes: Sequence[str] = ()
    points: Sequence[str] = ()
    no_points: Sequence[str] = ()
    objects: Collection[int | str] | None = None
    names: Mapping[int, str] = field(default_factory=dict)
    remap: Mapping[int, int] = field(default_factory=dict)
    outputs: Outputs = field(default_factory=Outputs)
    session: SessionSpec = field(default_factory=SessionSpec)
    refine: Refinement = field(default_factory=Refinement)
    direction: Direction = "forward"
    start: str | None = None
    end: str | None = None
    start_number: int | None = None
    raw: str | None = None
    hwaccel: str | None = None
    allow_network: bool = False
    first_mask: Path | None = None
    keep_partial: bool = False
    resume: bool = False
    checkpoint_every: int = 50
    profile: Path | None = None

    def check(self) -> None:
        """Refuse what can be found wrong before the input is opened.

        Raises:
            ConfigError: There is no mask, box or point, or options contradict each other.
            OutputError: Something cannot be written where it should stand.
        """
        self._check_types()
        if self.direction not in get_args(Direction):
            expected = ", ".join(get_args(Direction))
            raise ConfigError(f"`direction` is {self.direction!r}, expected {expected}")
        if self.checkpoint_every < 1:
            raise ConfigError(f"`checkpoint_every` is {self.checkpoint_every}, expected 1 or more")
        if not self.cuts() and not self.masks:
            raise ConfigError(
                "no objects selected",
                hint="pass `masks=[FILE]`, `boxes=['X,Y,W,H']` or `points=['X,Y']`",
            )
        self.session.check()
        if self.resume and str(self.source) == str(STDOUT):
            raise ConfigError(
                "`resume` reads the input again, which - does not allow", hint="use a file"
            )
        self.outputs.check(Path(self.source), [mask_path(str(each)) for each in self.masks])
        if self.profile is not None:
            check_trace(self.profile, self.outputs.overwrite)

    def _check_types(self) -> None:
        for name in ("masks", "boxes", "points", "no_points", "objects"):
            given = getattr(self, name)
            if given is not None and (isinstance(given, str) or not isinstance(given, Iterable)):
                raise ConfigError(f"`{name}` is {str(given)!r}, expected a list")
        for name, like in (("boxes", "10,20,300,200"), ("points", "10,20"), ("no_points", "10,20")):
            for each in getattr(self, name):
                if not isinstance(each, str):
                    raise ConfigError(f"`{name}` holds {each!r}, expected text such as {like!r}")
        for name in ("start", "end"):
            if not isinstance(given := getattr(self, name), str | None):
                raise ConfigError(
                    f"`{name}` is {given!r}, expected text: '120' for a frame, '4.5s' for seconds"
                )
        for new in self.remap.values():
            parse_id(str(new), "`remap`")

    @property
    def change(self) -> IdChange:
        """What is done to the IDs of the masks."""
        keep = None if self.objects is None else frozenset(self.objects)
        return IdChange(keep, self.remap)

    @property
    def need_probabilities(self) -> bool:
        """Whether results have to carry probabilities."""
        return self.outputs.need_probabilities or self.refine.does_something

    @property
    def need_overlays(self) -> bool:
        """Whether what a session draws reaches an output as it is."""
        changed = self.refine.does_something or self.direction != "forward" or self.resume
        return self.outputs.need_overlays and not changed

    def open(self, *, threads: bool = True) -> FrameSource:
        """Open the source; see `open_source`.

        Args:
            threads: Whether all of it is going to be read, so that it is worth it to start threads
                or a GPU's decoder.
        """
        return open_source(
            self.source,
            start=self.start,
            end=self.end,
            raw=self.raw,
            allow_network=self.allow_network,
            start_number=self.start_number,
            deep=self.outputs.need_depth,
            threads=threads,
            hwaccel=self._decoder() if threads else None,
        )

    def _decoder(self) -> str | None:
        own_gpu = self.hwaccel == "cuda" and self.session.device.startswith("cuda:")
        return self.session.device if own_gpu else self.hwaccel

    def prompts(self, info: VideoInfo) -> MaskPrompts:
        """Read the masks for the source; see `read_prompts`."""
        return read_prompts(
            [str(each) for each in self.masks],
            info,
            start=self.start,
            end=self.end,
            cuts=self.cuts(),
            change=self.change,
        )

    def cuts(self) -> list[Box | Clicks]:
        """The boxes, and the points by object.

        Raises:
            ConfigError: One has a wrong form, or points contradict each other.
        """
        points = [Point.parse(text, "`point`") for text in self.points]
        no_points = [Point.parse(text, "`no_point`") for text in self.no_points]
        return [*(Box.parse(text) for text in self.boxes), *clicks_of(points, no_points)]

    def first_mask_file(self, *, overwrite: bool = False) -> MaskFile | None:
        """The file for the mask that boxes and points become, if it is saved.

        Raises:
            OutputError: It cannot be written where it should stand.
        """
        if self.first_mask is None or not (self.boxes or self.points):
            return None
        return MaskFile(self.first_mask, overwrite=overwrite or self.outputs.overwrite)
