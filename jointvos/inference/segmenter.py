"""`VideoSegmenter`: the session that follows objects through one video.

A frame goes through three phases: every object is predicted on its own (nothing changes), the
predictions are merged by soft aggregation, and the merged result is committed to every object.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from jointvos.config import INFERENCE, InferenceConfig
from jointvos.errors import MaskError, MaskSizeMismatch, UnsupportedMediaError
from jointvos.inference.device import choose_device, choose_dtype, out_of_memory_as_error
from jointvos.inference.object_tracker import ObjectTracker
from jointvos.model import FrameFeatures, JointNet
from jointvos.ops import (
    SearchRegion,
    crop_first_frame,
    crop_image,
    moments,
    paste,
    soft_aggregate,
    state_of_mask,
)
from jointvos.types import VOID, Frame, FrameResult, Image, LabelMap, ObjectState

GIVEN_LOGIT = 100.0
"""Logit of a mask that the user gave, in the frame it was given for."""


@dataclass(frozen=True)
class _Seen:
    """What one object contributes to a frame before the merge."""

    logits: Tensor
    features: FrameFeatures | None = None
    region: SearchRegion | None = None


class VideoSegmenter:
    """Follows objects through one video, one frame at a time.

    Example:
        >>> segmenter = VideoSegmenter(load_model("joint-small"))
        >>> result = segmenter.step(first_image, first_mask)
        >>> result = segmenter.step(next_image)

    Args:
        net: The network; it is moved to the device.
        config: How to run it; the network's own preset by default.
        device: "auto", "cpu", "cuda", "cuda:N" or "mps".
        precision: "auto", "fp32", "bf16" or "fp16".
        probabilities: Whether results carry the probability maps.

    Raises:
        DeviceUnavailable: The device is not there.
        ConfigError: Device or precision are unknown or do not fit.
    """

    def __init__(
        self,
        net: JointNet,
        config: InferenceConfig | None = None,
        *,
        device: str = "auto",
        precision: str = "auto",
        probabilities: bool = False,
    ) -> None:
        self.device = choose_device(device)
        self.dtype = choose_dtype(precision, self.device)
        with out_of_memory_as_error(self.device):
            # Convolutions on the CPU run about a third faster with channels last.
            net.to(memory_format=torch.channels_last)
            self.net = net.to(self.device).eval()
        self.config = config or INFERENCE[net.config.inference]
        self.keep_probabilities = probabilities
        self.trackers: list[ObjectTracker] = []
        self._frame: tuple[int, int] | None = None
        self._count = 0

    @property
    def object_ids(self) -> tuple[int, ...]:
        """Ids in the order in which the objects appeared."""
        return tuple(tracker.object_id for tracker in self.trackers)

    def segment(
        self, frames: Iterable[Frame], first_mask: LabelMap
    ) -> Iterator[tuple[Frame, FrameResult]]:
        """Every frame with its result; the mask belongs to the first of them."""
        masks: LabelMap | None = first_mask
        for frame in frames:
            yield frame, self.step(frame.image, masks, index=frame.index)
            masks = None

    def step(
        self, image: Image, masks: LabelMap | None = None, *, index: int | None = None
    ) -> FrameResult:
        """Segment the next frame.

        Args:
            image: RGB, uint8 [Hv,Wv,3], of one size throughout.
            masks: Ids per pixel, uint8 [Hv,Wv], of objects that are new in this frame; 0 and 255
                are no object.
            index: Number that the result carries; counted from 0 by default.

        Raises:
            MaskSizeMismatch: Mask and image differ in size.
            MaskError: An object is given again that is followed already.
            UnsupportedMediaError: The image's size differs from the first one's.
            OutOfDeviceMemory: The device's memory does not suffice.
        """
        size = self._check(image, masks)
        with torch.inference_mode(), out_of_memory_as_error(self.device):
            frame = torch.from_numpy(np.require(image, requirements=["C", "W"])).to(self.device)
            frame = frame.permute(2, 0, 1).contiguous()
            autocast = torch.autocast(self.device.type, self.dtype, enabled=self.dtype is not None)
            with autocast:
                seen = self._predict(frame, size)
                if masks is not None:
                    seen += self._start(frame, masks)
                if seen:
                    probabilities = soft_aggregate(torch.stack([s.logits for s in seen]).float())
                    self._commit(seen, probabilities)
                else:
                    probabilities = torch.ones(1, *size, device=self.device)
            result = self._result(probabilities, self._count if index is None else index)
        self._count += 1
        return result

    def _check(self, image: Image, masks: LabelMap | None) -> tuple[int, int]:
        size = (image.shape[0], image.shape[1])
        self._frame = self._frame or size
        if size != self._frame:
            raise UnsupportedMediaError(
                f"frame {self._count} is {size[1]}x{size[0]}, the first was "
                f"{self._frame[1]}x{self._frame[0]}; all frames must have one size"
            )
        if masks is not None and masks.shape != size:
            raise MaskSizeMismatch(
                f"the mask is {masks.shape[1]}x{masks.shape[0]}, the frame {size[1]}x{size[0]}; "
                "they must have one size"
            )
        if masks is not None and (known := np.intersect1d(masks, self.object_ids)).size:
            raise MaskError(f"object {known[0]} is followed already; give it a free id")
        return size

    def _predict(self, frame: Tensor, size: tuple[int, int]) -> list[_Seen]:
        """All objects in one pass of backbone and decoder; reads state only."""
        if not self.trackers:
            return []
        crop = self.config.crop_size
        regions = [tracker.search_region(size) for tracker in self.trackers]
        crops = torch.stack([crop_image(frame, region, crop) for region in regions])
        features = self.net.encode_image(crops)
        each = [features.of(i) for i in range(len(self.trackers))]
        encodings = [
            tracker.search_encoding(own) for tracker, own in zip(self.trackers, each, strict=True)
        ]
        logits = self.net.decode(torch.cat(encodings), features.stages, crop)
        return [
            _Seen(paste(scores, region, size), own, region)
            for scores, own, region in zip(logits, each, regions, strict=True)
        ]

    def _start(self, frame: Tensor, masks: LabelMap) -> list[_Seen]:
        """Trackers for the objects that a mask introduces."""
        given = torch.from_numpy(np.require(masks, requirements=["C", "W"])).to(self.device)
        seen = []
        for object_id in np.setdiff1d(np.unique(masks), [0, VOID]).tolist():
            mask = (given == object_id).float()
            state = state_of_mask(mask)
            tracker = ObjectTracker(self.net, self.config, object_id, state)
            image_crop, mask_crop = crop_first_frame(
                frame, mask[None], state, tracker.scale, self.config.crop_size
            )
            tracker.learn_first(self.net.encode_image(image_crop[None]), mask_crop)
            self.trackers.append(tracker)
            seen.append(_Seen((2 * mask - 1) * GIVEN_LOGIT))
        return seen

    def _commit(self, seen: list[_Seen], probabilities: Tensor) -> None:
        rows = moments(probabilities[1:])
        for i, (tracker, own) in enumerate(zip(self.trackers, seen, strict=True)):
            tracker.commit(probabilities[i + 1], rows[i], own.features, own.region)

    def _result(self, probabilities: Tensor, index: int) -> FrameResult:
        confidence, winner = probabilities.max(dim=0)
        ids = np.array([0, *self.object_ids], dtype=np.uint8)
        indices = winner.to(torch.uint8).cpu().numpy()
        certainty = confidence.cpu().numpy()
        return FrameResult(
            index=index,
            labels=ids[indices],
            objects=tuple(
                _object_state(object_id, indices == i + 1, certainty)
                for i, object_id in enumerate(self.object_ids)
            ),
            probabilities=probabilities.cpu().numpy() if self.keep_probabilities else None,
        )


def _object_state(
    object_id: int, mask: np.ndarray[tuple[int, ...], np.dtype[np.bool_]], certainty: np.ndarray
) -> ObjectState:
    ys, xs = np.nonzero(mask)
    if not len(ys):
        return ObjectState(object_id, 0, None, None, None)
    left, top = int(xs.min()), int(ys.min())
    return ObjectState(
        id=object_id,
        area=len(ys),
        box=(left, top, int(xs.max()) - left + 1, int(ys.max()) - top + 1),
        centre=(float(xs.mean()), float(ys.mean())),
        mean_probability=float(certainty[ys, xs].mean()),
    )
