"""What is said of an object in a frame, for programs."""

from typing import TypeAlias

from jointvos.types import Frame, FrameResult, ObjectState

Record: TypeAlias = dict[str, int | float | bool | list[int] | list[float] | None]


def object_record(state: ObjectState) -> Record:
    """One object, with rounded figures.

    `lost` says that no pixel is left of it, `paused` that nothing is learned of it since a cut.
    """
    p = state.mean_probability
    return {
        "area": state.area,
        "box": None if state.box is None else list(state.box),
        "centre": None if state.centre is None else [round(c, 2) for c in state.centre],
        "mean_probability": None if p is None else round(p, 4),
        "lost": state.area == 0,
        "paused": state.paused,
    }


def frame_record(frame: Frame) -> Record:
    """Number and time of a frame."""
    return {"frame": frame.index, "time": round(frame.time_s, 6)}


def records(frame: Frame, result: FrameResult) -> list[Record]:
    """One record for every object that is followed, in the order in which they appeared."""
    return [
        {
            **frame_record(frame),
            "cut": result.cut,
            "object": state.id,
            **object_record(state),
        }
        for state in result.objects
    ]
