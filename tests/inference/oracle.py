"""JOINT as its specification says it, step by step: nothing cached, batched or fused.

The oracle that the session is compared with, and the naive path that it is timed against. The
memory holds what the paper's code holds, features of the third stage and mask crops; everything
else is made of them again for every frame. Attention writes out its matrices, the few-shot
learner asks autograd for its gradient, objects follow one another. Of jointvos it uses the
network's convolutions and the geometry of crops (`jointvos.ops`), which have tests of their own.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from jointvos.config import InferenceConfig
from jointvos.model import JointNet
from jointvos.ops import (
    TargetState,
    crop_first_frame,
    crop_image,
    crop_mask,
    limited_scale,
    marginals,
    moments,
    paste,
    scale_of_size,
    search_region,
    state_of_mask,
    updated_state,
)


def attend(query: Tensor, key: Tensor, value: Tensor, tau: float) -> Tensor:
    """Eq. 1; query [L,K], key [S,K], value [S,V]."""
    query, key = F.normalize(query, dim=-1), F.normalize(key, dim=-1)
    return torch.softmax(query @ key.T / tau, dim=-1) @ value


def instance_norm(tokens: Tensor) -> Tensor:
    """Of one map's tokens [h*w,C]."""
    variance = tokens.var(dim=0, correction=0)
    return (tokens - tokens.mean(dim=0)) / torch.sqrt(variance + 1e-5)


def tokens_of(maps: Tensor) -> Tensor:
    """Maps [N,C,h,w] as tokens [N*h*w,C]."""
    return maps.permute(0, 2, 3, 1).flatten(0, 2)


