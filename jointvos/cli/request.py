"""What a run of `segment` is asked to do."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from jointvos.cli.given_masks import GivenMasks
from jointvos.cli.outputs import Outputs
from jointvos.cli.travel import Direction

if TYPE_CHECKING:
    from jointvos.media import Refinement


@dataclass(frozen=True)
class Request:
    """What a run is asked to do.

    Attributes:
        source: A video file or a folder of pictures.
        masks: What to follow.
        outputs: What is written.
        refine: What is done to results before.
        as_json: Whether results go to stdout as JSON Lines.
        start: First frame, as `media.open_source` takes it.
        end: The frame after the last.
        raw: Size and rate of an input that is nothing but pixels.
        allow_network: Whether the input may be an address.
        direction: Which way the objects are followed.
        find_cuts: Whether shots are told apart.
        keep_partial: Whether outputs of a run that fails are completed with the frames done.
        resume: Whether what is done is kept, to go on from.
        checkpoint_every: Frames between two states to go on from.
        profile: Where a Chrome trace of some frames goes.
    """

    source: Path
    masks: GivenMasks
    outputs: Outputs
    refine: "Refinement"
    as_json: bool = False
    start: str | None = None
    end: str | None = None
    raw: str | None = None
    allow_network: bool = False
    direction: Direction = "forward"
    find_cuts: bool = True
    keep_partial: bool = False
    resume: bool = False
    checkpoint_every: int = 50
    profile: Path | None = None
