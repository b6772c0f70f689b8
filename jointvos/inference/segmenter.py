"""`VideoSegmenter`: the session that follows objects through one video.

A frame goes through three phases: every object is predicted on its own (nothing changes), the
predictions are merged by soft aggregation, and every object learns from and follows the result.
All of it happens on copies of the objects, which take their place at the end: a frame that fails
is as if it had not been there, and may be tried again.
"""

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar, get_args

import numpy as np
import torch
from torch import Tensor

from jointvos.config import INFERENCE, InferenceConfig, OnOOM, to_dict
from jointvos.errors import ConfigError, MaskError, MaskSizeMismatch, UnsupportedMediaError
from jointvos.inference.device import choose_device, choose_dtype, upload
from jointvos.inference.object_tracker import ObjectTracker
from jointvos.inference.oom_retry import retried
from jointvos.inference.prompt import FramePrompt
from jointvos.inference.result import Findings, frame_result
from jointvos.inference.stages import Stage, stage
from jointvos.inference.state import loaded, on_cpu
from jointvos.model import FrameFeatures, JointNet
from jointvos.ops import (
    SearchRegion,
    crop_first_frame,
    crop_image,
    marginals,
    moments,
    paste,
    soft_aggregate,
    state_of_mask,
)
from jointvos.types import Frame, FrameResult, Image, LabelMap

Outcome = TypeVar("Outcome")

STATE_VERSION = 1
"""Of what `VideoSegmenter.state_dict` returns; raised when its layout changes."""


@dataclass(frozen=True)
class _Prediction:
    """What one object contributes to a frame before the merge.

    Attributes:
        logits: In the whole frame, [Hv,Wv].
        features: Of its search region, if they are going to be a template.
        region: Where that is.
    """

    logits: Tensor
    features: FrameFeatures | None = None
    region: SearchRegion | None = None


