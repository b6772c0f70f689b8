"""How good a segmentation is: J, F and the DAVIS protocol."""

from jointvos.metrics.boundary import contour_accuracy
from jointvos.metrics.davis import DavisScore, ObjectScore, aggregate, score_sequence
from jointvos.metrics.jaccard import region_similarity

__all__ = [
    "DavisScore",
    "ObjectScore",
    "aggregate",
    "contour_accuracy",
    "region_similarity",
    "score_sequence",
]
