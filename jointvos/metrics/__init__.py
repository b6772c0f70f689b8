"""How good a segmentation is: J, F, and the protocols of DAVIS and YouTube-VOS, on numpy arrays.

One pair of masks (bool [Hv,Wv])::

    region_similarity(truth, predicted)     J
    contour_accuracy(truth, predicted)      F

One frame with several objects (ids, uint8 [Hv,Wv]), fast::

    score_frame(truth, predicted, ids)      J and F per object, float64 [O,2]

A sequence, and what a data set's table says::

    objects = score_sequence(true_frames, predicted_frames, "bear")
    aggregate(objects).jf_mean              mean, recall and decay as DAVIS has them
    aggregate_seen(objects).overall         G of YouTube-VOS

Frames may come from a generator; only one pair is held at a time. The numbers equal those of the
official DAVIS evaluation exactly; `davis` lists where it refuses or overflows and this does not.
"""

from jointvos.metrics.davis import DavisScore, ObjectScore, aggregate, score_sequence
from jointvos.metrics.frame import contour_accuracy, region_similarity, score_frame
from jointvos.metrics.youtubevos import YouTubeVOSScore, aggregate_seen

__all__ = [
    "DavisScore",
    "ObjectScore",
    "YouTubeVOSScore",
    "aggregate",
    "aggregate_seen",
    "contour_accuracy",
    "region_similarity",
    "score_frame",
    "score_sequence",
]
