"""One object through a video: where it is sought, what is remembered of it.

Reading (`search_region`, `search_encoding`) changes nothing. What changes an object (`begin_shot`,
`correct`, `learn`, `move`) is applied to a copy, which takes its place when the frame is done;
tensors are replaced, never changed in place, so that the copy may share them.
"""

import math
from collections.abc import Mapping
from copy import copy, deepcopy
from typing import Any

import torch
from torch import Tensor

from jointvos.config import InferenceConfig
from jointvos.errors import ConfigError
from jointvos.inference.device import upload
from jointvos.inference.memory_bank import MemoryBank, Template
from jointvos.inference.reach import main_cells, within_reach
from jointvos.inference.stages import Stage, stage
from jointvos.inference.state import loaded, loaded_tensor
from jointvos.model import EncodedTemplate, FrameFeatures, JointNet, TargetModel, TemplateKeys
from jointvos.ops import (
    SearchRegion,
    TargetState,
    crop_mask,
    limited_scale,
    scale_of_size,
    search_region,
    updated_state,
)

ANY_CHANGE = (0.25, 4.0)
"""Limits of the scale change from before a cut to where the target is seen again."""


class ObjectTracker:
    """State of one object.

    Args:
        net: The network, on its device.
        config: How to run it.
        object_id: The user's ID.
        state: Place and extent in the first frame; None for an object that a saved state is loaded
            into.

    Attributes:
        object_id: The user's ID.
        state: Place and extent of the target in the last frame.
        area: Its sum of probabilities there.
        cells: The squares it occupied there, for its reach; None without one, or if it was all but
            gone.
        scale: Video pixels per crop pixel, float32 scalar.
        bank: Its templates.
        target_model: Kernel of the induction branch; None without that branch.
        encoded: The templates in the template encoder, by slot; none without that branch.
        keys: The memory as the transduction branch reads it; None without that branch.
        prompted: Place and extent of the last mask from the user.
        paused: Whether it has not been seen again with certainty since a cut.
    """

    def __init__(
        self,
        net: JointNet,
        config: InferenceConfig,
        object_id: int,
        state: TargetState | None = None,
    ) -> None:
        self.net = net
        self.config = config
        self.object_id = object_id
        self.frame_number = 1
        self.paused = False
        if state is not None:
            self.place(state)
        self.area = 0.0
        self.cells: Tensor | None = None
        self.bank: MemoryBank
        self.target_model: TargetModel | None = None
        self.encoded: tuple[EncodedTemplate, ...] = ()
        self.keys: TemplateKeys | None = None

    def copy(self) -> "ObjectTracker":
        """One that changes on its own."""
        other = copy(self)
        other.bank = self.bank.copy()
        return other

    def state_dict(self) -> dict[str, Any]:
        """All that changes in an object, what could be derived again included.

        Running sums depend on the order in which they were made. The tensors are the object's own,
        not copies.
        """
        return {
            "object_id": self.object_id,
            "frame_number": self.frame_number,
            "paused": self.paused,
            "state": dict(vars(self.state)),
            "prompted": dict(vars(self.prompted)),
            "area": self.area,
            "cells": self.cells,
            "scale": self.scale,
            "base_size": self.base_size,
            "bank": self.bank.state_dict(),
            "target_model": None if self.target_model is None else self.target_model.kernel,
            # Their maps are those of the bank's templates.
            "encoded": [
                {"attended": one.attended, "total": one.total, "taken_back": one.taken_back}
                for one in self.encoded
            ],
            "keys": None if self.keys is None else dict(vars(self.keys)),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Become the object that `state` comes from, with its memory on the network's device.

        Raises:
            ConfigError: It is no state of an object, or of one that another network follows.
        """
        device = next(self.net.parameters()).device
        net, bank = self.net.config, MemoryBank(None, self.config)
        bank.load_state_dict(loaded(state, "bank", Mapping), device)
        self.bank = bank
        self.object_id = loaded(state, "object_id", int)
        self.frame_number = loaded(state, "frame_number", int)
        self.paused = loaded(state, "paused", bool)
        self.state = _target_state(loaded(state, "state", Mapping))
        self.prompted = _target_state(loaded(state, "prompted", Mapping))
        self.area = loaded(state, "area", float)
        self.scale = loaded_tensor(state, "scale")
        self.base_size = loaded_tensor(state, "base_size", 2)
        self.cells = self.target_model = self.keys = None
        if loaded(state, "cells", Tensor | None) is not None:
            self.cells = loaded_tensor(state, "cells", None, None)
        if net.induction:
            shape = (1, net.encoding_dim, net.feature_dim, net.kernel_size, net.kernel_size)
            self.target_model = TargetModel(
                loaded_tensor(state, "target_model", *shape, device=device)
            )
        if not net.transduction:
            return
        cells = math.prod(bank.grid)
        keys, encoded = loaded(state, "keys", Mapping), loaded(state, "encoded", list)
        if len(encoded) != len(bank):
            raise ConfigError(
                f"the saved object has {len(bank)} templates, but {len(encoded)} encoded ones"
            )
        shapes = {"keys": net.key_dim, "values": net.encoding_dim}
        self.keys = TemplateKeys(
            **{
                name: loaded_tensor(keys, name, 1, len(bank) * cells, width, device=device)
                for name, width in shapes.items()
            }
        )
        self.encoded = tuple(
            EncodedTemplate(
                features,
                loaded_tensor(one, "attended", cells, net.feature_dim, device=device),
                loaded_tensor(one, "total", cells, device=device),
                loaded(one, "taken_back", int),
            )
            for features, one in zip(bank.transduction, encoded, strict=True)
        )

    def place(self, state: TargetState) -> None:
        """Put the search where a mask from the user is, at that mask's scale."""
        self.prompted = self.state = state
        self.scale = scale_of_size(state.size, self.config.crop_size, self.config.search_scale)
        self.base_size = state.size / self.scale

    def learn_first(self, features: FrameFeatures, mask: Tensor) -> None:
        """Start the memory with the first frame's crop: features with B = 1, mask [1,H,W]."""
        self.bank = MemoryBank(self._template(features, mask), self.config)
        self._learn(self.config.initial_steps)

    def correct(self, features: FrameFeatures, mask: Tensor) -> None:
        """Learn another mask [1,H,W] of the user, for good; the crop is that of a first frame.

        Templates that were learned meanwhile go: they show results that had to be corrected.
        """
        self.paused = False
        self.bank.forget()
        self.bank.add(self._template(features, mask), permanent=True)
        self._learn(self.config.initial_steps)

    def begin_shot(self) -> None:
        """Mind a cut: search the whole frame and learn nothing until the target is seen again."""
        self.paused = True
        if self.config.cuts == "reset":
            self.place(self.prompted)
            self.bank.forget()
            self.target_model = None
            self._learn(self.config.initial_steps)

    def shrink(self, memory_size: int) -> None:
        """Go on with fewer templates."""
        before = len(self.bank)
        self.bank.shrink(memory_size)
        if len(self.bank) < before:
            self._learn(0)

    def fill_memory(self) -> None:
        """Fill the memory with copies of its template, if it holds but one."""
        if len(self.bank) > 1:
            return
        (first,) = self.bank.templates
        for _ in range(self.bank.size - 1):
            self.bank.add(deepcopy(first))
        encodings = self.bank.encodings.transduction
        if self.keys is not None and encodings is not None:
            (encoded,) = self.encoded
            self.encoded = encoded.copies(self.bank.transduction)
            self.keys = self.net.template_keys(self.encoded, encodings)

    def takes_template(self, asked: bool | None = None) -> bool:
        """Whether the next frame becomes a template, by the interval if it is not asked for."""
        due = (self.frame_number + 1) % self.config.template_interval == 0
        return (due if asked is None else asked) and not self.paused

    def search_region(self, frame: tuple[int, int]) -> SearchRegion:
        """Where to look in the next frame of that height and width; after a cut everywhere."""
        if self.paused:
            whole = torch.tensor(frame).float()
            scale = (whole / torch.tensor(self.config.crop_size)).max()
            return search_region(whole / 2, scale, self.config.crop_size, frame)
        return self._region(self.state.center, self.scale, frame)

    def closer_region(self, moments: Tensor, frame: tuple[int, int]) -> SearchRegion | None:
        """Where to look again after a look at the whole frame, at the usual scale; None: nowhere.

        Args:
            moments: Row [5] of `ops.moments` of what was found there.
            frame: Height and width.
        """
        if float(moments[0]) < self.config.min_target_area:
            return None
        found = updated_state(moments, self.state, self.config.min_target_area)
        scale = limited_scale(found.size, self.base_size, self.scale, ANY_CHANGE)
        return self._region(found.center, scale, frame)

    def _region(self, center: Tensor, scale: Tensor, frame: tuple[int, int]) -> SearchRegion:
        """Region around a place.

        Its center lies half a feature cell off where feature map and kernel have the same parity,
        as in the paper's code.
        """
        crop = torch.tensor(self.config.crop_size).float()
        cells = (crop / 16).int()
        parity = (cells + self.net.config.kernel_size) % 2
        offset = parity * scale * crop / (2 * cells)
        return search_region(center + offset, scale, self.config.crop_size, frame)

    def search_encoding(self, features: FrameFeatures) -> Tensor:
        """E_tra* + E_ind* of the search frame, features with B = 1; [1,D,h,w]."""
        parts = []
        if self.keys is not None and features.transduction is not None:
            with stage(Stage.TRANSDUCTION):
                parts.append(self.net.propagate(features.transduction, self.keys))
        if self.target_model is not None and features.induction is not None:
            with stage(Stage.INDUCTION):
                parts.append(self.net.apply_target_model(self.target_model, features.induction))
        return torch.stack(parts).sum(0)

    def within_reach(self, logits: Tensor) -> Tensor:
        """Logits [Hv,Wv] without what is too far from the last mask to be the target."""
        if self.cells is None or self.paused:
            return logits
        cells = upload(self.cells.numpy(), logits.device)
        return within_reach(logits, cells, self.config.reach * math.sqrt(self.area), self.area)

    def learn(self, probability: Tensor, features: FrameFeatures, region: SearchRegion) -> None:
        """Keep the merged result of a frame as a template.

        Args:
            probability: Of this object, [Hv,Wv].
            features: Of the frame's crop, B = 1.
            region: Where the crop was.
        """
        mask = crop_mask(probability[None], region, self.config.crop_size)
        if self.bank.add(self._template(features, mask)):
            self._learn(self.config.update_steps)

    def move(self, probability: Tensor, moments: Tensor, mask: Tensor) -> None:
        """End a frame: follow its merged result.

        Args:
            probability: Of this object, [Hv,Wv].
            moments: Row [5] of `ops.moments` of it.
            mask: Where it is the most probable one, bool [Hv,Wv] on the CPU.
        """
        self.frame_number += 1
        limits = self.config.scale_change
        if self.paused:
            if not self._is_certain(probability):
                return
            self.paused, limits = False, ANY_CHANGE
        state = updated_state(moments, self.state, self.config.min_target_area)
        self.scale = limited_scale(state.size, self.base_size, self.scale, limits)
        self.state = TargetState(state.center, self.base_size * self.scale)
        self.area = float(moments[0])
        there = self.config.reach > 0 and self.area >= self.config.min_target_area
        self.cells = main_cells(mask) if there else None

    def _is_certain(self, probability: Tensor) -> bool:
        """Whether a probability [Hv,Wv] leaves no doubt that the target is there."""
        certain = probability[probability > 0.5]
        if len(certain) < max(self.config.seen_area, 1):
            return False
        return float(certain.mean()) >= self.config.seen_probability

    def _template(self, features: FrameFeatures, mask: Tensor) -> Template:
        """Of features with B = 1; views into a batch are copied, so that the batch can go."""
        half = self.config.memory_precision == "fp16"
        own = features.alone(torch.float16 if half else None)
        with stage(Stage.LABELS):
            encodings = self.net.encode_masks(mask[None, None])
        return Template(own.transduction, own.induction, encodings)

    def _learn(self, steps: int) -> None:
        """Renew what is derived from the memory: the template keys and the target model."""
        encodings = self.bank.encodings
        if self.net.transduction is not None and encodings.transduction is not None:
            with stage(Stage.TEMPLATES):
                self.encoded = self.net.renew_templates(self.encoded, self.bank.transduction)
                self.keys = self.net.template_keys(self.encoded, encodings.transduction)
        if self.net.learner is not None and steps > 0:
            with stage(Stage.LEARNER):
                features = self.bank.induction
                self.target_model = self.net.fit_target_model(
                    features,
                    encodings,
                    template_weights=self.bank.weights[None].to(features.device),
                    start=self.target_model,
                    steps=steps,
                )


def _target_state(state: Mapping[str, Any]) -> TargetState:
    return TargetState(loaded_tensor(state, "center", 2), loaded_tensor(state, "size", 2))
