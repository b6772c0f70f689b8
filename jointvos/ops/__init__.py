"""Geometry of targets, crops and frames, on tensors."""

from jointvos.ops.aggregate import soft_aggregate
from jointvos.ops.crop import (
    SearchRegion,
    crop_first_frame,
    crop_image,
    crop_mask,
    paste,
    search_region,
)
from jointvos.ops.target import (
    TargetState,
    limited_scale,
    marginals,
    moments,
    scale_of_size,
    state_of_mask,
    updated_state,
)

__all__ = [
    "SearchRegion",
    "TargetState",
    "crop_first_frame",
    "crop_image",
    "crop_mask",
    "limited_scale",
    "marginals",
    "moments",
    "paste",
    "scale_of_size",
    "search_region",
    "soft_aggregate",
    "state_of_mask",
    "updated_state",
]