class OracleObject:
    """One object: the raw memory and where the target is."""

    def __init__(self, net: JointNet, config: InferenceConfig, image: Tensor, mask: Tensor) -> None:
        self.net, self.config = net, config
        self.state = state_of_mask(mask)
        self.scale = scale_of_size(self.state.size, config.crop_size, config.search_scale)
        self.base_size = self.state.size / self.scale[:, None]
        self.number = 1
        crop, mask_crop = crop_first_frame(
            image, mask[None], self.state, self.scale, config.crop_size
        )
        self.maps = [net.backbone(crop)[2]]
        self.masks = [mask_crop[0]]
        self.weights = torch.ones(1)
        self.newest = 0
        dim, k = net.config.feature_dim, net.config.kernel_size
        self.kernel = torch.zeros(net.config.encoding_dim, dim, k, k)
        self.learn(config.initial_steps)

    def heads(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """The features of both branches, [N,C,h,w] each."""
        transduction, induction = (
            F.conv2d(maps, part, padding=1) for part in self.net.heads.weight.chunk(2)
        )
        _, C, h, w = induction.shape
        energy = induction.square().sum(dim=(1, 2, 3), keepdim=True) + 1e-5
        spread = math.sqrt(1 / (C * self.net.config.kernel_size**2))
        return transduction, induction * spread * torch.sqrt(C * h * w / energy)

    def learn(self, steps: int) -> None:
        """Steepest descent on Eq. 6 over the whole memory."""
        features = self.heads(torch.cat(self.maps))[1]
        encodings = self.net.encode_masks(torch.stack(self.masks)[None])
        weights = encodings.importance[0] * self.weights[:, None, None, None]
        rho = self.net.learner.filter_reg
        padding = self.kernel.shape[-1] // 2
        for _ in range(steps):
            with torch.enable_grad():
                kernel = self.kernel.detach().requires_grad_()
                error = F.conv2d(features, kernel, padding=padding) - encodings.induction[0]
                objective = ((weights * error).square().sum() + (rho * kernel).square().sum()) / 2
                (gradient,) = torch.autograd.grad(objective, kernel)
            change = weights * F.conv2d(features, gradient, padding=padding)
            curvature = change.square().sum() + (rho * gradient).square().sum()
            length = gradient.square().sum() / curvature.clamp_min(1e-8)
            self.kernel = self.kernel - length * gradient

    def propagate(self, search: Tensor) -> Tensor:
        """E_tra* of the search frame's features [1,C,h,w]: Eqs. 2-5 from the raw memory."""
        branch, tau = self.net.transduction, self.net.config.temperature
        maps = self.heads(torch.cat(self.maps))[0]
        values = tokens_of(self.net.encode_masks(torch.stack(self.masks)[None]).transduction[0])
        every = tokens_of(maps)
        keys = branch.phi(every)
        encoded = []
        for one in maps:
            tokens = tokens_of(one[None])
            tokens = tokens + attend(branch.phi(tokens), keys, every, tau)
            encoded.append(instance_norm(tokens))
        query = tokens_of(search)
        query = instance_norm(query + attend(branch.phi(query), branch.phi(query), query, tau))
        out = attend(branch.psi(query), branch.psi(torch.cat(encoded)), values, tau)
        return out.T.reshape(1, -1, *search.shape[-2:])

    def remember(self, stage: Tensor, mask: Tensor) -> None:
        """Store a template; the oldest but the first goes if there is no room."""
        slot = self.newest + 1 if self.newest + 1 < self.config.memory_size else 1
        weights = self.weights.clone()
        if slot == len(self.maps):
            self.maps.append(stage)
            self.masks.append(mask)
            weights = torch.cat((weights, torch.zeros(1)))
        else:
            self.maps[slot], self.masks[slot] = stage, mask
        decay, least = self.config.template_decay, self.config.first_template_weight
        if self.newest == 0:
            weights = weights / (1 - decay)
            weights[slot] = decay
        else:
            weights[slot] = weights[self.newest] / (1 - decay)
        weights = weights / weights.sum()
        if weights[0] < least:
            weights = weights / (least + weights[1:].sum())
            weights[0] = least
        self.weights, self.newest = weights, slot

    def track(self, image: Tensor, previous: Tensor) -> Tensor:
        """Logits [Hv,Wv] of the next frame; `previous` is the last frame's merged probability."""
        crop, frame = self.config.crop_size, (image.shape[1], image.shape[2])
        self.number += 1
        is_due = self.number > 2 and self.number % self.config.template_interval == 0
        if is_due and self.config.memory_size > 1:
            self.remember(self.stage, crop_mask(previous[None], self.region, crop)[0])
            self.learn(self.config.update_steps)
        area = moments(marginals(previous[None]), frame)
        state = updated_state(area, self.state, self.config.min_target_area)
        self.scale = limited_scale(state.size, self.base_size, self.scale, self.config.scale_change)
        self.state = TargetState(state.center, self.base_size * self.scale[:, None])
        size = torch.tensor(crop).float()
        cells = size / 16
        offset = (cells + self.net.config.kernel_size) % 2 * self.scale * size / (2 * cells)
        self.region = search_region(self.state.center + offset, self.scale, crop, frame)
        stages = self.net.backbone(crop_image(image, self.region, crop))
        self.stage = stages[2]
        transduction, induction = self.heads(self.stage)
        found = F.conv2d(induction, self.kernel, padding=self.kernel.shape[-1] // 2)
        logits = self.net.decode(self.propagate(transduction) + found, stages)
        return paste(logits[0], self.region, frame, exact=self.config.exact_paste)[0]


class Oracle:
    """A session of the straightforward kind; both branches and the two-head encoder are needed."""

    def __init__(self, net: JointNet, config: InferenceConfig) -> None:
        self.net, self.config = net.eval(), config
        self.objects: dict[int, OracleObject] = {}
        self.merged: Tensor | None = None

    @torch.no_grad()
    def step(
        self, image: NDArray[np.uint8], masks: NDArray[np.uint8] | None = None
    ) -> NDArray[np.uint8]:
        """Labels of the next frame; `masks` holds new objects, as IDs per pixel."""
        frame = torch.from_numpy(image).permute(2, 0, 1)
        logits = [
            one.track(frame, self.merged[i + 1]) for i, one in enumerate(self.objects.values())
        ]
        for object_id in np.setdiff1d([] if masks is None else masks, [0]).tolist():
            mask = torch.from_numpy(masks == object_id).float()
            self.objects[object_id] = OracleObject(self.net, self.config, frame, mask)
            logits.append((2 * mask - 1) * 100)
        probabilities = [s.sigmoid() for s in logits]
        background = torch.ones_like(logits[0])
        for probability in probabilities:
            background = background * (1 - probability)
        background = background.clamp(1e-7, 1 - 1e-7)
        background = torch.log(background / (1 - background))
        self.merged = torch.softmax(torch.stack([background, *logits]), dim=0)
        ids = np.array([0, *self.objects], dtype=np.uint8)
        return ids[self.merged.argmax(dim=0).numpy()]