class VideoSegmenter:
    """Follows objects through one video, one frame at a time.

    Example:
        >>> segmenter = VideoSegmenter(load_model("joint-lite"))
        >>> result = segmenter.step(first_image, first_mask)
        >>> result = segmenter.step(next_image)

    Args:
        net: The network; it is moved to the device.
        config: How to run it; the network's own preset by default.
        device: "auto", "cpu", "cuda", "cuda:N" or "mps".
        precision: "auto", "fp32", "bf16" or "fp16".
        probabilities: Whether results carry the probability maps.
        on_oom: What to do when the device's memory does not suffice: "fail" at once, or "retry"
            the frame in smaller steps (fewer objects at a time, a smaller memory, the CPU), which
            stay in force. Smaller memories change what is found.
        say: Told of each of these steps in a line; a warning by default.

    Raises:
        DeviceUnavailable: The device is not there.
        ConfigError: Device or precision are unknown or do not fit.
        OutOfDeviceMemory: The device's memory does not suffice.
    """

    def __init__(
        self,
        net: JointNet,
        config: InferenceConfig | None = None,
        *,
        device: str = "auto",
        precision: str = "auto",
        probabilities: bool = False,
        on_oom: OnOOM = "fail",
        say: Callable[[str], None] = warnings.warn,
    ) -> None:
        if on_oom not in get_args(OnOOM):
            raise ConfigError(f"on_oom is {on_oom!r}, expected {' or '.join(get_args(OnOOM))}")
        self.device = choose_device(device)
        self.dtype = choose_dtype(precision, self.device)
        self.net = net
        self.config = config or INFERENCE[net.config.inference]
        self.keep_probabilities = probabilities
        self.on_oom: OnOOM = on_oom
        self.say = say
        self.trackers: list[ObjectTracker] = []
        self.objects_at_once = self.config.objects_at_once
        self._memory_size = self.config.memory_size
        self._frame: tuple[int, int] | None = None
        self._count = 0
        # Convolutions on the CPU run about a third faster with channels last.
        net.eval().to(memory_format=torch.channels_last)
        self._retried(lambda: net.to(self.device))

    @property
    def object_ids(self) -> tuple[int, ...]:
        """Ids in the order in which the objects appeared."""
        return tuple(tracker.object_id for tracker in self.trackers)

    def segment(
        self, frames: Iterable[Frame], first_mask: LabelMap
    ) -> Iterator[tuple[Frame, FrameResult]]:
        """Every frame with its result; the mask [Hv,Wv] belongs to the first of them."""
        masks: LabelMap | None = first_mask
        for frame in frames:
            yield frame, self.step(frame.image, masks, index=frame.index)
            masks = None

    def step(
        self,
        image: Image,
        masks: LabelMap | None = None,
        *,
        index: int | None = None,
        cut: bool = False,
        template: bool | None = None,
    ) -> FrameResult:
        """Segment the next frame.

        A mask of an object that is followed already corrects it: its result in this frame is the
        mask, which is learned like a first frame, becomes a permanent template in place of those
        that were learned since, and tells where the object is.

        Args:
            image: RGB, uint8 [Hv,Wv,3], of one size throughout.
            masks: Ids per pixel, uint8 or uint16 [Hv,Wv], of objects that are new in this frame or
                corrected. Of objects that do not occur, and (in uint8) where it is 255, nothing
                is said.
            index: Number that the result carries; counted from 0 by default.
            cut: Whether this frame is the first of another shot; `InferenceConfig.cuts` says
                what follows from that.
            template: Whether objects that are being followed store this frame as a template; None
                stores every `template_interval`-th.

        Raises:
            MaskSizeMismatch: Mask and image differ in size.
            MaskError: The mask does not consist of IDs.
            UnsupportedMediaError: The image's size differs from the first one's.
            OutOfDeviceMemory: The device's memory does not suffice.
        """
        self._check(image, masks)
        number = self._count if index is None else index
        minded = cut and self.config.cuts != "off"
        self.trackers, result = self._retried(
            lambda: self._advance(image, masks, number, minded, template)
        )
        self._frame = self._frame or (image.shape[0], image.shape[1])
        self._count += 1
        return result

    def state_dict(self) -> dict[str, Any]:
        """Everything that changes in a session, copied to the CPU, for `torch.save`.

        `torch.load(..., weights_only=True)` reads it, and a session that loads it goes on as this
        one does, on the CPU to the bit.
        """
        return {
            "version": STATE_VERSION,
            "model": to_dict(self.net.config),
            "config": to_dict(self.config),
            "memory_size": self._memory_size,
            "frame": self._frame,
            "count": self._count,
            "trackers": [on_cpu(tracker.state_dict()) for tracker in self.trackers],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where the session was that `state` comes from; this one stays as it is if it fails.

        Raises:
            ConfigError: It is no state of a session, of another version, or of a session that ran
                another network or ran it otherwise.
            OutOfDeviceMemory: The device's memory does not suffice.
        """
        if (version := loaded(state, "version", int)) != STATE_VERSION:
            raise ConfigError(
                f"the saved state is of version {version}, expected {STATE_VERSION}; it was saved "
                "by another version of jointvos"
            )
        for name, own in (("model", self.net.config), ("config", self.config)):
            saved = loaded(state, name, Mapping)
            for key, value in to_dict(own).items():
                if saved.get(key) != value:
                    raise ConfigError(
                        f"the saved session had {key} {saved.get(key)}, this one has {value}; "
                        "make it as the saved one was"
                    )
        memory_size, count = loaded(state, "memory_size", int), loaded(state, "count", int)
        frame = loaded(state, "frame", list | tuple | None)
        states = loaded(state, "trackers", list)
        self.trackers = self._retried(lambda: self._loaded(states))
        self._memory_size, self._count = memory_size, count
        self._frame = None if frame is None else (frame[0], frame[1])

    def shrink_memory(self, size: int) -> None:
        """Keep at most so many templates per object from now on, and the corrections."""
        trackers = [tracker.copy() for tracker in self.trackers]
        with self._computing():
            for tracker in trackers:
                tracker.shrink(size)
        self.trackers = trackers
        self._memory_size = size

    def fill_memory(self) -> None:
        """Fill memories that hold a single template with copies of it, for measurements.

        What follows takes the time and space of a full memory, which would otherwise be long in
        coming.
        """
        trackers = [tracker.copy() for tracker in self.trackers]
        with self._computing():
            for tracker in trackers:
                tracker.fill_memory()
        self.trackers = trackers

    def move_to_cpu(self) -> None:
        """Go on without the device, as large as configured; the network moves too."""
        states = [tracker.state_dict() for tracker in self.trackers]
        self.net.to("cpu")
        self.device = torch.device("cpu")
        if self.dtype == torch.float16:
            self.dtype = None  # which the CPU computes in fp32
        self.objects_at_once = self.config.objects_at_once
        self._memory_size = self.config.memory_size
        self.trackers = self._loaded(states)
        for tracker in self.trackers:
            tracker.bank.size = self._memory_size

    def _loaded(self, states: Iterable[Mapping[str, Any]]) -> list[ObjectTracker]:
        trackers = []
        for state in states:
            tracker = ObjectTracker(self.net, self.config, loaded(state, "object_id", int))
            tracker.load_state_dict(state)
            trackers.append(tracker)
        return trackers

    def _retried(self, attempt: Callable[[], Outcome]) -> Outcome:
        return retried(attempt, self, self.on_oom, self.say)

    @contextmanager
    def _computing(self) -> Iterator[None]:
        autocast = torch.autocast(self.device.type, self.dtype, enabled=self.dtype is not None)
        with torch.inference_mode(), autocast:
            yield

    def _check(self, image: Image, masks: LabelMap | None) -> None:
        size = (image.shape[0], image.shape[1])
        first = self._frame or size
        if size != first:
            raise UnsupportedMediaError(
                f"frame {self._count} is {size[1]}x{size[0]}, the first was "
                f"{first[1]}x{first[0]}; all frames must be the same size"
            )
        if masks is not None and masks.shape != size:
            raise MaskSizeMismatch(
                f"the mask is {masks.shape[1]}x{masks.shape[0]}, the frame {size[1]}x{size[0]}; "
                "they must be the same size"
            )
        if masks is not None and masks.dtype not in (np.uint8, np.uint16):
            raise MaskError(f"the mask is {masks.dtype}, expected IDs in uint8 or uint16")

    def _advance(
        self, image: Image, masks: LabelMap | None, index: int, cut: bool, template: bool | None
    ) -> tuple[list[ObjectTracker], FrameResult]:
        """The objects after this frame, and what is seen in it; the session stays as it is."""
        trackers = [tracker.copy() for tracker in self.trackers]
        with self._computing():
            frame = upload(image, self.device)
            frame = frame.permute(2, 0, 1).contiguous()
            if cut:
                for tracker in trackers:
                    tracker.begin_shot()
            predictions = self._predict(trackers, frame, template)
            if masks is not None:
                self._apply_prompt(trackers, predictions, frame, FramePrompt.of(masks, self.device))
            if trackers:
                with stage(Stage.AGGREGATE):
                    probabilities = soft_aggregate(
                        torch.stack([each.logits for each in predictions]).float()
                    )
            else:
                probabilities = torch.ones(1, *image.shape[:2], device=self.device)
            objects = probabilities[1:]
            for tracker, own, probability in zip(trackers, predictions, objects, strict=True):
                if own.features is not None and own.region is not None:
                    tracker.learn(probability, own.features, own.region)
            with stage(Stage.RESULT):
                # The only wait for the device, when all of a frame's work has been asked of it.
                found = Findings.of(probabilities, keep=self.keep_probabilities).fetched()
            with stage(Stage.STATE):
                rows = moments(found.targets, image.shape[:2])
                for i, tracker in enumerate(trackers):
                    tracker.move(objects[i], rows[i], found.winner == i + 1)
            with stage(Stage.RESULT):
                result = frame_result(found, trackers, index=index, cut=cut)
        return trackers, result

    def _predict(
        self, trackers: list[ObjectTracker], frame: Tensor, template: bool | None
    ) -> list[_Prediction]:
        """All objects, each on its own; reads state only."""
        size = (frame.shape[1], frame.shape[2])
        regions = [tracker.search_region(size) for tracker in trackers]
        predictions = self._search(trackers, regions, frame, template)
        # After a cut the whole frame was searched, in which a target may be too small to be sure.
        paused = [i for i, tracker in enumerate(trackers) if tracker.paused]
        if not paused:
            return predictions
        found = torch.stack([predictions[i].logits for i in paused]).float().sigmoid()
        rows = moments(marginals(found), size)
        places = [trackers[i].closer_region(row, size) for i, row in zip(paused, rows, strict=True)]
        closer = {i: place for i, place in zip(paused, places, strict=True) if place is not None}
        again = self._search([trackers[i] for i in closer], list(closer.values()), frame, template)
        for i, own in zip(closer, again, strict=True):
            predictions[i] = own
        return predictions

    def _search(
        self,
        trackers: list[ObjectTracker],
        regions: list[SearchRegion],
        frame: Tensor,
        template: bool | None,
    ) -> list[_Prediction]:
        """What is in these regions, `objects_at_once` in one pass of backbone and decoder."""
        predictions = []
        for first in range(0, len(trackers), self.objects_at_once):
            part = slice(first, first + self.objects_at_once)
            predictions += self._search_at_once(trackers[part], regions[part], frame, template)
        return predictions

    def _search_at_once(
        self,
        trackers: list[ObjectTracker],
        regions: list[SearchRegion],
        frame: Tensor,
        template: bool | None,
    ) -> list[_Prediction]:
        size, crop = (frame.shape[1], frame.shape[2]), self.config.crop_size
        with stage(Stage.CROP):
            crops = torch.stack([crop_image(frame, region, crop) for region in regions])
        with stage(Stage.FEATURES):
            features = self.net.encode_image(crops)
        each = [features.of(i) for i in range(len(trackers))]
        encodings = [
            tracker.search_encoding(own) for tracker, own in zip(trackers, each, strict=True)
        ]
        with stage(Stage.DECODER):
            logits = self.net.decode(torch.cat(encodings), features.stages)
        with stage(Stage.PASTE):
            whole = [
                tracker.within_reach(paste(own, region, size))
                for tracker, own, region in zip(trackers, logits, regions, strict=True)
            ]
        return [
            _Prediction(scores, own if tracker.takes_template(template) else None, region)
            for tracker, scores, own, region in zip(trackers, whole, each, regions, strict=True)
        ]

    def _apply_prompt(
        self,
        trackers: list[ObjectTracker],
        predictions: list[_Prediction],
        frame: Tensor,
        prompt: FramePrompt,
    ) -> None:
        """Start the objects that are new in a mask, and correct the others that occur in it.

        Both take the crop of a first frame: the object may be outside its search region.
        """
        place = {tracker.object_id: i for i, tracker in enumerate(trackers)}
        for object_id in prompt.ids:
            mask = prompt.mask(object_id)
            state = state_of_mask(mask)
            if (i := place.get(object_id)) is None:
                tracker = ObjectTracker(self.net, self.config, object_id, state)
                tracker.learn_first(*self._first_crop(tracker, frame, mask))
                tracker.shrink(self._memory_size)
                trackers.append(tracker)
                predictions.append(_Prediction(prompt.logits(object_id)))
            else:
                predicted = predictions[i].logits
                predictions[i] = _Prediction(prompt.logits(object_id, predicted))
                if prompt.void is not None:
                    mask = torch.where(prompt.void, predicted.sigmoid(), mask)
                trackers[i].place(state)
                trackers[i].correct(*self._first_crop(trackers[i], frame, mask))

    def _first_crop(
        self, tracker: ObjectTracker, frame: Tensor, mask: Tensor
    ) -> tuple[FrameFeatures, Tensor]:
        crop = self.config.crop_size
        image, mask = crop_first_frame(frame, mask[None], tracker.state, tracker.scale, crop)
        return self.net.encode_image(image[None]), mask
