"""How long a batch will take, from a few frames of one of its videos."""

import statistics
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

from jointvos.batch.attempt import logged
from jointvos.batch.checking import moved
from jointvos.batch.places import share_cores, threads_of
from jointvos.batch.plan import Due
from jointvos.batch.processes import apart
from jointvos.errors import JointVOSError
from jointvos.runs import Opened, SegmentedFrame, segment_video

_FRAMES = 4


@dataclass(frozen=True)
class Pace:
    """What an object costs a worker.

    Attributes:
        video_s: Seconds for a video's first frame.
        frame_s: Seconds for each other frame.
    """

    video_s: float
    frame_s: float

    def seconds(self, videos: Iterable[tuple[int, int]], workers: int) -> float:
        """For videos of so many frames and objects."""
        total = longest = 0.0
        for frames, objects in videos:
            each = (self.video_s + (frames - 1) * self.frame_s) * max(1, objects)
            total, longest = total + each, max(longest, each)
        return max(total / workers, longest)


def measure_pace(video: Due, places: Sequence[str]) -> Pace | None:
    """Segment the first frames of a video as a worker would; None if that does not work."""
    return apart(_measure, video, places)


def _measure(video: Due, places: Sequence[str]) -> Pace | None:
    share_cores(threads_of(len(places)))
    job = video.task.job
    times = []
    # Its warnings are known from the check.
    with TemporaryDirectory(prefix="jointvos-") as folder, logged([]):
        job = replace(
            job,
            outputs=moved(job.outputs, Path(folder)),
            first_mask=None,
            session=replace(job.session, device=places[0]),
            resume=False,
        )
        try:
            model = job.session.load()
            with segment_video(job, model) as run:
                for event in run:
                    if isinstance(event, Opened | SegmentedFrame):
                        times.append(time.perf_counter())
                    if len(times) > _FRAMES:
                        break
        except JointVOSError:
            return None
    taken = [later - earlier for earlier, later in pairwise(times)]
    if not taken:
        return None
    objects = max(1, video.objects)
    rest = statistics.median(taken[1:]) if taken[1:] else taken[0]
    return Pace(taken[0] / objects, rest / objects)
