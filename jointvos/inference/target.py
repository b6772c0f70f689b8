"""Where the targets of a group are, from frame to frame, and where to look for them next."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from jointvos.config import InferenceConfig
from jointvos.inference.reach import CELL, main_cells, within_reach
from jointvos.inference.state import loaded, loaded_tensor
from jointvos.ops import (
    SearchRegion,
    TargetState,
    limited_scale,
    scale_of_size,
    search_region,
    updated_state,
)

ANY_CHANGE = (0.25, 4.0)
"""Limits of the scale change from before a cut to where the target is seen again."""


@dataclass(frozen=True)
class Target:
    """What the last frame says of the targets of a group; tensors of the device, one row each.

    Attributes:
        state: Places and extents.
        base_size: Extents at a scale of 1, [O,2].
        given_area: Of the boxes of the user's masks, pixels, [O].
        scale: Video pixels per crop pixel, [O].
        area: Sums of probabilities, [O].
        cells: The squares that they occupied, bool [O,h,w], none of a target that was all but
            gone; None without a reach, and before there is a result.
    """

    state: TargetState
    base_size: Tensor
    given_area: Tensor
    scale: Tensor
    area: Tensor
    cells: Tensor | None = None

    @classmethod
    def at(cls, state: TargetState, config: InferenceConfig) -> "Target":
        """Where masks from the user are, at their scale."""
        scale = scale_of_size(state.size, config.crop_size, config.search_scale)
        given_area, area = state.size.prod(-1), torch.zeros_like(scale)
        return cls(state, state.size / scale[:, None], given_area, scale, area)

    def least(self, area: float, config: InferenceConfig) -> Tensor:
        """A least area, lower for targets that are small themselves, [O]."""
        if config.min_target_share == 0:
            return torch.full_like(self.given_area, area)
        return (config.min_target_share * self.given_area).clamp_max(area)

    def region(
        self, config: InferenceConfig, kernel_size: int, frame: tuple[int, int]
    ) -> SearchRegion:
        """Where to look next, in a frame of that height and width."""
        return _region(self.state.center, self.scale, config, kernel_size, frame)

    def closer_region(
        self, moments: Tensor, config: InferenceConfig, kernel_size: int, frame: tuple[int, int]
    ) -> SearchRegion:
        """Where to look again after a look at the whole frame, at the usual scale.

        Args:
            moments: Of what was found there, [O,5].
            config: How to run it.
            kernel_size: Of the target model.
            frame: Height and width.
        """
        found = updated_state(moments, self.state, self.least(config.min_target_area, config))
        scale = limited_scale(found.size, self.base_size, self.scale, ANY_CHANGE)
        return _region(found.center, scale, config, kernel_size, frame)

    def within_reach(self, logits: Tensor, config: InferenceConfig) -> Tensor:
        """Logits without what is too far from the last masks to be the targets.

        Shapes: [O,Hv,Wv], in and out.
        """
        if self.cells is None:
            return logits
        return within_reach(logits, self.cells, config.reach * self.area.sqrt(), self.area)

    def moved(
        self, moments: Tensor, masks: Tensor, limits: tuple[float, float], config: InferenceConfig
    ) -> "Target":
        """After a frame.

        Args:
            moments: Of the merged probabilities, [O,5].
            masks: Where each is the most probable one, bool [O,Hv,Wv].
            limits: Of the scale's change.
            config: How to run it.
        """
        least = self.least(config.min_target_area, config)
        state = updated_state(moments, self.state, least)
        scale = limited_scale(state.size, self.base_size, self.scale, limits)
        area = moments[:, 0]
        cells = None
        if config.reach > 0:
            cells = main_cells(masks) & (area >= least)[:, None, None]
        state = TargetState(state.center, self.base_size * scale[:, None])
        return replace(self, state=state, scale=scale, area=area, cells=cells)

    def state_dict(self) -> dict[str, Any]:
        """The tensors themselves, not copies."""
        return {**vars(self), "state": dict(vars(self.state))}

    @classmethod
    def loaded(
        cls,
        state: Mapping[str, Any],
        objects: int,
        frame: tuple[int, int],
        device: torch.device,
    ) -> "Target":
        """Of a `state_dict` of so many objects in frames of that size.

        Raises:
            ConfigError: It is none, or one of other objects.
        """
        cells = None
        if loaded(state, "cells", Tensor | None) is not None:
            grid = (math.ceil(side / CELL) for side in frame)
            cells = loaded_tensor(state, "cells", objects, *grid, device=device)
        return cls(
            loaded_state(loaded(state, "state", Mapping), objects, device),
            loaded_tensor(state, "base_size", objects, 2, device=device),
            loaded_tensor(state, "given_area", objects, device=device),
            loaded_tensor(state, "scale", objects, device=device),
            loaded_tensor(state, "area", objects, device=device),
            cells,
        )


def loaded_state(state: Mapping[str, Any], objects: int, device: torch.device) -> TargetState:
    """Places and extents of a saved state, on the device.

    Raises:
        ConfigError: They are of other objects.
    """
    return TargetState(
        loaded_tensor(state, "center", objects, 2, device=device),
        loaded_tensor(state, "size", objects, 2, device=device),
    )


def whole_frame(
    objects: int, config: InferenceConfig, frame: tuple[int, int], device: torch.device
) -> SearchRegion:
    """Where to look after a cut: everywhere."""
    scale = max(side / crop for side, crop in zip(frame, config.crop_size, strict=True))
    middle = torch.tensor([[side / 2 for side in frame]]).to(device).expand(objects, -1)
    return search_region(
        middle, torch.full((objects,), scale, device=device), config.crop_size, frame
    )


def _region(
    center: Tensor, scale: Tensor, config: InferenceConfig, kernel_size: int, frame: tuple[int, int]
) -> SearchRegion:
    """Regions around places.

    Their centers lie half a feature cell off where feature map and kernel have the same parity,
    as in the paper's code.
    """
    offset = []
    for side in config.crop_size:
        cells = side // 16
        offset.append((cells + kernel_size) % 2 * scale * side / (2 * cells))
    return search_region(center + torch.stack(offset, 1), scale, config.crop_size, frame)
