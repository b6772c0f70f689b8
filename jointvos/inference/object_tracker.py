"""One object through a video: where it is sought, what is remembered of it.

Reading (`search_region`, `search_encoding`) changes nothing; `commit` is the only mutation, after
all objects of the frame have been merged.
"""

import torch
from torch import Tensor

from jointvos.config import InferenceConfig
from jointvos.inference.memory_bank import MemoryBank, Template
from jointvos.model import FrameFeatures, JointNet, TargetModel, TemplateKeys
from jointvos.ops import (
    SearchRegion,
    TargetState,
    crop_mask,
    limited_scale,
    scale_of_size,
    search_region,
    updated_state,
)


class ObjectTracker:
    """State of one object.

    Attributes:
        object_id: The user's id.
        state: Place and extent of the target in the last frame.
        scale: Video pixels per crop pixel, float32 scalar.
        bank: Its templates.
        target_model: Kernel of the induction branch; None without that branch.
        keys: The memory as the transduction branch reads it; None without that branch.
    """

    def __init__(
        self, net: JointNet, config: InferenceConfig, object_id: int, state: TargetState
    ) -> None:
        self.net = net
        self.config = config
        self.object_id = object_id
        self.state = state
        self.scale = scale_of_size(state.size, config.crop_size, config.search_scale)
        self.base_size = state.size / self.scale
        self.frame_number = 1
        self.bank: MemoryBank
        self.target_model: TargetModel | None = None
        self.keys: TemplateKeys | None = None

    def learn_first(self, features: FrameFeatures, mask: Tensor) -> None:
        """Start the memory with the first frame's crop: features with B = 1, mask [1,H,W]."""
        self.bank = MemoryBank(self._template(features, mask), self.config)
        self._learn(self.config.initial_steps)

    def search_region(self, frame: tuple[int, int]) -> SearchRegion:
        """Where to look in the next frame of that height and width.

        The centre lies half a feature cell off where feature map and kernel have the same parity,
        as in the paper's code.
        """
        crop = torch.tensor(self.config.crop_size).float()
        cells = (crop / 16).int()
        parity = (cells + self.net.config.kernel_size) % 2
        offset = parity * self.scale * crop / (2 * cells)
        return search_region(self.state.centre + offset, self.scale, self.config.crop_size, frame)

    def search_encoding(self, features: FrameFeatures) -> Tensor:
        """E_tra* + E_ind* of the search frame, features with B = 1; [1,D,h,w]."""
        parts = []
        if self.keys is not None and features.transduction is not None:
            parts.append(self.net.propagate(features.transduction, self.keys))
        if self.target_model is not None and features.induction is not None:
            parts.append(self.net.apply_target_model(self.target_model, features.induction))
        return torch.stack(parts).sum(0)

    def commit(
        self,
        probability: Tensor,
        moments: Tensor,
        features: FrameFeatures | None,
        region: SearchRegion | None,
    ) -> None:
        """Take over the merged result of a frame.

        Args:
            probability: Of this object, [Hv,Wv].
            moments: Row of `ops.moments` of it.
            features: Of the frame's crop, B = 1; None in the object's first frame.
            region: Where the crop was; None in the object's first frame.
        """
        is_template = (self.frame_number + 1) % self.config.template_interval == 0
        if features is not None and region is not None and is_template:
            mask = crop_mask(probability[None], region, self.config.crop_size)
            if self.bank.add(self._template(features, mask)):
                self._learn(self.config.update_steps)
        state = updated_state(moments, self.state, self.config.min_target_area)
        self.scale = limited_scale(state.size, self.base_size, self.scale, self.config.scale_change)
        self.state = TargetState(state.centre, self.base_size * self.scale)
        self.frame_number += 1

    def _template(self, features: FrameFeatures, mask: Tensor) -> Template:
        encodings = self.net.encode_masks(mask[None, None])
        return Template(features.transduction, features.induction, encodings)

    def _learn(self, steps: int) -> None:
        """Renew what is derived from the memory: the template keys and the target model."""
        encodings = self.bank.encodings
        if self.net.transduction is not None and encodings.transduction is not None:
            self.keys = self.net.encode_templates(self.bank.transduction, encodings.transduction)
        if self.net.learner is not None and steps > 0:
            features = self.bank.induction
            self.target_model = self.net.fit_target_model(
                features,
                encodings,
                template_weights=self.bank.weights[None].to(features.device),
                start=self.target_model,
                steps=steps,
            )
